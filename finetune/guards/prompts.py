"""Prompts that the prompt head learns from, by group: attacks, and what people ask without harm.

Every group draws from random numbers of its own, so that a change in one leaves the others as they were.
"""

import random
from collections.abc import Callable, Mapping, Sequence

from finetune.guards.grammar import expand
from finetune.guards.material import Material, requests
from finetune.guards.people import Sets
from finetune.guards.themes import theme

Groups = Mapping[str, list[str]]
_CUSTOMERS, _FROM_A_SET, _SENTENCES = 3_500, 1_800, 3_000
_MANIPULATION = {"above": 1_200, "secrets": 1_600, "overrides": 1_800, "stories": 2_600}
_PEOPLE = {
    "attackers_words": 2_400,
    "tasks": 2_600,
    "roles": 1_800,
    "formats": 1_600,
    "plain_orders": 1_300,
    "pasted_mails": 900,
    "exercises": 1_300,
    "experts": 1_000,
    "products": 1_200,
    "long": 700,
}
_IN_A_ROW = (
    ("roles", "formats", 500),
    ("roles", "products", 300),
    ("experts", "formats", 500),
    ("products", "formats", 300),
    ("exercises", "formats", 200),
    ("plain_orders", "pasted_mails", 200),
    ("plain_orders", "formats", 200),
    ("attackers_words", "plain_orders", 400),
    ("tasks", "formats", 500),
    ("tasks", "exercises", 400),
)
# What a language is drawn from, for each of its templates.
_ATTACKS_OF_A_TEMPLATE, _QUESTIONS_OF_A_TEMPLATE = 10, 8
_SYMBOLS = (
    "a",
    "!",
    "?",
    "x ",
    "0",
    "@",
    "poem",
    "ok",
    "é",
    "%",
    "A",
    "the",
    "-",
    "你",
    "ж",
    "^",
    "z",
    "1",
    "#",
    "and",
)


def hostile_prompts(seed: int) -> Groups:
    """Prompts that try to get around a model's rules, and parts of longer ones."""
    own = _numbers(seed)
    found = {
        "overrides": theme("jailbreaks").sample("overrides", 3_500, own("overrides")),
        "actions": theme("indirect_injection").sample("unwanted_actions", 500, own("actions")),
        "extraction": theme("extraction").sample("extraction", 3_000, own("extraction")),
        "personas": _times(1_500, _persona_story, own("personas")),
        "machines": _times(2_200, _machine_story, own("machines")),
        "symbols": _times(200, _symbols, own("symbols")),
    }
    for group, count in _MANIPULATION.items():
        found[f"manipulation.{group}"] = theme("manipulation").sample(group, count, own(group))
    for language, templates in theme("foreign_attacks").groups.items():
        count = _ATTACKS_OF_A_TEMPLATE * len(templates)
        found[f"foreign.{language}"] = theme("foreign_attacks").sample(language, count, own(language))
    found["long"] = _times(1_400, _long_story, own("long"))
    rng = own("after a request")
    talk = requests(100, rng)
    found["after_a_request"] = [f"{rng.choice(talk)} {rng.choice(found['overrides'])}" for _ in range(900)]
    return found


def honest_prompts(seed: int, material: Material, sets: Sets, foreign: Sequence[str] = ()) -> Groups:
    """What customers and other people ask, with alarming words too, and sentences that they might paste; `foreign` are such in
    other languages than English."""
    own, benign = _numbers(seed), theme("benign")
    found = {
        "requests": requests(450, own("requests")),
        "alarming": benign.sample("alarming_words", 2_200, own("alarming")),
        "everyday": theme("hard_negatives").sample("everyday", 5_000, own("everyday")),
        "help_pages": benign.sample("help_pages", 700, own("help_pages")),
        "mails": benign.sample("mails", 350, own("mails")),
        "other_questions": list(material.other_questions),
    }
    customers = [text for texts in material.questions for text in texts]
    if customers:
        found["customers"] = own("customers").sample(customers, min(_CUSTOMERS, len(customers)))
    for group, count in _PEOPLE.items():
        found[f"people.{group}"] = theme("people").sample(group, count, own(group))
    for language, templates in theme("foreign_people").groups.items():
        count = _QUESTIONS_OF_A_TEMPLATE * len(templates)
        found[f"foreign.{language}"] = theme("foreign_people").sample(language, count, own(language))
    for name, texts in sets.items():
        found[f"set.{name}"] = own(name).sample(texts, min(_FROM_A_SET, len(texts)))
    found["sentences"] = own("sentences").sample(foreign, min(_SENTENCES, len(foreign)))
    found["in_a_row"] = _in_a_row(found, own("in_a_row"))
    found["many_in_a_row"] = _times(900, lambda rng: _many(found, rng), own("many"))
    return found


