"""Words that frame a question without changing what it is about: English, German, Spanish, French.

A language that has no list here loses no precision: each of its words counts then. All are without accents. What relates
(to, from, before, without) and what denies is never here.
"""

import re

# What asks for what; words of one value ask for the same.
_ASKING = {
    "how": "how wie como comment",
    "what": "what which welche welcher welches welchen que cual cuales quel quelle quels quelles",
    "where": "where wo donde ou",
    "whither": "wohin adonde",
    "when": "when wann cuando quand",
    "who": "who whom wer wen wem quien quienes qui",
    "whose": "whose wessen",
    "why": "why warum wieso weshalb pourquoi",
    "howmuch": "howmuch",
}
ASKING = {word: meaning for meaning, words in _ASKING.items() for word in words.split()}

_ENGLISH = (
    "a an the is are was were be been am do does did can could may might will would shall i you we he she it they them me my"
    " mine your yours our ours us this that these those there get got have has had please just of hi hello hey dear sir madam"
    " thanks thank also so and then some"
)
_GERMAN = (
    "der die das den dem des ein eine einen einem einer eines ist sind war waren bin bist wird werden wurde kann konnte kannst"
    " konnen konnten darf durfen ich du er sie es wir ihr ihnen mich mir mein meine meinen meinem meiner meines dein deine"
    " deinen ihre ihren ihrem ihrer uns unser unsere habe hast hat haben hatte bitte hallo danke denn mal eigentlich und"
)
_SPANISH = (
    "el la los las un una unos unas es son soy esta estan fue ser puedo puede pueden podria podemos yo tu usted ustedes"
    " nosotros mi mis su sus nuestro nuestra me te se lo le les he ha han hay hola gracias favor y"
)
_FRENCH = (
    "le un une des sont suis est peux peut pouvez pourrait je vous nous mon ma mes votre vos notre nos ai avez bonjour merci"
    " svp et"
)
DROPPED = frozenset(" ".join((_ENGLISH, _GERMAN, _SPANISH, _FRENCH)).split())

# Whose something is. "My name" is not "your name", while a question may name no owner as well.
_OWNERS = {
    "asker": "my mine our ours mein meine meinen meinem meiner meines unser unsere mi mis nuestro nuestra mon ma mes notre nos",
    "house": "your yours dein deine deinen ihre ihren ihrem ihrer tu tus su sus vuestro vuestra ton ta tes votre vos",
}
OWNERS = {word: owner for owner, words in _OWNERS.items() for word in words.split()}

