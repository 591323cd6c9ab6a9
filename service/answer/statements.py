"""What a question asks to be told, and whether a text tells it: what something is, a default, or a price.

English, German, Spanish and French.
"""

import re

_READ_CHARS = 2_000
# What nobody did where a default holds.
_SET = (
    r"\b(?:sets?|gives?|given|pass(?:es|ed)?|specif(?:y|ies|ied)|cho(?:ose|se|sen)|names?d?|configured?|changed?|defined?"
    r"|stated?)\b"
)
_ASKS_DEFAULT = re.compile(
    r"\bdefaults?\b|\bout of the box\b|\bwithout (?:setting|giving|specifying)\b"
    rf"|\b(?:if|when|where) .{{0,30}}{_SET} (?:none|nothing|no)\b"
    rf"|\b(?:if|when|where) .{{0,30}}(?:\bnot?|n't|never|nothing|none) .{{0,12}}{_SET}"
    rf"|\bunless .{{0,20}}(?:{_SET}|\botherwise|\btold)"
    r"|\b(?:if|when|where) .{0,20}\b(?:omit(?:ted)?|unset|unspecified|left out)\b"
    r"|\b(?:standard|vorgabe)(?:wert|einstellung|mäßig|m[aä]ssig)?\w*\b|\bvor(?:eingestellt|einstellung)\w*\b"
    r"|\bwenn .{0,30}\b(?:nichts|kein\w*|nicht) .{0,12}\b(?:ange\w+|gesetzt|eingestellt|festgelegt)\b"
    r"|\bpor (?:defecto|omisi[oó]n)\b|\bpredeterminad[oa]s?\b|\bsi no (?:se )?(?:indica|especifica|establece)\w*\b"
    r"|\bpar défaut\b",
    re.IGNORECASE,
)
_TELLS_DEFAULT = re.compile(
    r"\bdefault(?:s|ed)? (?:value |setting |behaviou?r |values? )?(?:is|are|to|of)\b(?! (?:set|be|specif|avoid|use the))"
    r"|\bdefault(?: value)?[:=]|\bdefault(?: [\w-]+){1,4} (?:is|are)\b|[(,;] ?(?:the )?default\b|\bby default\b"
    r"|\bdefaulting to\b|\bis the default\b"
    r"|\bstandard(?:wert|einstellung)?\w* (?:ist|sind|beträgt|lautet)\b|\bstandardmäßig\b|\bvoreingestellt\b"
    r"|\b(?:standard|vorgabe|voreinstellung)\w*:|\bvorgabe\w* (?:ist|sind|beträgt|lautet)\b"
    r"|\bpor (?:defecto|omisi[oó]n)\b|\bpredeterminad[oa]s? (?:es|son)\b|\bde (?:forma|manera) predeterminada\b"
    r"|\bpar défaut\b",
    re.IGNORECASE,
)
# "The cost" alone may be that of a query plan.
_ASKS_PRICE = re.compile(
    r"\bhow much (?:does|do|did|will|would|is|are)\b.{0,200}\b(?:cost|charge)\b"
    r"|\bwhat (?:does|do|did|will|would)\b.{0,200}\bcost\b"
    r"|\b(?:what (?:is|are|was)|how high (?:is|are)) (?:the|his|her|their|your) "
    r"(?:prices?|salary|salaries|wages?|fees?|fines?|revenue|turnover)\b"
    r"|\bhow expensive\b|\bhow much (?:does|do|did) .{0,80}\bearn\b"
    r"|\b(?:was|wie ?viel) kosten?t?\b|\bwie teuer\b|\bwas ist der preis\b|\bwas verdient\b"
    r"|\bwie hoch (?:ist|sind) (?:der|die|das) (?:preise?|gehalt|lohn|löhne|gebühr(?:en)?)\b"
    r"|\bcu[aá]nto (?:cuestan?|costar[aá]n?|vale)\b|\b(?:cu[aá]l es el|qué) (?:precio|salario|sueldo)\b"
    r"|\bcombien co[uû]te(?:nt)?\b|\bquel est le prix\b",
    re.IGNORECASE,
)
_TELLS_PRICE = re.compile(
    r"[€£¥₹]|\$\s?\d|\d\s?(?:EUR|USD|GBP|CHF|JPY|SEK|NOK|DKK|PLN)\b|\b(?:EUR|USD|GBP|CHF|JPY|SEK|NOK|DKK|PLN)\s?\d"
    r"|\b(?:euros?|dollars?|pounds?|cents?|franken|francs?|pesos?|céntimos?|centimes?)\b"
    r"|\bfree of charge\b|\b(?:is|are|for|ship|ships|returned|repaired) free\b"
    r"|\bfree (?:delivery|shipping|returns?|repairs?|of cost)\b"
    r"|\bno (?:extra |additional )?(?:charge|cost)\b|\b(?:in|with) the (?:price|plan|subscription)\b"
    r"|\b(?:gratis|kostenlos\w*|kostenfrei\w*|inbegriffen|gratuit\w*)\b",
    re.IGNORECASE,
)

_ASKS_DEFINITION = re.compile(
    r"\s*(?:and |so |also )?(?:what(?:['’]s| is| are| does| do)|was (?:ist|sind|bedeutet|macht)|qué (?:es|son|hace|significa)"
    r"|qu['’]est-ce qu(?:e|['’])|que fait|define|explain|describe|erkläre?|explica|explique)(?!\w)",
    re.IGNORECASE,
)
_POINTS_ELSEWHERE = re.compile(
    r"\(?(?:for (?:more|further|additional|other) (?:information|details)|for details"
    r"|see (?:also\b|the\b|section|chapter|appendix|below\b|above\b)"
    r"|refer to|more (?:information|details)|(?:weitere|nähere) (?:informationen|einzelheiten)|siehe\b|mehr dazu"
    r"|para más (?:información|detalles)"
    r"|véase|consulte|vea\b|pour (?:plus|davantage) d['’]informations|voir\b)",
    re.IGNORECASE,
)
_MOST_POINTING_WORDS = 16


def asks_for_definition(question: str) -> bool:
    """Whether it asks what something is or does, as far as its first words tell."""
    return _ASKS_DEFINITION.match(question.lstrip("¿¡ ")[:_READ_CHARS]) is not None


def points_elsewhere(sentence: str) -> bool:
    """Whether all that a sentence tells is where something else stands: "For details, see Section 4."."""
    head = sentence[:_READ_CHARS]
    return _POINTS_ELSEWHERE.match(head) is not None and len(head.split()) <= _MOST_POINTING_WORDS


def asks_for_default(question: str) -> bool:
    """Whether it asks what holds where nobody sets anything."""
    return _ASKS_DEFAULT.search(question[:_READ_CHARS]) is not None


def tells_default(sentence: str) -> bool:
    """Whether it says what a default is, and doesn't only speak of one."""
    return _TELLS_DEFAULT.search(sentence[:_READ_CHARS]) is not None


def asks_for_price(question: str) -> bool:
    """Whether it asks how much money something takes."""
    return _ASKS_PRICE.search(question[:_READ_CHARS]) is not None


def tells_price(text: str) -> bool:
    """Whether a text names an amount of money, or says that there is nothing to pay."""
    return _TELLS_PRICE.search(text) is not None
