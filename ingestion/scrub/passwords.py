"""Passwords as people write them: a value behind `password is` or `Passwort:`, unless it is a word of the sentence.

A manual says much of passwords that tells none: that one is required, too short, stored, or `admin` when the device is new.
"""

import re
from collections.abc import Iterator

from ingestion.scrub.forms import Span
from ingestion.scrub.labels import values_in

_NAMES = (
    r"pass ?(?:word|code|phrase)|passwd|pwd|(?:pass|kenn|zugangs)wort|mot de passe|mdp|contrase[nñ]a|clave(?: de acceso)?|senha|palavra-passe"
    r"|parola d'ordine|parola|wachtwoord|lösenord|passord|adgangskode|kodeord|salasana|hasło|heslo|jelszó|şifre(?:m|si)?|парол[ья]|κωδικός"
    r"|パスワード|密码|密碼|비밀번호"
)
_STEMS = (
    "pass", "pwd", "wort", "mdp", "contrase", "clave", "senha", "parola", "wachtwoord", "lösenord", "adgangskode", "kodeord", "salasana",
    "hasło", "heslo", "jelszó", "şifre", "парол", "κωδικός", "パスワード", "密码", "密碼", "비밀번호",
)  # fmt: skip
_IS = r"is|was|ist|lautet|war|est|[ée]tait|es|era|[ée]|foi|è|to|on|är|er|je|:|=|：|は|是"
_LONGEST = 64
_SIGN = r"[^\s\"'`“”„«»<>{}\[\]$*|]"
_REST = re.compile(f"{_SIGN}*")
_SECRET = re.compile(
    rf"(?i:(?<![^\W_])(?P<whose>(?:my|our|his|her|their|mein|unser|ihr|mon|notre|mi|nuestra|minha|mia|mijn|mitt|min|mit|moje|moja|mé|şifrem)"
    rf"\s{{1,3}}(?:(?:new|old|wifi|wi-fi|wlan|neues|nouveau|nueva|nova|nuova|nieuwe|nya|nye)\s{{1,3}})?)?(?P<name>{_NAMES})(?![^\W_])"
    r"(?:\s{1,3}(?:for|of|to|für|de|do|da|voor|för|til|pour|para|per)\s[\w.@-]{1,30}(?:\s[\w.@-]{1,30})?)?"
    rf"[\"']?\s{{0,3}}(?P<is>{_IS})(?:\s{{1,3}}(?:now|jetzt|maintenant|ahora|agora|nu|still|again))?(?:\s{{0,3}}[:=]|(?<=[:=：は是])|(?=[\s\"'])))"
    rf"\s{{0,3}}(?P<quote>[\"'`“„«]?)(?P<value>{_SIGN}{{4,{_LONGEST}}})"
    r"(?=(?P<close>[\"'`”“»]?)(?P<next>[^\n]{0,24}))"
)
_FACTORY = re.compile(
    r"(?:default|initial|factory|standard|vorgegebene\w*|werks\w*|défaut|inicial|padrão|predefinit\w|predeterminad\w|example|sample|beispiel)"
    r"[\w-]{0,8}[\s-]{0,3}\Z",
    re.IGNORECASE,
)
# Words, signs and names of methods that stand behind `password:` and are none.
_PLACEHOLDER = re.compile(
    r"(?i:your|my[-_]|the[-_]|new[-_]?pass|db[-_]|user|some|enter|change[-_]?me|pass(?:word|wort)?\b|password|passwd|kennwort|x{3,}|\.{3,}|_{2,}|-{2,}"
    r"|%|\\|/|\(|https?:|www\.|sha-?\d|md[245]|aes|rsa|[23]?des\b|utf-?\d|base\d\d|bcrypt|scrypt|pbkdf|argon|oauth|wpa|wep|ntlm|pkcs|ldap|scram|crypt"
    r"|ssha|hmac|ascii|latin\d|iso-?\d|x\.?509|802\.|tls|ssl|v\d|\d+[-–]?\w{0,3}-?(?:char|zeichen|stellig|digit|bit|car[aá]ct|byte)"
    r"|(?:null|none|true|false|nil|undefined|string|text|varchar|char|bytes?|str|int|bool\w*|required|optional|n/?a|yes|no)\b)"
)
_DIGIT, _LETTER = re.compile(r"\d"), re.compile(r"[^\W\d_]")
_ODD_SIGN = re.compile(r"[!@#%^&+?~]")
# Whatever else a sentence may say of its password.
_WORDS = frozenset(
    """a about above accepted active again all allowed also always an and any as asked at available back bad based because before being
    below better between blank blocked both broken but by cached case changed checked common complex compromised confidential considered
    correct created current default denied different disabled easy either empty encrypted ends enough entered every exactly expired fine
    for forgotten from generated given gone good hard hashed here hidden if important in included incorrect insecure instead invalid it its
    just kept known leaked left less like locked long longer lost made mandatory masked missing more most much must my near needed neither
    never new next nil no none normally not nothing now off often ok old on once one only open optional or our out outdated over part plain
    plaintext possible private protected public quite random rather ready refused rejected required right safe same saved secret secure
    sensitive sent set shared short shown simple simply so somebody something stale still stolen stored strong such sure taken temporary
    that the their then there this through to too transmitted true typed unchanged under unique unknown unsafe until up used useless usually
    valid very via visible weak what when where which with within without working written wrong yes yet you your
    abgelaufen aber allen als am an auch auf aus bei bekannt bereits das dass dem den der des die dies ein eine einem einen erforderlich
    falsch für geheim gleich gültig hier im immer in jetzt kein keine leer mindestens mit nach nicht noch nur oder richtig schon schwach
    sehr sicher so stark und ungültig unsicher unter verschlüsselt vergessen vom von vor weg wichtig wie wird wurde zu zum zur zwingend
    au aussi avec bien bon ce changé chiffré correct dans de des du déjà en encore erroné expiré faible faux incorrect invalide la le les
    mauvais même ne non nécessaire obligatoire oublié pas perdu plus pour protégé que requis sans secret sur sécurisé toujours trop très
    un une valide vide al algo aquí bien cifrada como con correcta de débil del demasiado distinta el errónea esta expirada fuerte igual
    incorrecta la las lo los mala misma muy más necesaria no nueva obligatoria para pero por privada que requerida secreta segura si sin
    siempre también un una vacía válida ainda com correta da do em errada forte fraca incorreta inválida já mais mesma muito na necessária
    no não obrigatória os para que secreta segura sem também um uma vazia válida alla anche che con corretta debole della di errata già
    molto necessaria nel non obbligatoria per più scaduta segreta sempre sicura stata troppo una vuota vergeten fout juist niet onjuist
    verplicht vereist verlopen het een geen te fel rätt inte för krävs feil riktig ikke forkert nødvendig stem""".split()
)
_ENDINGS = (
    "ed",
    "ing",
    "ble",
    "ive",
    "ous",
    "less",
    "ful",
    "ly",
    "bar",
    "lich",
    "iert",
    "pflichtig",
    "ant",
    "ado",
    "ada",
    "ato",
    "ata",
    "oire",
)
_CLAUSE_END = re.compile(
    r"[.,;!?)]|\s{0,3}\Z|\s(?:and|but|or|und|aber|et|mais|y|pero|e|mas|ma|en|maar|och|og|i|a)\s"
)
_ALONE = re.compile(r"[.,;!?)]?\s{0,3}\Z")
_ACCOUNT = re.compile(
    r"(?i:user|login|log-?in|account|benutzer|konto|e-?mail|mail|identifiant|usuario|usuário|utente|gebruiker|wi-?fi|wlan|ssid|netzwerk|network)"
)
_BEFORE_CHARS = 80
_SHORTEST_WORD = 5


