"""The function words of English."""

from service.answer.rewrite.grammar import Grammar, words

ENGLISH = Grammar(
    name="en",
    asking=words("what which who whom whose when where why how whether"),
    which=words("which what whose"),
    measures=words("long much many often far big large heavy high wide fast quickly soon old expensive loud bright hot come"),
    auxiliaries=words(
        "is are was were be been am do does did can could may might must shall should will would has have had isn't aren't"
        " don't doesn't didn't can't couldn't won't wouldn't hasn't haven't wasn't weren't shouldn't mustn't what's how's"
        " where's who's when's that's it's there's"
    ),
    verbs=words(
        "cost costs take takes last lasts mean means weigh weighs work works need needs get gets include includes support"
        " supports give gives begin begins start starts end ends apply applies happen happens cover covers contain"
        " contains use uses make makes show shows allow allows accept accepts arrive arrives come comes go goes sell sells"
        " pay pays keep keeps tell explain describe hold holds expire expires open opens close closes differ differs led made"
        " began see sees buy send delete install connect find know choose want download receive"
    ),
    persons=words("i you we me us someone somebody anyone anybody everyone customers people"),
    articles=words("the a an"),
    determiners=words("my your our some any each every all both no another other first one two three"),
    prepositions=words(
        "to in into from for at with within without inside outside on onto by under over through during about between"
        " after before against per via until till since than as like near"
    ),
    of=words("of"),
    places=words("to in into from at within inside outside on near"),
    clauses=words("and or but if when while because that who which so unless although though whereas"),
    adverbs=words(
        "also too please now then still already just really exactly only even actually ever there here again instead not"
        " else more most least maybe currently anyway yet afterwards later yes"
    ),
    pronouns=words("it they them he she him this that these those"),
    possessives=words("its their his her"),
    demonstratives=words("this that these those such same"),
    connectives=r"and|or|but|so|also|what about|how about|and what about|what if it is|as for|how is it (?:for|with)",
    courtesies=r"ok(?:ay)?|thanks?(?: you)?(?: very much| a lot| so much)?|great|good|nice|perfect|i see|got it|alright"
    r"|all right|cool|right|understood|hm+|well|sorry|yes|no|sure|interesting",
    expletives=r"(?:is|was|isn't|would) it (?:possible|necessary|allowed|true|safe|required|okay|ok|enough|better|worth"
    r"|legal|mandatory|easy|hard|difficult|too late)\b(?! for (?:it|that)\b)|(?:does|will|did|would) it (?:take|cost)"
    r" (?:\w+ ){0,4}?(?:to|for|until|till|before)\b|it (?:takes|costs) to\b|it is (?:possible|true) that\b"
    r"|does it matter (?:if|whether)\b|how is it that\b|(?:is|are|was|were|will|isn't|aren't) there\b|there (?:is|are|was)\b"
    r"|th(?:is|ese) (?:week|month|year|morning|afternoon|evening|weekend|summer|winter|time|day)s?\b|that way\b"
    r"|those (?:who|with)\b|so that\b|is that it\b|what time is it\b|(?:what|how) does it mean (?:when|if)\b"
    r"|(?:does|did|will) it (?:get|become) (?:dark|light|cold)\b|the same time\b",
    pointers=r"th(?:ere|en)|the same|such an?|anything else|what else|where else|who else|another one|the other(?: one)?s?"
    r"|one of (?:them|these|those)|more about|tell me more|more details|the (?:rest|others)|do so|(?:a|the) \w+ one|ones"
    r"|any of (?:them|these|those)|both of (?:them|these)|the (?:former|latter)|others",
    swaps=r"the other way (?:a?round|about)|vice versa|conversely|the reverse|the opposite direction|in reverse"
    r"|the other direction|backwards?",
    ordinals={
        "first": 0, "former": 0, "1st": 0, "second": 1, "2nd": 1, "third": 2, "3rd": 2, "fourth": 3, "4th": 3,
        "fifth": 4, "5th": 4, "last": -1, "latter": -1, "other": -2,
    },
    genitive="{}'s",
    causatives=words("make makes let lets get gets have has tell tells force ask"),
    times=words("week month year morning afternoon evening weekend summer winter time day night"),
)  # fmt: skip