_GERMAN_WAS = "ist|sind|hat|kann|muss|macht|bedeutet|heisst|passiert|gibt|soll"
_IF = "(?: if| whether)?"
# Bounded, so that no pattern takes more than linear time.
_THING = r"\S{1,40}(?: \S{1,40}){0,7}?"
# Phrases of a folded text, words apart, and what they are rewritten to before words are looked at.
_PHRASES = (
    (r"cannot|can't|cant|couldn't", "can not"),
    (r"(\w+)n't", r"\1 not"),
    (r"(do|does|did|is|are|was|were|has|have|wo|would|could|should)nt", r"\1 not"),
    (r"(what|where|who|how|when|that|it|there)'s|(what|where|who|how)s", r"\1\2 is"),
    (r"(\w+)'(?:m|re|ve|ll|d)", r"\1"),
    # English: what is said before the question.
    (
        rf"(?:can|could|would|will) (?:you|someone|anyone) (?:please )?(?:tell|help|show) me(?: with)?{_IF}",
        "",
    ),
    (rf"(?:can|could|would|will) (?:you|someone|anyone) (?:please )?explain(?: to)?(?: me)?{_IF}", ""),
    (rf"(?:please )?(?:tell|explain to|show) me(?: please)?{_IF}", ""),
    (rf"i (?:would )?(?:just )?(?:like|want|need|wanted) to (?:know|ask|find out)(?: about)?{_IF}", ""),
    (rf"i just want(?:ed)? to (?:know|ask){_IF}|do you know{_IF}|i (?:was|am) (?:just )?wondering{_IF}", ""),
    (r"(?:a )?quick question|excuse me|i have a question", ""),
    (r"i need (?:some )?help(?: with)?|i do not (?:know|understand)|i am not sure", ""),
    (r"i (?:(?:would )?like|want|wish|need|am trying|have been trying) to", ""),
    # English: ways to ask.
    (r"is it possible (?:for me )?to|am i able to|are we able to|is there (?:a|any) way to", "can"),
    (r"(?:is there a way|what is the (?:best )?way|what do i (?:have|need) to do) to", "how do i"),
    (
        r"(?:what should i do|what must i do) to|how (?:can|do|could|should) (?:i|we|you|one)|how to",
        "how do i",
    ),
    (r"(?:has|have|need|needs) to|must", "must"),
    (rf"how much (?:do|does|would|will|is|are) ({_THING}) costs?", r"howmuch \1"),
    (rf"({_THING}) costs? how much", r"howmuch \1"),
    (rf"what (?:do|does|would|will) ({_THING}) costs?", r"howmuch \1"),
    (r"what (?:is|are) the (?:price|cost|prices|costs) of", "howmuch"),
    (r"how (?:much|expensive) (?:is|are)", "howmuch"),
    (rf"what ({_THING}) costs?", r"howmuch \1"),
    (r"what is (?:meant by|the meaning of)", "what mean"),
    # English: words that mean the same.
    (r"(?:turn|switch)(?:ed|ing)? off|deactivate|disable", "disable"),
    (r"(?:turn|switch)(?:ed|ing)? on|activate|enable", "enable"),
    (r"(?:log|sign) in(?:to| to)?|login", "signin"),
    (r"wi[ -]fi|wlan", "wifi"),
    (r"e[ -]mail", "email"),
    (r"send(?:ing)? back", "return"),
    (r"promo code", "promocode"),
    # German.
    (r"(?:konnen|kannst|konntest|konnten) (?:sie|du|ihr) mir (?:bitte )?(?:sagen|erklaren|zeigen)", ""),
    (r"ich (?:mochte|wurde gern\w*) wissen(?: ob)?|ich habe eine frage|entschuldigung", ""),
    (r"ist es moglich|besteht die moglichkeit", "kann"),
    (r"was (?:kosten|kostet)|wie ?viel (?:kosten|kostet)|wie teuer (?:ist|sind)", "howmuch"),
    (r"was (?:ist der preis|sind die preise) (?:von|fur)", "howmuch"),
    (rf"was (?={_GERMAN_WAS})", "what "),
    (r"wie viele?|wieviele?", "wieviel"),
    # Spanish and French.
    (r"(?:me|nos) (?:puede|puedes|podria|podrias) decir|quisiera saber(?: si)?|una pregunta|por favor", ""),
    (r"es posible", "puedo"),
    (r"cuanto (?:cuesta|cuestan|vale|valen)|que precio tienen?|cual es el precio de", "howmuch"),
    (r"combien (?:coute|coutent)|quel est le prix (?:de|du)", "howmuch"),
    (r"pouvez vous me dire|peux tu me dire|s'il vous plait|est ce que|est ce qu'", ""),
)
PHRASES = tuple((re.compile(rf"(?<!\S)(?:{pattern})(?!\S)"), new) for pattern, new in _PHRASES)

_SAME_WORDS = (
    "buy purchase",
    "parcel package",
    "shop store",
    "color colour",
    "big large",
    "biggest largest",
    "max maximum maximal",
    "min minimum minimal",
    "swap exchange",
    "sound audio",
    "frequently often",
    "phone telephone",
    "picture photo image",
    "mean meaning",
    "1 one",
    "2 two",
    "3 three",
    "4 four",
    "5 five",
    "6 six",
    "7 seven",
    "8 eight",
    "9 nine",
    "10 ten",
    "12 twelve",
)
# Of words that mean the same, the first.
SAME_WORDS = {word: group.split()[0] for group in _SAME_WORDS for word in group.split()}