def passwords_in(text: str) -> Iterator[Span]:
    """The values that are secrets: odd ones anywhere, plain words in quotes or where somebody speaks of an account."""
    read = 0
    for found in values_in(text, _SECRET, _STEMS):
        if found.start() < read:
            continue
        value = found["value"].rstrip(".,;:!?)")
        before = text[max(0, found.start() - _BEFORE_CHARS) : found.start()]
        if len(value) >= 4 and not _FACTORY.search(before) and _is_secret(value, found, before):
            start = found.start("value")
            if len(found["value"]) == _LONGEST:
                # The rest of a long value, which may hold a key that is one only where it begins a word.
                read = _REST.match(text, start).end()  # type: ignore[union-attr]
                yield start, read
                continue
            # A sign at the end of an odd value may be its own or the sentence's; neither says anything to a reader.
            yield start, start + len(found["value"].rstrip(".,;:)") if _ODD_SIGN.search(value) else value)


def _is_secret(value: str, found: re.Match[str], before: str) -> bool:
    if _PLACEHOLDER.match(value) or len(set(value)) < 2:
        return False
    if _is_odd(value):
        return True
    if found["is"] == "=":
        return False
    rest = found["value"][len(value) :] + found["next"]
    if value.isdecimal():
        return _CLAUSE_END.match(rest) is not None and (found["whose"] is not None or ":" in found[0])
    if found["quote"] and found["close"]:
        return value.isalpha() and not _is_word(value)
    return (
        value.isalpha()
        and len(value) >= _SHORTEST_WORD
        and not _is_word(value)
        and _is_told(found, before, rest)
    )


def _is_odd(value: str) -> bool:
    """Whether it mixes letters and digits, or has a sign that no word has."""
    letters = _LETTER.search(value) is not None
    return (
        letters
        and (_DIGIT.search(value) is not None or _ODD_SIGN.search(value) is not None)
        and "://" not in value
    )


def _is_word(value: str) -> bool:
    small = value.lower()
    return small in _WORDS or small.endswith(_ENDINGS)


def _is_told(found: re.Match[str], before: str, rest: str) -> bool:
    """Whether somebody tells a password: it is somebody's, or stands alone behind the name of an account."""
    if found["whose"]:
        return _CLAUSE_END.match(rest) is not None
    return (
        found["is"] in (":", "：") and _ACCOUNT.search(before) is not None and _ALONE.match(rest) is not None
    )
