"""The verdict on an adapter beside its base, from what both said to the same cases: pass, fail or cannot tell.

An estimate that meets every gate passes, as long as `contains` is surely above the base's; one that is surely beyond a
limit fails; in between, nobody can tell from so few cases. "Surely" is the gate's `alpha`, divided by the number of
gates where failing at one is enough (Bonferroni); to pass, all must be met, which needs no correction.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from finetune.lora.gates import (
    Finding,
    Judged,
    State,
    forgetting_gate,
    gates_of_set,
    overall_gates,
    parity_gates,
    served_base,
)
from finetune.lora.parity import Parity
from finetune.lora.recipe import Gate
from finetune.lora.registry import Adapter, Status, note
from finetune.lora.reports import Report, check_same_cases

Outcome = Literal["pass", "fail", "cannot_tell"]
_STATUS: dict[Outcome, Status] = {"pass": "proved", "fail": "failed", "cannot_tell": "undecided"}


@dataclass(frozen=True, slots=True)
class Measured:
    """What else is known of an adapter: the digest of the base that is served, parity, and how far the training run saw
    the log probability of general text fall. None where it wasn't measured."""

    base: str | None = None
    parity: Parity | None = None
    forgetting: float | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """The verdict with every finding that it rests on; `extractive` is how often the documents' own sentences hold the
    answer, by set."""

    outcome: Outcome
    sentence: str
    findings: tuple[Finding, ...]
    extractive: dict[str, float]

    def facts(self) -> dict[str, Any]:
        """For a manifest."""
        return {
            "verdict": self.outcome,
            "sentence": self.sentence,
            "findings": [asdict(one) for one in self.findings],
            "extractive": self.extractive,
        }


def prove(adapter: Adapter, base: Report, found: Report, measured: Measured, gate: Gate) -> Verdict:
    """The verdict on a registered adapter, noted in its manifest. Raises `TrainingDataError` for reports on other cases."""
    verdict = judge(base, found, gate, measured, own_base=adapter.facts["base"]["digest"])
    proof = verdict.facts() | {"parity": measured.parity.facts() if measured.parity else None}
    proof |= {"model": found.model, "prompt": found.prompt, "prompt_digest": found.prompt_digest}
    note(adapter, status=_STATUS[verdict.outcome], proof=proof)
    return verdict


def judge(base: Report, found: Report, gate: Gate, measured: Measured, *, own_base: str) -> Verdict:
    """The verdict from reports on the same cases; `own_base` is the digest of the base that the adapter was trained on.

    Raises `TrainingDataError` for reports on other cases.
    """
    check_same_cases(base, found)
    gates = [
        served_base(measured.base, own_base),
        *parity_gates(measured.parity),
        forgetting_gate(measured.forgetting, gate),
    ]
    for name in found.sets:
        gates += gates_of_set(
            name,
            [one for one in base.cases if one.set == name],
            [one for one in found.cases if one.set == name],
            gate,
        )
    gates += overall_gates(base, found, gate)
    level = gate.alpha / max(1, sum(one.chance is not None for one in gates))
    findings = tuple(_decided(one, level) for one in gates)
    outcome, sentence = _conclusion(findings)
    return Verdict(outcome, sentence, findings, _extractive(found))


def _decided(gate: Judged, level: float) -> Finding:
    finding = gate.finding
    state: State = (
        "pass" if gate.is_met else "fail" if gate.chance is not None and gate.chance < level else "open"
    )
    told = {
        "pass": finding.sentence,
        "fail": f"{finding.sentence} This is surely beyond the limit.",
        "open": f"{finding.sentence} Too little was measured to be sure.",
    }
    return Finding(**{**asdict(finding), "state": state, "sentence": told[state]})


def _conclusion(findings: Sequence[Finding]) -> tuple[Outcome, str]:
    failed = [one for one in findings if one.state == "fail"]
    undecided = [one for one in findings if one.state == "open"]
    if failed:
        return "fail", f"It must not be served: {_list(failed)}"
    if undecided:
        return "cannot_tell", f"Nobody can tell from these cases: {_list(undecided)}"
    return "pass", "Every gate is met, and it answers rightly more often than its base, which is no chance."


def _list(findings: Sequence[Finding]) -> str:
    return " ".join(one.sentence for one in findings)


def _extractive(found: Report) -> dict[str, float]:
    told = {}
    for name in found.sets:
        own = [one.extractive for one in found.cases if one.set == name and one.extractive is not None]
        if own:
            told[name] = sum(own) / len(own)
    return told
