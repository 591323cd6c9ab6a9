"""The function words of German."""

from service.answer.rewrite.grammar import Grammar, words

GERMAN = Grammar(
    name="de",
    asking=words(
        "was wer wen wem wessen wann wo wohin woher warum wieso weshalb wie wofür womit wodurch woran worauf worüber wozu"
        " welche welcher welches welchen welchem ob"
    ),
    which=words("welche welcher welches welchen welchem"),
    measures=words(
        "lange lang viel viele vielen oft groß schwer hoch weit schnell alt teuer laut hell breit heiß bald spät"
    ),
    auxiliaries=words(
        "ist sind war waren sei bin bist seid wird werden wurde wurden werde kann können kannst könnte könnten darf dürfen"
        " muss müssen muß soll sollen sollte will wollen möchte hat haben habe hatte hatten gibt gab lässt lassen"
    ),
    verbs=words(
        "kostet kosten dauert dauern bedeutet bedeuten wiegt wiegen braucht brauchen brauche bekommt bekomme bekommen gilt"
        " gelten steht stehen geht gehen kommt kommen heißt enthält unterstützt funktioniert funktionieren hält passiert"
        " liegt beträgt läuft beginnt endet macht machen bietet nimmt zahlt zahlen verkauft liefert schließt öffnet"
    ),
    persons=words("ich man wir du jemand mir mich uns dir dich"),
    articles=words("der die das den dem des ein eine einen einem einer eines"),
    determiners=words(
        "mein meine meinen meinem meiner meines unser unsere unseren dein deine deinen kein keine keinen alle jede jeder"
        " jedes jeden jedem einige mehrere beide andere anderen anderer zwei drei"
    ),
    prepositions=words(
        "in im ins aus für an am ans auf mit ohne zu zum zur bei beim nach vor seit bis über unter durch gegen um zwischen"
        " während wegen ab pro samt innerhalb außerhalb von vom als"
    ),
    of=words("von vom"),
    places=words("in im ins aus nach bei an am auf zu zum zur innerhalb außerhalb"),
    clauses=words("und oder aber wenn falls weil dass daß sobald obwohl sondern damit ob"),
    adverbs=words(
        "auch noch bitte nun jetzt dann schon nur sogar eigentlich denn wieder nicht mehr sonst etwa mal genau höchstens"
        " mindestens hier dort da so doch eben los weg sich ja nein danach später vorher hinterher"
    ),
    pronouns=words("es er sie ihn ihm das dies dieses diese dieser denen"),
    possessives=words(
        "sein seine seinen seinem seiner seines ihr ihre ihren ihrem ihrer ihres deren dessen"
    ),
    demonstratives=words(
        "dies diese dieser dieses diesen diesem solche solchen derselbe dieselbe dasselbe jener jene jenes"
    ),
    connectives=r"und|oder|aber|also|auch|was ist (?:denn )?mit|wie ist (?:es|das) (?:denn )?(?:bei|mit)|wie (?:sieht|schaut)"
    r" (?:es|das) (?:denn )?(?:bei|mit|in|für)|wie steht es (?:um|mit)|gilt das auch",
    courtesies=r"ok(?:ay)?|danke(?: schön| sehr)?|vielen dank|gut|super|prima|alles klar|verstehe|aha|ach so|ja|nein|schön",
    expletives=r"gibt es\b|es g[ia]b[tn]?\b|g[ai]b es\b|(?:ist|wäre) es (?:möglich|erlaubt|nötig|notwendig|sicher|besser|wahr"
    r"|zu spät)\b"
    r"|(?:dauert|kostet|braucht) es,? (?:bis|wenn|um|ein|eine|einen)\b|es (?:dauert|kostet),? (?:bis|wenn|um)\b"
    r"|geht es ihnen\b|worum g(?:eht|ing) es\b|(?:kam|kommt|kommen) es\b(?=(?: [^\s?]+){0,6}? zu)"
    r"|was bedeutet es,? (?:wenn|für)\b"
    r"|dies(?:e|es|en|er|em) (?:woche|monat|jahr|wochenende|mal|sommer|winter)\b",
    pointers=r"davon|dafür|damit|daran|dazu|dabei|daraus|darin|darauf|darüber|dagegen|dort|dorthin|dahin|stattdessen"
    r"|(?:das|die|der) (?:gleiche|selbe|andere|anderen)|noch (?:etwas|mehr|eine?n?)|was sonst|wer sonst|wo sonst|sonst noch"
    r"|mehr (?:darüber|dazu)|(?:der|die|das|dem|den) (?:erstere|letztere)n?|d(?:er|ie|as|em|en) (?:nächste|vorige)n?",
    swaps=r"umgekehrt|andersherum|anders herum|andersrum|in die andere richtung|in der anderen richtung",
    ordinals={
        "erste": 0, "ersten": 0, "erster": 0, "erstes": 0, "ersteres": 0, "erstere": 0, "ersterer": 0, "ersteren": 0,
        "zweite": 1, "zweiten": 1, "zweiter": 1, "zweites": 1, "dritte": 2, "dritten": 2, "drittes": 2, "vierte": 3,
        "vierten": 3, "letzte": -1, "letzten": -1, "letzteres": -1, "letztere": -1, "letzterer": -1, "letzteren": -1,
        "andere": -2, "anderen": -2,
    },
    genitives=words("des eines"),
    times=words("woche monat jahr wochenende mal sommer winter"),
    has_capital_nouns=True,
)  # fmt: skip
