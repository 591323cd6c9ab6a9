"""Words by which people speak to a model about itself, in many languages, as features of a part of a prompt.

The embedder knows English; these words say the same of other languages. A cue alone proves nothing: "ignore" and
"instructions" stand in harmless questions too, and the head weighs them together.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
_WORDS = re.compile(r"\w+")
_SPELLED = re.compile(r"[^\W\d_]")
_MANY_CHARS = 2_000
# A trailing hyphen marks the beginning of a word; scripts without spaces are listed apart and found anywhere.
_STEMS: Mapping[str, str] = {
    "drop": (
        "ignor- disregard- forget forgotten overrid- bypass- circumvent- neglect- dismiss- discard- unlearn "
        "disobey- vergiss vergesst vergesse vergessen missacht- umgeh- überspring- verwirf oublie- désobé- "
        "contourn- olvid- descart- desobede- omit- sáltate dimentic- scart- trascur- disobbed- aggir- salta "
        "esque- desconsider- descarte pule contorn- neger- vergeet omzeil- игнорир- забуд- забыть отброс- "
        "пропуст- unut- görmezden zignoruj zapomnij pomiń odrzuć obejdź تجاهل تجاهلي انس اترك تخط"
    ),
    "orders": (
        "instruct- rule rules guideline- directive- direction- prompt prompts command commands order orders "
        "policy policies restriction- constraint- preamble briefing anweisung- vorgabe- regel regeln richtlinie- "
        "befehl- vorschrift- anleitung- consigne- règle- ordre- directiv- commande- instrucc- regla- norma normas "
        "orden órden- directric- istruzion- regole norme ordin- instruç- regras ordens diretriz- instructie- "
        "regels richtlijn- opdracht- bevel- voorschrift- инструкц- правил- указани- команд- приказ- talimat- "
        "kural- yönerge- emir emr- komut- instrukcj- zasad- wytyczn- polece- التعليمات تعليمات تعليماتك قواعد "
        "قواعدك الأوامر أوامر إرشادات إرشاداتك"
    ),
    "before": (
        "previous- prior earlier above before preceding former original initial- begin- began start- top first "
        "bisherig- vorherig- oben obig- zuvor vorher anfang précéden- dessus avant premi- anterior- arriba antes "
        "primer- preceden- sopra prima acima inici- eerder- hierboven boven voorgaand- предыдущ- выше прежн- "
        "перед начал- önceki yukarı- üstündeki ilk poprzedn- powyżej powyższ- wcześniej- السابقة أعلاه فوق قبل "
        "يسبق"
    ),
    "tell": (
        "reveal- print- show- repeat- output- tell- give- recite- disclos- leak- expos- quot- paste- dump- echo- "
        "display- spell- zeig- nenn- verrat- wiederhol- druck- gib sag- ausgeb- buchstabier- montr- donn- révèl- "
        "répèt- affich- imprim- dis épell- recopie- muéstr- dame revel- repit- dime deletre- enseñ- mostra- dammi "
        "rivel- ripet- stamp- dimmi mostre- diga- dê repita soletr- toon geef onthul- herhaal vertel- покаж- дай "
        "раскрой повтор- скажи напечат- выведи göster- ver açıkla- tekrarla- yazdır- söyle- pokaż- podaj ujawnij "
        "powtórz wydrukuj zdradź أخبرني أظهر اكشف كرر اطبع أعطني"
    ),
    "secret": (
        "secret- password- passwd passphrase passcode passkey hidden confidential- credential- token tokens "
        "classified undisclosed configuration geheim- passwort- kennwort- codewort vertraulich- versteckt- "
        "konfiguration caché- confidentiel- contraseñ- clave claves ocult- confidencial- chiave segret- nascost- "
        "riservat- senha- chave secreta- wachtwoord- verborgen vertrouwelijk- sleutel парол- секрет- тайн- скрыт- "
        "конфиденц- ключ- şifre- gizli anahtar- parola hasł- tajn- ukryt- poufn- klucz- السر السرية سري المرور "
        "المخفية"
    ),
    "model": (
        "ai chatbot chatbots bot llm gpt chatgpt assistant model system systemprompt jailbreak- ki systeem- "
        "système- sistema ia systemu systém система- системн- ии sistem yapay النظام الذكاء روبوت openai"
    ),
    "lawless": (
        "unrestrict- unfilter- uncensor- unlimit- illegal- unethical- immoral- amoral- jailbr- freed lawless "
        "unbound evil filterlos zensur- censur- illégal- ilegal- illegale- цензур- незакон- sansür- cenzur- رقابة"
    ),
    "limits": (
        "restrict- filter- limit- ethic- moral- censor- guardrail- safety safeguard- polic- boundar- disclaimer- "
        "norms einschränk- filter grenze- ethik moral limite- éthique restriction- filtre- límite- ética filtro- "
        "restricc- etica limiti restrizion- limites restriç- beperking- grens огранич- фильтр- этик- морал- "
        "sınır- kısıtlama- etik ogranicz- etyk- قيود قيودك حدود مرشحات أخلاق"
    ),
    "without": (
        "without no never nothing free kein- ohne nie niemals sans aucun- jamais sin ningun- nunca senza nessun- "
        "mai sem nenhum- zonder geen nooit без никогда asla bez nigdy بلا بدون"
    ),
    "act": (
        "pretend- roleplay- act acts imagine- simulat- character persona play- role spiel- rolle stell fais joue- "
        "rôle finge- imagina- actúa papel fingi immagina- interpret- ruolo finja- atue doe speel- rol представь "
        "притвор- сыграй роль rolü udawaj wyobraź zagraj تظاهر تخيل دور"
    ),
    "now": (
        "now henceforth onwards immediately ab jetzt désormais maintenant ahora desde adesso ora agora partir "
        "vanaf nu теперь сейчас момента artık şu teraz odtąd الآن"
    ),
    "you": (
        "you your yours yourself du dein- dich dir deine- tu te ton tes toi votre vos usted tus ti eres tuo tua "
        "tue tuoi você seu sua seus suas teu je jouw jij ты твой твои тебя тебе свои свой свою вы sen sana senin "
        "twoj- twój swoj- swój أنت"
    ),
    "me": (
        "i me my mine we our us ich mir mein- wir unser- moi mon ma mes nous mi mis yo nosotros io mio mia miei "
        "noi eu meu minha nós ik mijn wij ons я мой мне меня мы ben bana benim ja mnie mój moja أنا"
    ),
    "others": (
        "users user customers customer clients client nutzer- kunde kunden nachbar- utilisateur- voisin- usuario- "
        "cliente- vecino utent- clienti vicino utilizador- vizinho gebruiker- klant- buurman пользовател- клиент- "
        "сосед- kullanıcı- müşteri- komşu- użytkownik- klient- sąsiad- العملاء المستخدمين"
    ),
    "mode": "mode modes modus modo modalità режим- mod moda modunda tryb trybie tryb- وضع",
    "boss": (
        "developer- administrator- admin creator owner operator- authorised authorized clearance entwickler- "
        "betreiber développeur- créateur propriétaire desarrollador- dueño creador sviluppator- proprietario "
        "creatore programador dono criador ontwikkelaar- beheerder eigenaar разработчик- администратор- владел- "
        "geliştirici- yönetici- sahibi programist- właścicie- مطور مطورك مدير"
    ),
    "crime": (
        "bomb- weapon- drug drugs hack- malware virus poison- steal- forge- launder- murder- kill- explosiv- "
        "crime- criminal- bombe- waffe- knack- espion- pirat- crochet- bomba- arma armas hackear forzar spiare "
        "scassin- espiar arromb- взлом- бомб- вирус- virüs- włam- قنبلة فيروس أخترق"
    ),
}
_PARTS: Mapping[str, str] = {
    "drop": "忽略 忘记 忘掉 无视 不要理会 绕过 抛开 無視 忘れ 破棄 従わない 무시 잊 따르지",
    "orders": "指令 规则 要求 命令 提示 准则 指示 ルール 規則 ガイドライン 지시 규칙 명령 지침",
    "before": "之前 上面 以上 先前 开头 これまで 以前 上の 前の 最初 より上 이전 위의 앞에 처음",
    "tell": "告诉 显示 透露 重复 打印 输出 列出 教えて 見せて 明かし 繰り返 出力 書き出 알려 보여 공개 반복 출력",
    "secret": "秘密 密码 密钥 暗号 隐藏 保密 机密 パスワード 秘密鍵 合言葉 機密 隠され 비밀 암호 숨겨진 기밀",
    "model": "人工智能 系统 机器人 システム 人工知能 ロボット 시스템 인공지능 로봇",
    "limits": "限制 过滤 道德 审查 制限 フィルター 検閲 道徳 제한 필터 도덕 검열",
    "without": "没有 不受 从不 のない しない 断らない 없는 절대",
    "act": "扮演 假装 假设 想象 ふり 想像 なって 役 척해 역할 상상",
    "now": "现在 从现在起 今から これから 지금",
    "you": "你 您 あなた 君 너 당신",
    "me": "我 私 僕 나는 내 제 저",
    "others": "其他用户 所有客户 上一位客户 他のユーザー 顧客 前のお客 다른 사용자 고객",
    "mode": "模式 モード 모드",
    "boss": "开发者 管理员 创造者 開発者 管理者 所有者 개발자 관리자 주인",
    "crime": "炸弹 病毒 盗取 撬锁 爆弾 ウイルス 乗っ取 폭탄 바이러스 해킹",
}
CUES = tuple(_STEMS)
_NAMES = {name: number for number, name in enumerate(CUES)}


def _listed(words: Mapping[str, str], *, is_stem: bool) -> dict[str, tuple[int, ...]]:
    found: dict[str, set[int]] = {}
    for name, listed in words.items():
        for word in listed.split():
            if word.endswith("-") is is_stem:
                found.setdefault(word.rstrip("-"), set()).add(_NAMES[name])
    return {word: tuple(sorted(cues)) for word, cues in found.items()}


_WHOLE = _listed(_STEMS, is_stem=False)
_BEGINNINGS = _listed(_STEMS, is_stem=True)
_LENGTHS = tuple(sorted({len(stem) for stem in _BEGINNINGS}))
_ANYWHERE = _listed(_PARTS, is_stem=False)
# Pairs that mean more when they stand within a few words of each other, in either order.
_NEAR = 6
_PAIRS = tuple(
    (_NAMES[a], _NAMES[b])
    for a, b in (
        ("drop", "orders"),
        ("tell", "orders"),
        ("tell", "secret"),
        ("orders", "before"),
        ("tell", "before"),
        ("without", "limits"),
        ("act", "lawless"),
        ("you", "orders"),
        ("you", "limits"),
        ("tell", "others"),
    )
)
WIDTH = len(CUES) + len(_PAIRS) + 8


def attack_features(texts: Sequence[str]) -> Floats:
    """Features of wording in many languages and of form, shape `(len(texts), WIDTH)`."""
    return np.array([_features(text) for text in texts], np.float32).reshape(len(texts), WIDTH)


def _features(text: str) -> list[float]:
    lowered = text.lower()
    places = _places(lowered)
    if not lowered.isascii():
        for part, cues in _ANYWHERE.items():
            at = lowered.find(part)
            if at >= 0:
                for cue in cues:
                    places[cue].append(at // 2)
        for own in places:
            own.sort()
    near = [float(_are_near(places[first], places[second])) for first, second in _PAIRS]
    return [*(float(bool(own)) for own in places), *near, *_form(text)]


def _are_near(one: Sequence[int], other: Sequence[int]) -> bool:
    """Whether a place of one is within a few words of one of the other; both are in order."""
    a = b = 0
    while a < len(one) and b < len(other):
        if abs(one[a] - other[b]) <= _NEAR:
            return True
        if one[a] < other[b]:
            a += 1
        else:
            b += 1
    return False


def _places(lowered: str) -> list[list[int]]:
    """For each cue the numbers of the words that show it."""
    places: list[list[int]] = [[] for _ in CUES]
    for number, word in enumerate(_WORDS.findall(lowered)):
        for cue in _cues_of(word):
            places[cue].append(number)
    return places


def _cues_of(word: str) -> Iterator[int]:
    yield from _WHOLE.get(word, ())
    for length in _LENGTHS:
        if length > len(word):
            break
        yield from _BEGINNINGS.get(word[:length], ())


def _form(text: str) -> list[float]:
    """Length, capitals, other scripts, digits, marks, repetition."""
    some = text[:_MANY_CHARS]
    count = max(len(some), 1)
    letters = _SPELLED.findall(some)
    upper = sum(letter.isupper() for letter in letters) / max(len(letters), 1)
    foreign = sum(not letter.isascii() for letter in letters) / max(len(letters), 1)
    words = some.split()
    commonest = Counter(some.replace(" ", "")).most_common(1)
    return [
        min(np.log1p(len(text)) / 7, 1.0),
        upper if len(letters) > 3 else 0.0,
        foreign,
        sum(letter.isdigit() for letter in some) / count,
        1 - (len(letters) + some.count(" ")) / count,
        commonest[0][1] / count if commonest else 0.0,
        1 - len(set(words)) / max(len(words), 1),
        float(text.rstrip(" \"'”’)»」").endswith(("？", "؟")) or "¿" in text),
    ]