def _in_a_row(found: Groups, rng: random.Random) -> list[str]:
    """Two harmless prompts one after the other, and mails of several sentences."""
    pairs = [
        ("requests", "requests", 600),
        ("alarming", "alarming", 800),
        *((f"people.{first}", f"people.{second}", count) for first, second, count in _IN_A_ROW),
    ]
    if "customers" in found:
        pairs += [("customers", "everyday", 700), ("customers", "customers", 500)]
    both = [
        f"{rng.choice(found[first])} {rng.choice(found[second])}"
        for first, second, count in pairs
        for _ in range(count)
    ]
    mails = found["people.pasted_mails"]
    return both + [" ".join(rng.sample(mails, rng.randint(2, 5))) for _ in range(400)]


def _persona_story(rng: random.Random) -> str:
    """One to four sentences about one made-up persona that has no rules."""
    jailbreaks = theme("jailbreaks")
    one_name = jailbreaks.with_slots(name=(rng.choice(jailbreaks.slots["name"]),))
    parts = rng.sample(one_name.groups["personas"], rng.randint(1, 4))
    return " ".join(expand(part, one_name.slots, rng) for part in parts)


def _machine_story(rng: random.Random) -> str:
    """Two to six sentences about one machine or persona without rules, at times with an order at the end."""
    manipulation = theme("manipulation")
    one_name = manipulation.with_slots(name=(rng.choice(manipulation.slots["name"]),))
    parts = rng.sample(one_name.groups["stories"], rng.randint(2, 6))
    if rng.random() < 0.4:
        parts.append(rng.choice(one_name.groups["overrides"]))
    return rng.choice((" ", " ", "\n")).join(expand(part, one_name.slots, rng) for part in parts)


def _long_story(rng: random.Random) -> str:
    """Five to twelve sentences on personas and machines, with harmless sentences of roles and forms among them."""
    name = rng.choice(theme("manipulation").slots["name"])
    jailbreaks = theme("jailbreaks").with_slots(name=(name,))
    manipulation = theme("manipulation").with_slots(name=(name,))
    people = theme("people")
    parts = [expand(one, jailbreaks.slots, rng) for one in rng.sample(jailbreaks.groups["personas"], 3)]
    stories = rng.sample(manipulation.groups["stories"], rng.randint(2, 5))
    parts += [expand(one, manipulation.slots, rng) for one in stories]
    among = [*people.groups["roles"], *people.groups["formats"]]
    parts += [expand(rng.choice(among), people.slots, rng) for _ in range(rng.randint(0, 4))]
    rng.shuffle(parts)
    return rng.choice((" ", " ", "\n")).join(parts)


def _many(found: Groups, rng: random.Random) -> str:
    """Four to ten harmless prompts as one."""
    groups = [own for name, own in found.items() if name.startswith("people.")]
    return rng.choice((" ", "\n")).join(rng.choice(rng.choice(groups)) for _ in range(rng.randint(4, 10)))


def _symbols(rng: random.Random) -> str:
    """One symbol, letter or word very many times, which drives some models out of their rules."""
    one = rng.choice(_SYMBOLS)
    return rng.choice(("", " ")).join([one] * rng.randint(120, 400))


def _numbers(seed: int) -> Callable[[str], random.Random]:
    return lambda group: random.Random(f"{seed}/{group}")


def _times(count: int, make: Callable[[random.Random], str], rng: random.Random) -> list[str]:
    return [make(rng) for _ in range(count)]
