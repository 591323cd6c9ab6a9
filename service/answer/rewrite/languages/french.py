"""The function words of French."""

from service.answer.rewrite.grammar import Grammar, words

FRENCH = Grammar(
    name="fr",
    asking=words(
        "que qu' quoi qui quand où comment combien pourquoi quel quelle quels quelles lequel laquelle lesquels lesquelles si"
    ),
    which=words("quel quelle quels quelles"),
    measures=words("temps longtemps fois"),
    auxiliaries=words(
        "est sont était étaient être a ont avez avons avait avoir ai peut peuvent puis peux pouvez pourrait doit doivent dois"
        " faut va vont vais fait ce c' y t"
    ),
    verbs=words(
        "coûte coûtent coute dure durent prend prennent signifie pèse pèsent veut inclut comprend fonctionne fonctionnent"
        " vaut couvre accepte acceptent offre commence finit termine arrive arrivent marche vendez livrez acceptez faites"
    ),
    persons=words("je j' tu on nous vous quelqu'un me m' te"),
    articles=words("le la les l' un une des du au aux"),
    determiners=words(
        "mon ma mes ton ta tes notre nos votre vos chaque tout toute tous toutes aucun aucune quelques autre autres plusieurs"
        " deux trois"
    ),
    prepositions=words(
        "à en dans pour par avec sans sur sous chez vers depuis jusqu' jusqu'à entre pendant avant après contre selon de d'"
        " hors dès du des au aux"
    ),
    of=words("de d' du des"),
    places=words("à en dans vers chez depuis au aux pour"),
    clauses=words("et ou mais si quand parce lorsque lorsqu' que qu' car donc tandis puisque"),
    adverbs=words(
        "aussi encore déjà maintenant alors donc seulement plus moins très ici là bien exactement pas ne n' également"
        " toujours non oui ensuite"
    ),
    pronouns=words("ça cela ceci il elle ils elles lui celui-ci celle-ci ceux-ci celles-ci"),
    possessives=words("son sa ses leur leurs"),
    demonstratives=words("ce cet cette ces même mêmes"),
    connectives=r"et|ou|mais|aussi|(?:et )?qu['’]en est-il (?:de|du|des|pour|d['’])|et (?:en ce qui concerne|quant à)"
    r"|qu['’]en est-il|quant (?:à|au|aux)|alors|et si c['’]est",
    courtesies=r"ok|d['’]accord|merci(?: beaucoup| bien)?|très bien|bien|parfait|super|oui|non|je vois|entendu|ah|bon",
    expletives=r"est-il (?:possible|nécessaire|obligatoire|vrai|sûr|mieux)\b|il (?:est possible|faut|y a)\b|y a-t-il\b"
    r"|faut-il\b|(?:faut|reste|suffit|existe-t)-il\b|est-ce (?:que|qu['’])|cette (?:semaine|année|nuit|fois)\b"
    r"|ce (?:mois|soir|matin|week-end)\b|cet (?:été|hiver|après-midi)\b|s['’]il vous\b|s['’]il te\b|qu['’]est-ce\b"
    r"|à ce sujet de\b",
    pointers=r"là-bas|là-dessus|là-dedans|dedans|l[ae] même|les mêmes|l['’]autre|les autres|quoi d['’]autre|autre chose"
    r"|plus (?:d['’]informations|de détails)|celui|celle|ceux|celles|ce(?:tte)? derni(?:er|ère)|c['’]est",
    swaps=r"inversement|l['’]inverse|dans l['’]autre sens|vice versa|le contraire",
    ordinals={
        "premier": 0, "première": 0, "second": 1, "seconde": 1, "deuxième": 1, "troisième": 2, "quatrième": 3,
        "dernier": -1, "dernière": -1, "autre": -2,
    },
    clitics=r"(?:\b(?:comment|où|puis-je|peut-on|dois-je|faut-il|pour|je|on|vous|pourquoi) l(?:es?|a) |\bl['’])"
    r"(?=\w+(?:er|ir|re)\b)",
    attachments=r"\b(?:l(?:es?|a)\s|l['’])(?P<verb>\w+(?:er|ir|re))\b",
    infinitives=r"\w(?:er|ir|re)$",
    times=words("semaine année mois soir matin été hiver"),
)  # fmt: skip
