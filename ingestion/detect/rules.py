"""Rules for prompt injection, each with an id: phrases that address a model, in many languages, and tricks of form.

Each rule lists words of which a text must contain one before the pattern runs, so most texts run no pattern. `zones`
says where a rule applies: a help page may say what no user needs to say to an assistant, and the reverse.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from ingestion.detect.decodings import Decoding
from ingestion.detect.languages import BY_ONESELF, FOREIGN, NOT_MINE, OVERRIDES, SECRET_WORDS, YOURS

# The rest of a word. In scripts without spaces a word goes on to the next mark, and is not read to its end.
_REST = r"\w{0,30}"
_WORDS = re.compile(r"\w+")
# A document about such attacks quotes them; one that carries an attack does not.
_QUOTED = re.compile(r"[\"“”'‘’«»`]\s*$")
# Readings of the whole text: without invisible letters, with look-alikes replaced, with spaced-out letters joined.
_WHOLE_VIEWS = frozenset({"plain", "joined"})


@dataclass(frozen=True, slots=True)
class Rule:
    """A pattern; `words` are lower-case words of which a text must have one, none for a pattern that is always tried."""

    id: str
    pattern: re.Pattern[str]
    words: frozenset[str]
    zones: frozenset[str]
    is_exact: bool = True  # whether `words` are whole words; parts of words in scripts without spaces
    unless: re.Pattern[str] | None = None  # text right before a match that makes it no match


@dataclass(frozen=True, slots=True)
class Match:
    """A rule that matched, and where in the text as written; whether the text had to be decoded to be read so."""

    rule: str
    start: int
    end: int
    is_disguised: bool = False


def _rule(
    name: str,
    pattern: str,
    words: str | frozenset[str],
    zones: str = "input retrieved",
    *,
    is_exact: bool = True,
    unless: re.Pattern[str] | None = None,
) -> Rule:
    compiled = re.compile(pattern, re.IGNORECASE | re.MULTILINE)
    known = frozenset(words.split()) if isinstance(words, str) else words
    return Rule(name, compiled, known, frozenset(zones.split()), is_exact, unless)


def _near(words: str) -> str:
    """What follows in a sentence: one of the words a little behind the word that was begun, or else within it."""
    return rf"(?:{_REST}+[^.!?\n]{{0,40}}?(?:{words})|{_REST}(?:{words}))"


def _stems(alternatives: str) -> frozenset[str]:
    """The literal beginning of each alternative, up to its first special character; a matching text contains one."""
    found = (re.sub(r"\[.*", "", one.replace("\\b", "")).strip() for one in alternatives.split("|"))
    return frozenset(stem.casefold() for stem in found)


# Someone who speaks of what he himself does, may do or was told to do gives no order: "can I ignore the previous rules?"
_HELPING = (
    r"(?:was|were|am|are|is|have|had|has|been|be|told|asked|supposed|allowed|advised|instructed|need|should|could|can|may|must|might"
    r"|just|to|not|simply|also|now|safely)"
)
_BY_ONESELF_FOREIGN = re.compile(BY_ONESELF, re.IGNORECASE)
_BY_ONESELF = re.compile(
    rf"(?:\b(?:can|could|should|may|must|do|did|does|might|would|when|if|after|before|once|until|whenever) (?:i|we|he|she|they|it)\b(?: {_HELPING}){{0,3}}"
    rf"|\b(?:i|we|he|she|they|it)\b(?: {_HELPING}){{1,6}}|\b(?:told|asked|advised|instructed) (?:me|us|him|her|them)(?: {_HELPING}){{1,3}}"
    r"|\bhow (?:do|can|could|should|would|to)(?: (?:i|we|one|you))?) $",
    re.IGNORECASE,
)
_PREFIX_CHARS = 60

RULES: tuple[Rule, ...] = (
    _rule(
        "override",
        r"\b(?:ignore|disregard|forget|override|bypass|discard|stop following|do not follow|pay no attention to)\b"
        r"[^.!?\n]{0,20}\b(?:previous|prior|above|earlier|preceding|your|system|former|original|existing|all (?:of )?(?:the|these"
        r"|those|my)|those)\b[^.!?\n]{0,20}\b(?:instructions?|prompts?|rules|guidelines|directives?|guardrails|tasks?|commands?"
        r"|restrictions)\b",
        "ignore disregard forget override bypass discard stop follow attention",
        unless=_BY_ONESELF,
    ),
    _rule(
        "instead_say",
        r"\b(?:ignor(?:e|ing)|disregard|forget|skip)\b[^.!?\n]{0,50}\b(?:and|then|just|instead)\b[^.!?\n]{0,12}\b(?:state|say|output|print|write"
        r"|answer|reply|respond|claim|tell|report|pretend)\b",
        "ignore ignoring disregard forget skip",
    ),
    _rule(
        "forget_that",
        r"^[^\w\n]*(?:actually,? |ok,? |now,? )?(?:forget|never ?mind|disregard|ignore) (?:about )?(?:that|all that|all this|everything|what (?:i|you|they)|all those"
        r"|the (?:rules|above|previous))\b[^\n]{0,60}\b(?:can you|tell me|give me|what|where|who|how|you are|from now)\b",
        "forget nevermind never disregard ignore", "input",
    ),
    _rule(
        "planted_saying",
        r"\b(?:let's|let us|we (?:might|could|should|must|will)|please|you must|and|must|imagine a (?:scenario|world) where we)\b[^.!?\n]{0,30}?\b"
        r"(?:state|say|assume|admit|output|print)\b[^.!?\n]{0,12}(?:\bthat\b|\bthe (?:sum|answer|conclusion|output|capital|result|following)\b|: ?[\"'A-Z])",
        "state say assume admit output print", "pasted",
    ),
    _rule(
        "persona",
        r"\b(?:you are (?:now|no longer)|you're now|act as|act like|pretend (?:to be|you are|that you are)|from now on,? you|roleplay as|role-play as"
        r"|take on the role of|simulate)\b[^.!?\n]{0,60}\b(?:ai|assistant|chat ?bot|model|dan|unrestricted|jailbroken|developer mode|god|admin"
        r"|without (?:any )?(?:restrictions|rules|limits|filters?)|uncensored|unfiltered|no (?:rules|restrictions|limits|filters?))\b",
        "you act pretend now roleplay role simulate",
    ),
    _rule(
        "mode",
        r"(?<![<\[{(*])[<\[{(*]++ ?/?\\?(?:now )?(?:entering |begin )?(?:system|developer|debug|admin|god|override|security override|maintenance|root)[ _-](?:mode|override|prompt"
        r"|message)\b|\b(?:developer|debug|god|dan|jailbreak|override|system|admin\w*|maintenance|sudo|unrestricted|opposite) mode\b[^.!?\n]{0,30}\b"
        r"(?:on|enabled|activated|active|engaged|entered|is|output)\b|\b(?:enter|enable|activate|switch to|entering)\b[^.!?\n]{0,20}\b(?:developer|debug|god|dan|jailbreak"
        r"|admin\w*|override|system|maintenance|unrestricted)[ _]mode\b|\b(?:system|developer|security|data|training)\b[^.!?\n]{0,16} override\b",
        "mode override system_mode prompt message",
        unless=_BY_ONESELF,
    ),
    _rule(
        "reveal",
        r"\b(?:reveal|print|repeat|show|output|disclose|leak|send|tell|give|share|what (?:is|are|was|were)|write)\b[^.!?\n]{0,40}\b(?:system prompt"
        r"|hidden (?:prompt|instructions)|initial (?:prompt|instructions)|(?:your|secret) (?:instructions|prompt|rules|guidelines)|conversation history|chat history|api keys?"
        r"|(?:words|text|everything) above|your (?:\w+ )?(?:password|passcode|passphrase|secret)|secret (?:key|word|code|phrase))\b",
        "prompt instructions history key keys above password passcode passphrase secret rules guidelines",
    ),
    # A manual shows, prints and outputs databases.
    _rule(
        "reveal_database",
        r"\b(?:reveal|print|repeat|show|output|disclose|leak|send|tell|give|share|what (?:is|are|was|were)|write)\b[^.!?\n]{0,40}"
        r"\byour (?:\w+ )?database\b",
        "database", "input",
    ),
    _rule(
        "user_data",
        r"\b(?:where|how old|when|what|which|who|tell me|give me|share|encode|translate|write|describe|the user's)\b[^.!?\n]{0,50}\bthe (?:current )?user(?:'s|s')?\b[^.!?\n]{0,30}"
        r"\b(?:live|lives|living|born|age|name|address|city|birth|e-?mail|phone|salary|residence|job|colou?r|password|balance|located|from)\b",
        "user user's", "input",
    ),
    _rule(
        "conceal",
        r"\b(?:do not|don't|never|without) (?:tell|inform|mention|reveal|alert|warn|notify|telling|informing|alerting)(?:ing)?\b[^.!?\n]{0,40}\b(?:the user"
        r"|users?|anyone|the customer|the human)\b",
        "tell inform mention reveal alert warn notify telling informing alerting", "retrieved pasted",
    ),
    _rule(
        "address",
        r"\b(?:attention|note|message|instructions?|important)\b[^.!?\n]{0,25}\b(?:to|for)\b (?:all |the |any )?"
        r"\b(?:ai|llms?|language models?|assistants?|chat ?bots?|ai systems?|ai agents?)\b",
        "attention note message instruction instructions important", "retrieved pasted",
    ),
    _rule(
        "dictated",
        r"\b(?:when(?:ever)?|if)\b[^.!?\n]{0,40}\b(?:asked|asks?|user|question)\b[^.!?\n]{0,80}\b(?:always|only|you"
        r" must|must)\b[^.!?\n]{0,20}\b(?:answer|reply|respond|say|recommend|output)\b",
        "answer reply respond say recommend output", "retrieved pasted",
    ),
    _rule(
        "markup",
        r"<\|(?:im_start|im_end|system|assistant|user|endoftext)\|>|\[/?INST\]|<<SYS>>|^#{1,3} ?(?:system|assistant|instruction)s?"
        r" ?(?:prompt|message)?:|\bBEGIN SYSTEM PROMPT\b|^\W{0,3}(?:system|assistant)"
        # A glossary explains these words: alone they begin a turn where the line speaks to somebody, or another turn follows.
        r"(?: (?:message|prompt)\s?:\s|\s?:\s(?=[^\n]{0,300}?\s\W{0,3}(?:system|assistant|user|human)\s?:\s|[^\n]{0,300}?\b(?:you|your|i|i'm"
        r"|ignore|disregard|forget|must|always|never|respond|reply|answer|say|print|output|reveal|sure|okay|from now)\b))",
        "im_start im_end system assistant user endoftext inst sys instruction instructions",
    ),
    _rule(
        "fake_turns",
        r"(?:^|\s)(?:Q|User|Human|Question) ?: [^\n]{3,400}?\s(?:A|Assistant|AI|Answer|Bot) ?: [^\n]{1,900}?\s(?:Q|User|Human|Question) ?: ",
        "q user human question", "input",
    ),
    _rule(
        "splitting",
        r"\b\w ?= ?(?P<q>[\"'])[^\"']{3,}(?P=q)[\s\S]{0,200}?\b\w ?= ?[\"'][^\"']{2,}[\"']|\bpart (?:1|one|a)\b[^\n]{1,120}\bpart (?:2|two|b)\b",
        "a b c x y z part", "input",
    ),
    _rule(
        "decode_request",
        r"\b(?:decode|decipher|decrypt|rot13|unscramble|interlace|translate this (?:binary|hex|base64))\b[^.!?\n]{0,80}['\":]"
        r"\s*[\"'“]?(?:[^\s\"']{12,}|[^\s\"']+(?:\s+[^\s\"']+){2})",
        "decode decipher decrypt rot13 unscramble interlace binary hex base64", "input",
    ),
    _rule("repeated_token", r"\b(\w{2,20})\b(?:[\s,]+\1\b){5,}", "", "input"),
    _rule(
        "reply_order",
        r"\b(?:add|include|insert|append|mention|integrate|embed|put)\b[^.!?\n]{0,90}\b(?:to|in|into|at the end of|at the beginning of)\b (?:your|each|every) "
        r"(?:\w+ )?(?:answer|reply|replies|response|output|summary|message)s?\b|\b(?:in|within|at the end of) your (?:\w+ )?(?:response|reply|output|answer), ",
        "answer reply replies response output summary message answers responses", "retrieved pasted",
    ),
    _rule(
        "exfiltrate",
        r"!\[[^\]]{0,500}\]\((?>https?://[^)\s]{0,2000}?(?:\{|%7b|<))[^)]{0,2000}\)|\b(?:send|forward|post|upload|e-?mail|transmit)\b[^.!?\n]{0,60}\b(?:conversation|chat"
        r"|password|credentials|api key|user's|customer data|employee data|credit card)\w*+[^.!?\n]{0,40}\b(?:to|at)\b \S{0,200}?(?:@|://|www\.)",
        "send forward post upload mail email e transmit http https",
    ),
    *(
        _rule(
            f"override_{language}",
            rf"(?:{verbs}){_near(nouns)}|(?:{nouns}){_near(verbs)}",
            _stems(verbs),
            is_exact=False,
            unless=_BY_ONESELF_FOREIGN,
        )
        for language, (verbs, nouns) in OVERRIDES.items()
    ),
    *(
        _rule(f"{name}_{language}", pattern, frozenset(words.split("|")), is_exact=False)
        for name, by_language in FOREIGN.items()
        for language, (words, pattern) in by_language.items()
    ),
    _rule(
        "secret_foreign",
        rf"(?:{YOURS}).{{0,12}}(?:{SECRET_WORDS})|^{NOT_MINE}.{{0,60}}(?:{SECRET_WORDS})\w{{0,3}}(?:은 무엇입니까|는 무엇입니까|は何ですか|は何|是什么|是什麼|क्या है)?\s?[?？]*$",
        SECRET_WORDS.replace("mot de passe", "passe").replace("parola d'ordine", "parola").replace("كلمة المرور", "المرور").replace("kata sandi", "sandi").replace("|", " "),
        "input", is_exact=False,
    ),
)  # fmt: skip


def matches_in(decodings: Sequence[Decoding], zones: frozenset[str]) -> Iterator[Match]:
    """Every rule of the zones that matches a view, once."""
    seen: set[str] = set()
    for decoding, rule in _tried(decodings, zones):
        if rule.id not in seen:
            for match in islice(_matches(rule, decoding, zones), 1):
                seen.add(rule.id)
                yield match


def every_match(decodings: Sequence[Decoding], zones: frozenset[str], *, most: int) -> Iterator[Match]:
    """Every place at which a rule of the zones matches, at most so many of each rule in each view.

    Views of the whole text hold again what the text as written holds: of them only what is more than that counts.
    """
    written: Counter[str] = Counter()
    for decoding, rule in _tried(decodings, zones):
        found = list(islice(_matches(rule, decoding, zones), most))
        if decoding.kind == "written":
            written[rule.id] = len(found)
        elif decoding.kind in _WHOLE_VIEWS:
            found = found[written[rule.id] :]
        yield from found


def _tried(decodings: Sequence[Decoding], zones: frozenset[str]) -> Iterator[tuple[Decoding, Rule]]:
    """Each view with the rules of which it has a word."""
    for decoding in decodings:
        folded = decoding.text.casefold()
        words = set(_WORDS.findall(folded))
        for rule in RULES:
            if rule.zones & zones and _may_match(rule, words, folded):
                yield decoding, rule


def _matches(rule: Rule, decoding: Decoding, zones: frozenset[str]) -> Iterator[Match]:
    is_input = "input" in zones
    for found in rule.pattern.finditer(decoding.text):
        start, end = found.start(), found.end()
        if not (_is_of_oneself(rule, decoding, start) if is_input else _is_quoted(decoding, start)):
            yield Match(rule.id, *decoding.span(start, end), is_disguised=decoding.kind != "written")


def _may_match(rule: Rule, words: set[str], folded: str) -> bool:
    if not rule.words:
        return True
    if rule.is_exact:
        return not words.isdisjoint(rule.words)
    return any(word in folded for word in rule.words)


def _is_of_oneself(rule: Rule, decoding: Decoding, start: int) -> bool:
    """Whether the speaker asks about his own actions; in a document nobody does."""
    before = decoding.text[max(0, start - _PREFIX_CHARS) : start]
    return rule.unless is not None and bool(rule.unless.search(before))


def _is_quoted(decoding: Decoding, start: int) -> bool:
    return bool(_QUOTED.search(decoding.text[max(0, start - 3) : start]))
