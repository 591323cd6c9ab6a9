"""Greetings, thanks and good-byes: what is said in every conversation and no document answers."""

import re
from collections.abc import Sequence

# Whole messages only: "Hi, what does Plus cost?" is a question.
_PHRASES = {
    "en": (
        r"(hi|hello|hey|hiya|howdy|good (morning|afternoon|evening|day))( (there|everyone|all|team))?",
        r"(ok |okay |great |perfect |wonderful )?(many )?(thanks|thank you|thx|ty|cheers)( (so much|very much|a lot|a ton"
        r"|again|for (your|the) help|for helping|that('s| is| was) (all|great|helpful)|that helped))*",
        r"(ok|okay|great|perfect|awesome|nice|cool|good|fine|got it|i see|understood|alright|all right)",
        r"(good ?bye|bye|bye bye|see you|see ya|see you later|have a (nice|good|great) (day|one|evening|weekend))",
        r"(hi |hello |hey )?(how are you|how('s| is) it going|what's up|how do you do)( today| doing)?",
        r"(hi |hello |hey )?(who|what) are you|are you (a |an )?(bot|robot|human|person|real person|ai|machine)",
    ),
    "de": (
        r"(hallo|hi|hey|moin|servus|grüezi|guten (morgen|tag|abend)|grüß (gott|dich))( zusammen)?",
        r"(ok |super |prima )?(vielen dank|danke|dankeschön|danke schön|besten dank|herzlichen dank)"
        r"( (sehr|nochmals|noch mal|für (die|deine|ihre) hilfe))*",
        r"(tschüss|tschüs|auf wiedersehen|bis bald|ciao|schönen (tag|abend)( noch)?)",
        r"(wie geht('s| es)( dir| ihnen)?|wer bist du|wer sind sie|bist du ein (bot|mensch|roboter))",
        r"(ok|okay|alles klar|verstanden|super|prima|gut|passt)",
    ),
    "es": (
        r"(hola|buenas|buenos días|buenas tardes|buenas noches)( a todos)?",
        r"(ok |vale |perfecto )?(muchas gracias|gracias|mil gracias)( por (la|tu|su) ayuda| de nuevo)*",
        r"(adiós|hasta luego|hasta pronto|chao|que tengas un buen día)",
        r"(qué tal|cómo estás|cómo está|quién eres|eres un (bot|robot|humano))( hoy)?",
        r"(vale|perfecto|entendido|genial|de acuerdo)",
    ),
    "fr": (
        r"(bonjour|salut|bonsoir|coucou)( à tous)?",
        r"(merci|merci beaucoup|merci bien)( pour (votre|ton) aide)?|(au revoir|à bientôt|bonne journée)",
        r"(ça va|comment (ça va|allez-vous|vas-tu)|qui es-tu|qui êtes-vous|d'accord|parfait)",
    ),
}
_OF_LANGUAGE = {name: re.compile("|".join(f"(?:{one})" for one in own)) for name, own in _PHRASES.items()}
_SMALL_TALK = re.compile("|".join(f"(?:{one.pattern})" for one in _OF_LANGUAGE.values()))
_EDGES = re.compile(r"^[\W_]+|[\W_]+$")
_SPACES = re.compile(r"[\s,;:!.…]+")
_LONGEST = 80


def is_small_talk(text: str) -> bool:
    """Whether a message is nothing but a greeting, thanks, assent or a good-bye; two of them count too."""
    return _is_said(text, _SMALL_TALK)


def language_of_small_talk(text: str, languages: Sequence[str]) -> str | None:
    """The first of these languages in which a message is small talk; None where it is none in any."""
    known = ((name, _OF_LANGUAGE[name]) for name in languages if name in _OF_LANGUAGE)
    return next((name for name, phrases in known if _is_said(text, phrases)), None)


def _is_said(text: str, phrases: re.Pattern[str]) -> bool:
    if len(text) > _LONGEST:
        return False
    plain = _SPACES.sub(" ", _EDGES.sub("", text.casefold().replace("’", "'")))
    if not plain:
        return False
    if phrases.fullmatch(plain):
        return True
    parts = [part for part in re.split(r"[,;:!?.…]+\s*", text.casefold().replace("’", "'")) if part.strip()]
    return len(parts) > 1 and all(phrases.fullmatch(_EDGES.sub("", part)) for part in parts)
