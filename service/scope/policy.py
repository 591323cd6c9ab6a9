"""What guards do: the `guards` section of the scope file, typed and checked. Knows no guard.

Every guard of every zone has a default, so that a scope says only what it wants otherwise. An assistant's own `guards`
are laid over the scope's.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Zone = Literal["input", "retrieved", "output"]
Action = Literal["off", "flag", "redact", "drop", "block", "abstain"]
Fail = Literal["open", "closed", "degrade"]


class Rule(BaseModel):
    """What becomes of a finding of one guard in one zone."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    action: Action = Field(
        description="`off` skips the guard; `flag` only reports the finding, in the reply, the record and the metrics;"
        " `redact` removes the finding; `drop` removes the sentence or passage; `block` refuses the question or ends the"
        " answer; `abstain` says that the documents don't answer."
    )
    threshold: Annotated[float, Field(ge=0, le=1)] = Field(
        0.5, description="Score at which a finding counts. A guard without a model scores 1."
    )
    degrade_threshold: Annotated[float, Field(ge=0, le=1)] | None = Field(
        None,
        description="A lower score, from which a question is answered with sentences of the documents alone (guard"
        " `injection_model` with the action `block`).",
    )
    deadline_s: Annotated[float, Field(gt=0, le=30)] = Field(
        0.25, description="Longest wait for a model; guards without one need none."
    )
    fail: Fail = Field(
        "open",
        description="What happens when a guard fails or is late: `open` goes on and reports it; `closed` refuses the"
        " question, or drops the sentence of an answer; `degrade` answers with sentences of the documents alone, or drops"
        " the sentence of an answer.",
    )
    allow: list[str] = Field(
        [],
        description="Shell patterns of values or hosts that are never a finding; upper and lower case are the same.",
    )
    model: str | None = Field(
        None,
        description="Folder or hub name of a Hugging Face classifier that replaces the built-in model (extra `models`).",
    )
    limit: Annotated[int, Field(ge=0)] = Field(
        0,
        description="Limit of a guard that counts: characters, passages of a source, repeats; 0 means the guard's own.",
    )
    groups: list[str] = Field(
        [],
        description="Groups of callers who see personal data of passages that they may see (guard `pii`).",
    )
    restore: bool = Field(
        False, description="Whether the asker's own personal data is put back into the reply (guard `pii`)."
    )

    @model_validator(mode="after")
    def _has_points_in_order(self) -> "Rule":
        if self.degrade_threshold is None:
            return self
        if self.action != "block":
            raise ValueError(f"degrade_threshold needs the action 'block', and the action is {self.action!r}")
        if self.degrade_threshold > self.threshold:
            raise ValueError(
                f"degrade_threshold ({self.degrade_threshold}) must not be above threshold ({self.threshold})"
            )
        return self

    @property
    def is_on(self) -> bool:
        """Whether the guard runs at all."""
        return self.action != "off"

    @property
    def changes_text(self) -> bool:
        """Whether a finding has a consequence beyond being told of."""
        return self.action not in ("off", "flag")


# Every guard by zone, with what it may do and what it does when the scope says nothing.
_DEFAULTS: dict[str, dict[str, dict[str, Any]]] = {
    "input": {
        "length": {"action": "block", "limit": 20_000},
        "injection": {"action": "block", "fail": "closed"},
        "injection_model": {
            "action": "block",
            "threshold": 0.97,
            "degrade_threshold": 0.5,
            "fail": "degrade",
        },
        "secrets": {"action": "redact"},
        "pii": {"action": "redact"},
        "toxicity": {"action": "flag", "threshold": 0.5},
    },
    "retrieved": {
        "verdicts": {"action": "flag"},
        "injection": {"action": "drop", "fail": "closed"},
        "near_copies": {"action": "drop", "threshold": 0.25, "limit": 3},
        "per_source": {"action": "off", "limit": 3},
    },
    "output": {
        "citations": {"action": "redact"},
        "secrets": {"action": "redact"},
        "pii": {"action": "redact"},
        "egress": {"action": "redact"},
        "numbers": {"action": "redact"},
        "leak": {"action": "block"},
        "exact": {"action": "drop"},
        "grounding": {"action": "flag", "threshold": 0.3},
        "toxicity": {"action": "drop", "threshold": 0.5},
        "repetition": {"action": "block", "limit": 3},
        "length": {"action": "block", "limit": 20_000},
    },
}
_MAY: dict[str, frozenset[str]] = {
    "input": frozenset({"off", "flag", "redact", "block"}),
    "retrieved": frozenset({"off", "flag", "drop"}),
    "output": frozenset({"off", "flag", "redact", "drop", "block", "abstain"}),
}
# The guard whose lower score leaves the answer to the documents.
_DEGRADES = ("input", "injection_model")
_REDACTS_ONLY = frozenset({"citations", "secrets", "pii", "egress", "numbers"})
_NEVER_REDACTS = frozenset(
    {"length", "injection", "injection_model", "toxicity", "leak", "exact", "grounding", "repetition"}
)


