"""Phrases that speak to a model in other languages than English, as patterns; `rules.py` makes rules of them."""

# Verbs and nouns of "ignore the previous instructions", by language. Where the verb may come last, both orders hold.
OVERRIDES = {
    "de": (r"\bignorieren?\b|\bignorier\b|\bvergiss|\bvergessen sie|\bmissacht|\bübergeh", r"\banweisung|\bvorgaben\b|\bregeln\b|\binstruktion|\bbefehle?\b|\brichtlinie"),
    "es": (r"\bignora|\bolvid|\bomit[ae]|\bdescarta", r"\binstruccion|\binstrucción|\breglas?\b|\b[óo]rdenes|\bindicacion|\bnormas\b|\bdirectri|\bp[áa]gina web"),
    "fr": (r"\bignorez|\bignore les\b|\bignore toutes\b|\bignore tes\b|\boubli|\bnéglige", r"\binstructions?\b|\bconsigne|\brègles?\b|\bordres\b|\bdirectives\b|\bfonction\b"),
    "it": (r"\bignora|\bdimentic|\btrascura", r"\bistruzion|\bregole\b|\bordini\b|\bindicazion|\bdirettiv"),
    "pt": (r"\bignor[ae]\b|\bignorar\b|\besque[çc]a|\bdesconsider", r"\binstruções|\binstrucoes|\bregras\b|\bordens\b|\bdiretriz"),
    "nl": (r"\bnegeer|\bvergeet|\bnegeren", r"\binstructies|\bregels\b|\bopdracht|\brichtlijn|\baanwijzing"),
    "pl": ("zignoruj|ignoruj|zapomnij|pomiń", "instrukcj|poleceni|zasad|reguł|wytyczn"),
    "sv": ("ignorera|glöm|bortse", "instruktion|regel|regler|anvisning"),
    "tr": ("yok say|unut|görmezden", "talimat|kural|yönerge|komut"),
    "id": ("abaikan|lupakan", "instruksi|perintah|aturan"),
    "vi": ("bỏ qua|quên", "hướng dẫn|chỉ dẫn|quy tắc|lệnh"),
    "ru": ("игнорир|забуд|не обращай", "инструкц|указани|правил|команд"),
    "uk": ("ігнору|забуд", "інструкц|вказів|правил"),
    "el": ("αγνο|ξέχν|ξεχά", "οδηγ|εντολ|κανόν"),
    "hi": ("अनदेख|नज़रअंदाज़|भूल|उपेक्ष", "निर्देश|आदेश|नियम"),
    "ar": ("تجاهل|انس", "تعليمات|أوامر|قواعد|إرشادات"),
    "zh": ("忽略|无视|無視|忘记|忘掉", "(?:指示|指令|说明|規則|规则|提示|要求)(?![^。！!\n]{0,12}[吗嗎])"),
    "ja": ("無視|忘れ", "指示|命令|ルール|述べ|規則"),
    "ko": ("무시|잊어", "지시|명령|규칙|지침"),
}  # fmt: skip
# Right before a verb: someone asks what he himself may do.
BY_ONESELF = (
    r"(?:\b(?:kann|darf|soll|sollte|muss) (?:ich|man|wir)\b|\b(?:puedo|podemos|debo|debemos|se puede|posso|possiamo|devo|dobbiamo|si può"
    r"|devemos|pode-se|puis-je|peut-on|dois-je|est-ce que je peux|est-ce que je dois)\b|\b(?:kan|mag|moet) (?:ik|men)\b"
    r"|\b(?:kunnen|mogen|moeten) we\b|\bczy (?:mogę|można|możemy)\b|\b(?:можно(?: ли)?|могу ли|можем ли)\b|\bkan (?:jag|man|jeg)\b|\bμπορώ να\b"
    r"|\bчи можна\b|هل يمكنني|هل أستطيع|\bbolehkah saya\b)"
    r"(?!\W+(?:bitt|ped|chied|demand|vrag|pros|попрос))\W+(?:\w+\W+){0,2}$"
)
# The same ideas in the languages of the deployment: all that was said before, what the model was told, a self without rules.
_NO_ICH = r"(?:(?!\bich\b)[^.!?\n])"
_NO_IK = r"(?:(?!\bik\b)[^.!?\n])"
FOREIGN: dict[str, dict[str, tuple[str, str]]] = {
    "forget_all": {
        "de": (
            "vergiss|vergesst|ignorier|missachte",
            rf"\b(?:vergiss|vergesst|ignoriere?|missachte)\b.{{0,12}}\balles\b{_NO_ICH}{{0,30}}\b(?:vorher|bisher|davor|zuvor|oben|wurde|gesagt)\b",
        ),
        "es": (
            "olvida|ignora|descarta",
            r"\b(?:olvida|ignora|descarta)\b.{0,8}\b(?:todo (?:lo anterior|lo que (?:te|se)|cuanto)|lo anterior (?:y|,) (?:mu[eé]stra|di|dame|revela|imprime|escribe|act[uú]a))",
        ),
        "fr": (
            "oublie|ignore",
            r"\b(?:oublie[zr]?|ignore[zr]?)\b.{0,8}\btout ce qu(?:i précède|['’]on (?:t['’]|vous)|e l['’]on (?:t['’]|vous))",
        ),
        "it": (
            "dimentica|ignora|scorda",
            r"\b(?:dimentica|ignora|scorda)\b.{0,8}\btutto (?:quello|ciò|quanto)\b(?!.{0,6}\bho\b)",
        ),
        "pt": (
            "esquec|esqueç|ignore|desconsidere",
            r"\b(?:esque[çc]a|ignore|desconsidere)\b.{0,8}\btudo (?:o que (?:lhe|te|foi|disseram)|acima)\b",
        ),
        "nl": (
            "vergeet|negeer",
            rf"\b(?:vergeet|negeer)\b.{{0,8}}\balles\b{_NO_IK}{{0,30}}\b(?:hiervoor|eerder|hierboven|gezegd|verteld)\b",
        ),
    },
    "reveal": {
        "de": (
            "prompt|systemna|systeman|anweisung|instruktion|vorgaben|konfiguration",
            r"\b(?:zeig|gib|nenn|verrat|druck|wiederhol|list|schreib|sag|ausgeb|wie laute|was (?:ist|sind|steht))\w*\b[^.!?\n]{0,30}"
            r"\b(?:(?:de[nrms]|das|dein\w*|ihr\w*|eur\w*) (?:\w+ )?(?:system-?prompt|prompt|systemnachricht|systemanweisung\w*)"
            r"|dein\w* (?:\w+ )?(?:anweisungen|instruktionen|vorgaben|konfiguration)\b(?! (?:zu[mr]?|für|bei[m]?|über|in|auf)\b))",
        ),
        "es": (
            "prompt|sistema|configuraci|instruccion|indicacion|directri",
            r"\b(?:mu[eé]stra|dime|dame|revela|rev[eé]l|imprim|repit|ense[ñn]|escrib|cuál(?:es)? (?:es|son)|qué dice)\w*\b[^.!?\n]{0,30}"
            r"\b(?:(?:tus?|sus?|el|las?|los) (?:\w+ )?(?:prompt|mensaje (?:de|del) sistema|configuración interna"
            r"|(?:instrucciones|indicaciones|directrices) (?:de sistema|del sistema|internas|ocultas|iniciales|secretas))|tus (?:instrucciones|directrices)\b(?! (?:de|para|sobre)\b))",
        ),
        "fr": (
            "prompt|système|instructions|consignes",
            r"\b(?:affich|montr|donn|révèl|répèt|imprim|écri|dis|quel(?:le)?s? (?:est|sont))[\w-]{0,20}\b[^.!?\n]{0,30}"
            r"\b(?:(?:ton|tes|votre|vos|le|les) (?:\w+ )?(?:prompt|invite système|message système|(?:instructions|consignes) (?:système|internes|cachées|initiales|secrètes))"
            r"|tes (?:instructions|consignes)\b(?! (?:de|d['’]|pour|sur)))",
        ),
        "it": (
            "prompt|sistema|istruzioni",
            r"\b(?:mostra|dimmi|rivela|stampa|ripeti|scrivi|dammi|elenca|qual è|quali sono)\w*\b[^.!?\n]{0,30}"
            r"\b(?:(?:tuo|tue|tuoi|suo|sue|vostro|vostre|il|le) (?:\w+ )?(?:prompt|messaggio di sistema|istruzioni (?:di sistema|interne|nascoste|iniziali|segrete))"
            r"|tue istruzioni\b(?! (?:di|per|su)\b))",
        ),
        "pt": (
            "prompt|sistema|instruções",
            r"\b(?:mostr|diga|revel|imprim|repit|escrev|me d[eêi]|quais são|qual é)\w*\b[^.!?\n]{0,30}"
            r"\b(?:seus?|suas?|teus?|tuas?|o|as) (?:\w+ )?(?:prompt|mensagem (?:de|do) sistema|instruções (?:de sistema|do sistema|internas|ocultas|iniciais|secretas))",
        ),
        "nl": (
            "prompt|systeembericht|instructies",
            r"\b(?:toon|laat|geef|onthul|print|herhaal|schrijf|noem|vertel|wat (?:is|zijn|staat))\w*\b[^.!?\n]{0,30}"
            r"\b(?:(?:je|jouw|uw|de|het) (?:\w+ )?(?:systeemprompt|prompt|systeembericht|(?:interne|verborgen|geheime|oorspronkelijke) instructies)"
            r"|jouw instructies\b(?! (?:voor|over|om)\b))",
        ),
    },
    "persona": {
        "de": (
            "ab jetzt|von nun an|ab sofort|ohne ",
            r"\b(?:ab jetzt|von nun an|ab sofort)\b[^.!?\n]{0,15}\b(?:bist du|du bist|spielst du|heißt du)\b"
            r"|\b(?:bist|spiel\w*|verhalte dich|tu so)\b[^.!?\n]{0,50}\bohne (?:jede |jegliche |alle |irgendwelche )?(?:regeln|einschränkung\w*|beschränkung\w*|filter|grenzen|moral)\b",
        ),
        "es": (
            "ahora|sin ",
            r"\b(?:a partir de ahora|desde ahora|de ahora en adelante)\b[^.!?\n]{0,15}\b(?:eres|serás|actúas?|actuarás|te llamas)\b"
            r"|\b(?:eres|actúa|finge)\b[^.!?\n]{0,50}\bsin (?:reglas|restricciones|filtros?|límites|censura|moral)\b",
        ),
        "fr": (
            "maintenant|désormais|dorénavant|sans ",
            r"\b(?:à partir de maintenant|désormais|dorénavant)\b[^.!?\n]{0,15}\b(?:tu es|tu seras|vous êtes|tu joues|agis)\b"
            r"|\b(?:tu es|agis|joue|fais semblant)\b[^.!?\n]{0,50}\bsans (?:règles?|restrictions?|filtres?|limites?|censure|morale)\b",
        ),
        "it": (
            "ora in poi|da adesso|da ora|senza ",
            r"\b(?:da ora in poi|d['’]ora in poi|da adesso|da ora)\b[^.!?\n]{0,15}\b(?:sei|sarai|agisci|ti chiami)\b"
            r"|\b(?:sei|agisci|fingi)\b[^.!?\n]{0,50}\bsenza (?:regole|restrizioni|filtri|limiti|censura|morale)\b",
        ),
        "pt": (
            "partir de agora|sem ",
            r"\ba partir de agora\b[^.!?\n]{0,15}\b(?:você é|você será|és|aja|finja)\b"
            r"|\b(?:você é|aja|finja|atue)\b[^.!?\n]{0,50}\bsem (?:regras|restrições|filtros?|limites|censura|moral)\b",
        ),
        "nl": (
            "vanaf nu|zonder ",
            r"\bvanaf nu\b[^.!?\n]{0,15}\b(?:ben je|ben jij|je bent|speel je|heet je)\b"
            r"|\b(?:je bent|ben je|doe alsof|gedraag je)\b[^.!?\n]{0,50}\bzonder (?:regels|beperkingen|filters?|grenzen|moraal)\b",
        ),
    },
}  # fmt: skip
SECRET_WORDS = "contraseña|mot de passe|passwort|kennwort|senha|wachtwoord|hasło|parola d'ordine|şifre|пароль|κωδικός|पासवर्ड|كلمة المرور|密码|密碼|パスワード|비밀번호|kata sandi|lösenord"
YOURS = r"\b(?:deine?|ihre?|ihr|tu|tus|su|vuestra|votre|ton|tua|sua|il tuo|la tua|teu|je(?=\b.{0,12}wachtwoord)|jouw|uw|twoje|twój|твой|ваш|सरल)\b|你的|您的|あなたの|너의|당신의"
# A question on one's own, or on how something is changed.
NOT_MINE = (
    r"(?!.{0,30}\b(?:mein\w*|mi|mis|mon|ma|mio|mia|meu|minha|mijn|moje|мой)\b)(?!.{0,60}[我私僕]|.{0,60}(?:내|제) )"
    r"(?!.{0,60}(?:\b(?:wo|wie|änder\w*|vergess\w*|dónde|cómo|cambi\w*|olvid\w*|où|comment|chang\w*|oubli\w*|dove|come|dimentic\w*"
    r"|onde|como|mud\w*|alter\w*|esquec\w*|waar|hoe|wijzig\w*|vergeten|gdzie|jak|zmieni\w*|zapomn\w*|где|как|смен\w*|забы\w*"
    r"|nerede|nasıl|değiştir\w*|unut\w*)\b|怎|如何|哪里|哪裡|改|忘|重置|重设|どこ|方法|変更|変え|忘れ|어디|어떻게|바꾸|변경|잊))"
)
