"""User names behind a word for one. Names of a system's own accounts, of variables and of packages are nobody's."""

import re
from collections.abc import Iterator

from ingestion.scrub.forms import Span
from ingestion.scrub.labels import values_in

_NAMES = (
    r"user[ _-]?(?:name|id)|log-?in(?:[ _-]?name)?|screen[ _-]?name|nick(?:[ _-]?name)?|handle|benutzer(?:name|kennung)|nutzername|anmeldename"
    r"|kennung|nom d'utilisateur|identifiant|pseudo|(?:nombre de )?usuario|nome utente|(?:nome de )?(?:usu[áa]rio|utilizador)|gebruikersnaam"
    r"|användarnamn|bruker(?:navn|namn)|brugernavn|käyttäjä(?:nimi|tunnus)|nazwa użytkownika|uživatelské jméno|felhasználónév"
    r"|kullanıcı adı|όνομα χρήστη|имя пользователя"
)
_STEMS = (
    "user", "log", "name", "nick", "handle", "kennung", "utilis", "identifiant", "pseudo", "usu", "utente", "utilizador", "gebruikers", "använd",
    "bruker", "bruger", "käyttäjä", "użytk", "uživatel", "felhasz", "kullanıcı", "χρήστη", "пользоват",
)  # fmt: skip
_IS = r"(?:\s{0,3}[:=]|\s(?:is|was|ist|lautet|war|est|es|era|è|é|är|er|to|je)(?=\s))"
_NAMED = re.compile(
    rf"(?i:(?<![^\W_])(?:{_NAMES})(?![^\W_])[\"']?{_IS})"
    r"\s{0,3}[\"'`„“]?(?P<value>@?[A-Za-zÀ-ž][\w.-]{2,31})(?![\w@(/\\:=$%<>\[{]|[.-]\w)"
)
_SOCIAL = (
    r"(?:on )?(?:twitter|x|instagram|insta|mastodon|bluesky|threads|tiktok|telegram|discord|snapchat|reddit|youtube|linkedin|skype|signal|steam)"
    r"(?:[ -](?:handle|account|profile|name|user|konto|profil|compte|cuenta|conta))?"
    r"|follow(?:s|ed|ing)?(?: (?:me|us|him|her|them))?|dm|tweet(?:s|ed)?(?: (?:to|by|from|at))?|tagged|ping(?:ed)?|cc|hi|hey|hello|thanks|folge\w*|suivez|s[ií]gueme"
)
_SOCIAL_STEMS = (
    "twitter", "x", "insta", "mastodon", "bluesky", "threads", "tiktok", "telegram", "discord", "snapchat", "reddit", "youtube", "linkedin",
    "skype", "signal", "steam", "follow", "dm", "tweet", "tagged", "ping", "cc", "hi", "hey", "hello", "thanks", "folge", "suivez", "gueme",
)  # fmt: skip
_HANDLE = re.compile(
    rf"(?i:(?<![^\W_])(?:{_SOCIAL})(?![^\W_])[\s:(,-]{{1,3}}(?:(?:is|as|at|on|to|via|ist|als|est|es|è)\s)?)(?P<value>@\w{{3,30}}(?:\.\w{{2,30}})?)(?![\w@/(-]|[.]\w)"
)
_NOBODYS = re.compile(
    r"(?i:your|my[-_.]|the[-_.]|new|user|some|test|demo|example|sample|default|admin|root|guest|gast|anonym|postgres|mysql|oracle|www|nobody|daemon"
    r"|system|service|svc|git|ftp|http|db|database|ldap|sa\b|current|session|pg_|sys|nt |string|text|varchar|null|none|true|false|required|optional"
    r"|benutzer|nutzer|name\b|login|username|e?mail\b|override|param|returns?|property|media|import|todo|see|deprecated|app|api|host|all\b|everyone|here\b|channel\b)"
)


def user_names_in(text: str) -> Iterator[Span]:
    """User names with a digit, a dot or an underscore in them, and handles with an @."""
    for found in values_in(text, _NAMED, _STEMS):
        value = found["value"].rstrip(".-")
        if _NOBODYS.match(value.lstrip("@")) is None and (value[0] == "@" or _is_made(value)):
            yield found.start("value"), found.start("value") + len(value)
    if "@" in text:
        for found in values_in(text, _HANDLE, _SOCIAL_STEMS):
            if _NOBODYS.match(found["value"][1:]) is None:
                yield found.span("value")


def _is_made(value: str) -> bool:
    """Whether it is no word: `kim.lee`, `kim_92`, `klee7`, but no file's name and no version."""
    if re.search(
        r"\.(?:conf|cfg|ini|txt|json|ya?ml|html?|com|org|net|py|js|c|h|sql|sh|log|xml)\Z|\.\d", value
    ):
        return False
    return re.search(r"\d|\w[._]\w", value) is not None and re.search(r"[a-zà-ž]", value) is not None