class GuardPolicy(BaseModel):
    """The rules of every zone, by guard, and the longest that all guards of a zone may take together."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    deadline_s: Annotated[float, Field(gt=0, le=30)] = Field(
        0.5,
        description="Longest wait for all models of a zone together, per question, and per sentence of an answer.",
    )
    input: dict[str, Rule] = Field(description="Rules for the question, by guard.")
    retrieved: dict[str, Rule] = Field(description="Rules for the passages found, by guard.")
    output: dict[str, Rule] = Field(description="Rules for the answer, by guard.")

    @model_validator(mode="after")
    def _is_possible(self) -> "GuardPolicy":
        for zone in ("input", "retrieved", "output"):
            for name, rule in self.of(zone).items():
                if name not in _DEFAULTS[zone]:
                    raise ValueError(
                        f"there is no guard {name!r} in the zone {zone!r}; choose of {sorted(_DEFAULTS[zone])}"
                    )
                allowed = _MAY[zone] - ({"redact"} if name in _NEVER_REDACTS else set())
                if name in _REDACTS_ONLY:
                    allowed &= {"off", "flag", "redact"}
                if rule.action not in allowed:
                    raise ValueError(f"{zone}.{name} can't {rule.action!r}; choose of {sorted(allowed)}")
                if rule.degrade_threshold is not None and (zone, name) != _DEGRADES:
                    raise ValueError(
                        f"{zone}.{name} has no degrade_threshold; {'.'.join(_DEGRADES)} alone has one"
                    )
        return self

    def of(self, zone: Zone) -> dict[str, Rule]:
        """The rules of a zone."""
        return {"input": self.input, "retrieved": self.retrieved, "output": self.output}[zone]


def policy_of(*layers: Mapping[str, Any]) -> GuardPolicy:
    """The defaults with layers of a scope file laid over them, the last on top.

    A guard may be a mapping of what differs or an action alone. Raises pydantic's `ValidationError` or `ValueError`.
    """
    merged: dict[str, Any] = {
        zone: {n: dict(r) for n, r in rules.items()} for zone, rules in _DEFAULTS.items()
    }
    for layer in layers:
        for key, value in layer.items():
            if key not in _DEFAULTS:
                merged[key] = value
                continue
            if not isinstance(value, Mapping):
                raise ValueError(f"guards.{key} must map guards to rules, and is {value!r}")
            for name, rule in value.items():
                own = merged[key].setdefault(str(name), {})
                own |= _within(own, _as_rule(rule))
    return _with_limits(GuardPolicy.model_validate(merged))


def _within(known: Mapping[str, Any], rule: Mapping[str, Any]) -> Mapping[str, Any]:
    """The rule, less the lower point of the layers below where it leaves no room for one."""
    least, own = known.get("degrade_threshold"), {**known, **rule}
    if least is None or "degrade_threshold" in rule:
        return rule
    threshold = own.get("threshold", least)
    has_room = own.get("action") == "block" and isinstance(threshold, int | float) and threshold >= least
    return rule if has_room else {**rule, "degrade_threshold": None}


def _with_limits(policy: GuardPolicy) -> GuardPolicy:
    """The policy with the default in the place of each limit that is 0."""
    zones: dict[str, dict[str, Rule]] = {}
    for zone, defaults in _DEFAULTS.items():
        rules: dict[str, Rule] = getattr(policy, zone)
        zones[zone] = {
            name: rule.model_copy(update={"limit": rule.limit or defaults[name].get("limit", 0)})
            for name, rule in rules.items()
        }
    return policy.model_copy(update=zones)


def _as_rule(value: object) -> Mapping[str, Any]:
    # YAML reads a bare `off` as false.
    if value is False:
        return {"action": "off"}
    return (
        {str(k): ("off" if k == "action" and v is False else v) for k, v in value.items()}
        if isinstance(value, Mapping)
        else {"action": value}
    )
