"""Whether a base model and data may be learned from: licences by their SPDX ids, allowed, approved or refused.

It tells what a licence asks for by its name alone and is no lawyer: what it doesn't know waits for a person.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from finetune.lora.recipe import Approval, Licences, Recipe
from finetune.lora.rows import Row
from finetune.yaml_file import TrainingDataError

Outcome = Literal["allowed", "approved", "refused"]
UNKNOWN, INTERNAL = "unknown", "internal"
_NOTHING = frozenset({"", "unknown", "none", "other", "na", "tbd", "unspecified", "null"})
_FILLER = frozenset(
    "the license licence licenses licences version v software public general international".split()
)
_SPDX = {
    "apache2": "Apache-2.0",
    "apache20": "Apache-2.0",
    "asl20": "Apache-2.0",
    "mit": "MIT",
    "expat": "MIT",
    "mitexpat": "MIT",
    "isc": "ISC",
    "0bsd": "0BSD",
    "bsd2": "BSD-2-Clause",
    "bsd2clause": "BSD-2-Clause",
    "2clausebsd": "BSD-2-Clause",
    "simplifiedbsd": "BSD-2-Clause",
    "bsd3": "BSD-3-Clause",
    "bsd3clause": "BSD-3-Clause",
    "3clausebsd": "BSD-3-Clause",
    "newbsd": "BSD-3-Clause",
    "modifiedbsd": "BSD-3-Clause",
    "unlicense": "Unlicense",
    "zlib": "Zlib",
    "pddl": "PDDL-1.0",
    "pddl10": "PDDL-1.0",
    "odcby": "ODC-By-1.0",
    "odcby10": "ODC-By-1.0",
    "odbl": "ODbL-1.0",
    "odbl10": "ODbL-1.0",
    "odcodbl10": "ODbL-1.0",
    "opendatabase": "ODbL-1.0",
    "cdlapermissive10": "CDLA-Permissive-1.0",
    "cdlapermissive20": "CDLA-Permissive-2.0",
    "cdlasharing10": "CDLA-Sharing-1.0",
    "mpl2": "MPL-2.0",
    "mpl20": "MPL-2.0",
    "mozilla20": "MPL-2.0",
    "eupl12": "EUPL-1.2",
    "internal": INTERNAL,
    "internaluse": INTERNAL,
    "internaluseonly": INTERNAL,
}
_GPL = re.compile(r"(gnu)?(a|affero|l|lesser)?gpl(\d)?(\d)?(orlater|\+|only)?")
_GNU_WORDS = {"affero": "a", "lesser": "l", "library": "l"}
_ELEMENTS = {
    "by": "BY",
    "attribution": "BY",
    "nc": "NC",
    "noncommercial": "NC",
    "nd": "ND",
    "noderivatives": "ND",
    "noderivs": "ND",
    "sa": "SA",
    "sharealike": "SA",
}
_SHARE_ALIKE = frozenset({"ODbL-1.0", "CDLA-Sharing-1.0"})
_COPYLEFT = re.compile(r"[al]?gpl|\bmpl-|\beupl-", re.IGNORECASE)
# Names of what must be credited where the adapter is published.
_CREDIT = re.compile(r"CC-BY(?!-N)|ODC-By|ODbL|CDLA|Apache|MIT|BSD|ISC")


@dataclass(frozen=True, slots=True)
class LicenceVerdict:
    """What was decided of one licence. `sources` are those that bring it, `by` the person who approved it."""

    licence: str
    sources: tuple[str, ...]
    outcome: Outcome
    reason: str
    by: str = ""


@dataclass(frozen=True, slots=True)
class LicenceDecision:
    """What was decided of the base model and of all data, and the licence that the adapter has therefore.

    `credits` are licences whose sources must be named where the adapter is published.
    """

    base: LicenceVerdict
    data: tuple[LicenceVerdict, ...]
    adapter: str
    credits: tuple[str, ...]

    @property
    def refusals(self) -> list[str]:
        """A sentence for each refusal, with its source and its remedy."""
        return [one.reason for one in (self.base, *self.data) if one.outcome == "refused"]

    def check(self) -> None:
        """Raise `TrainingDataError` with every refusal."""
        if self.refusals:
            raise TrainingDataError(" ".join(self.refusals))

    def record(self) -> dict[str, Any]:
        """As it stands in a manifest."""
        return asdict(self)


def normalised(name: str | None) -> str:
    """The SPDX id of a licence's usual spelling, as it was written where there is none; `unknown` for no name.

    `CC BY 4.0`, `cc-by-4.0` and the address of the licence's page are all `CC-BY-4.0`.
    """
    written = " ".join((name or "").split())
    words = re.findall(r"[a-z0-9.+]+", written.casefold())
    if found := _creative_commons(words):
        return found
    key = "".join(word for word in words if word not in _FILLER).replace(".", "")
    key = re.sub(r"^spdx|(?<=[a-z])v(?=\d)", "", key)
    if key in _NOTHING:
        return UNKNOWN
    return _SPDX.get(key) or _gnu(words) or written


def _creative_commons(words: Sequence[str]) -> str | None:
    whole = "".join(words)
    if not (words and (words[0] in ("cc", "cc0", "ccby") or "creativecommons" in whole)):
        return None
    if "cc0" in words or "zero" in words or "publicdomain" in whole:
        return "CC0-1.0"
    joined = whole.replace("-", "")
    split = re.findall(r"ccby|noncommercial|noderivatives|noderivs|sharealike", joined)
    parts = {_ELEMENTS[word] for word in (*words, *split) if word in _ELEMENTS} | {"BY"}
    number = next((found[0] for word in words if (found := re.fullmatch(r"v?\d(\.\d)?", word))), "")
    version = number.lstrip("v")
    return "-".join(
        [
            "CC",
            *(part for part in ("BY", "NC", "ND", "SA") if part in parts),
            *([version if "." in version else f"{version}.0"] if version else []),
        ]
    )


def _gnu(words: Sequence[str]) -> str | None:
    kept = [word for word in words if word not in _FILLER]
    if "gnu" in words and "gpl" not in "".join(kept):
        kind = next((_GNU_WORDS[word] for word in words if word in _GNU_WORDS), "")
        kept = [f"{kind}gpl", *(w for w in kept if w not in _GNU_WORDS and w != "gnu")]
    found = _GPL.fullmatch("".join(kept).replace(".", "").replace("gplv", "gpl"))
    if found is None:
        return None
    kind = (found[2] or "")[:1].upper()
    tail = "or-later" if found[5] in ("orlater", "+") else "only"
    return f"{kind}GPL-{found[3]}.{found[4] or 0}-{tail}" if found[3] else f"{kind}GPL"


def by_licence(rows: Iterable[Row]) -> dict[str, list[str]]:
    """Licence by licence the sources of rows. What users and colleagues said in the service has none: it is `internal`."""
    found: dict[str, set[str]] = {}
    for row in rows:
        for source in row.sources:
            is_own = source.kind in ("curated", "event") and not source.licence
            licence = INTERNAL if is_own else normalised(source.licence)
            name = source.kind if is_own else source.supplier or source.id
            found.setdefault(licence, set()).add(name)
    return {licence: sorted(names) for licence, names in sorted(found.items())}


def decide(recipe: Recipe, dataset_licences: Mapping[str, Sequence[str]] | Iterable[str]) -> LicenceDecision:
    """What may be learned from. `dataset_licences` are licences with the names of their sources (`by_licence`), or alone.

    A licence of the recipe's list is allowed and another one needs an approval, but for those that forbid what is done
    here: an approval is no licence, so they are refused whatever a list says.
    """
    named = dataset_licences if isinstance(dataset_licences, Mapping) else dict.fromkeys(dataset_licences, ())
    data: dict[str, list[str]] = {}
    for licence, sources in named.items():
        data.setdefault(normalised(licence), []).extend(sources)
    base_name = normalised(recipe.base.licence)
    adapter = _adapter(base_name, list(data))
    policy = recipe.licences
    return LicenceDecision(
        base=_verdict(policy, base_name, (recipe.base.path,), adapter=adapter, is_base=True),
        data=tuple(
            _verdict(policy, licence, tuple(sorted(set(sources))), adapter=adapter, is_base=False)
            for licence, sources in sorted(data.items())
        ),
        adapter=adapter,
        credits=tuple(one for one in sorted({base_name, *data}) if _CREDIT.match(one)),
    )


def decide_one(policy: Licences, licence: str | None, source: str) -> LicenceVerdict:
    """The same for one model alone, such as a candidate that is chosen from."""
    name = normalised(licence)
    return _verdict(policy, name, (source,), adapter=name, is_base=True)


def _adapter(base: str, data: Sequence[str]) -> str:
    """The licence of what is made of them: internal data keep it inside, and share-alike data hand theirs on."""
    if INTERNAL in data:
        return INTERNAL
    passing_on = [one for one in data if _is_share_alike(one)]
    return passing_on[0] if passing_on else base


def _is_share_alike(licence: str) -> bool:
    return licence in _SHARE_ALIKE or bool(re.search(r"^CC-BY.*-SA\b", licence))


def _verdict(
    policy: Licences, licence: str, sources: tuple[str, ...], *, adapter: str, is_base: bool
) -> LicenceVerdict:
    what = _what(sources, is_base)
    conflict = _conflict(licence, adapter)
    if conflict:
        reason = f"{what} is under {licence!r}, {conflict}"
        return LicenceVerdict(licence, sources, "refused", reason)
    if any(_covers(one, licence) for one in policy.allow):
        return LicenceVerdict(licence, sources, "allowed", f"{licence!r} is on the recipe's list.")
    approval = next((one for one in policy.approved if _covers(one.licence, licence)), None)
    if approval is not None:
        return _approved(licence, sources, approval)
    known = "states no licence" if licence == UNKNOWN else f"is under {licence!r}, which isn't on the list"
    remedy = "add it to `licences.approved` with the name of who approves it and why, or leave it out"
    return LicenceVerdict(licence, sources, "refused", f"{what} {known}: {remedy}.")


def _approved(licence: str, sources: tuple[str, ...], approval: Approval) -> LicenceVerdict:
    return LicenceVerdict(licence, sources, "approved", approval.reason, approval.by)


def _covers(listed: str, licence: str) -> bool:
    """Whether a licence of a list is the one in hand; of several that a source lets one choose from, one is enough."""
    return normalised(listed).casefold() in (one.casefold() for one in (licence, *_choices(licence)))


def _conflict(licence: str, adapter: str) -> str | None:
    """Why a licence forbids what is done here, with the remedy; None where it doesn't."""
    found = [_conflict_of_one(choice, adapter) for choice in _choices(licence)]
    return None if None in found else found[0]


def _choices(licence: str) -> list[str]:
    """The licences that one may choose from: `MIT OR GPL-2.0` has two."""
    return [normalised(part) for part in re.split(r"(?i)\s+or\s+(?!later)", licence)]


def _conflict_of_one(licence: str, adapter: str) -> str | None:
    another = "leave it out, or agree another licence with its supplier and write that into its clearance."
    names = licence.casefold()
    if re.search(r"\bnc\b|non-?commercial", names):
        return f"which forbids commercial use: {another}"
    if re.search(r"\bnd\b|no-?deriv", names):
        return f"which forbids adaptations, and an adapter is one: {another}"
    if _COPYLEFT.search(licence):
        return f"whose copyleft would reach what is built on it: {another}"
    if _is_share_alike(licence) and licence != adapter:
        return f"which must be shared alike, and the adapter would be under {adapter!r}: {another}"
    return None


def _what(sources: tuple[str, ...], is_base: bool) -> str:
    if is_base:
        return f"The model {sources[0]!r}"
    shown = ", ".join(repr(one) for one in sources[:3]) + (" and others" if len(sources) > 3 else "")
    return f"The data of {shown}" if shown else "Data of the set"
