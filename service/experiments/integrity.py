"""Whether the data of an experiment can be trusted: the sample ratio, mixed exposures, faulty arms."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from service.experiments.statistics.sample_ratio import SampleRatio, Split, check_sample_ratio
from service.experiments.timeline import RunningExperiment
from service.tables import ExperimentAlarm

_PERCENT = 100


@dataclass(frozen=True, slots=True)
class Integrity:
    """What was found. `problem` says in a sentence why there can be no verdict, and is empty where there can.

    `faulty` are arms with the epochs in which they were not what they should be.
    """

    splits: tuple[Split, ...]
    ratio: SampleRatio
    mixed: int
    moved: int
    faulty: frozenset[tuple[str, int]]
    problem: str

    def as_json(self) -> dict[str, Any]:
        """As the report shows it."""
        by_epoch = {one.epoch: one for one in self.ratio.epochs}
        return {
            "problem": self.problem,
            "sample_ratio": {
                "is_alarm": self.ratio.is_alarm,
                "p": self.ratio.p,
                "chi2": self.ratio.chi2,
                "chi2_p": self.ratio.chi2_p,
                "epochs": [
                    {
                        "epoch": split.epoch,
                        "weights": dict(split.weights),
                        "units": dict(split.units),
                        "chi2_p": by_epoch[split.epoch].chi2_p,
                    }
                    for split in self.splits
                ],
            },
            "units_in_two_arms_of_an_epoch": self.mixed,
            "units_moved_by_a_ramp": self.moved,
            "faulty_arms": [{"arm": arm, "epoch": epoch} for arm, epoch in sorted(self.faulty)],
        }


def integrity_of(
    running: RunningExperiment,
    exposures: Sequence[tuple[int, str, str, int]],
    mixed: tuple[int, int],
    alarms: Sequence[ExperimentAlarm],
) -> Integrity:
    """Judge exposures by epoch, stage and arm; `mixed` units met two arms, within an epoch and in all."""
    splits = _splits(running, exposures)
    ratio = check_sample_ratio(splits)
    faulty = frozenset(
        (str(alarm.arm), int(alarm.detail["epoch"]))
        for alarm in alarms
        if alarm.kind == "arm" and alarm.arm and "epoch" in alarm.detail
    )
    return Integrity(splits, ratio, mixed[0], mixed[1] - mixed[0], faulty, _problem(splits, ratio, mixed[0]))


def _splits(running: RunningExperiment, exposures: Sequence[tuple[int, str, str, int]]) -> tuple[Split, ...]:
    units: dict[int, dict[str, int]] = {}
    for epoch, _, arm, count in exposures:
        units.setdefault(epoch, {})[arm] = count
    return tuple(
        Split(one.number, dict(one.weights), units[one.number])
        for one in running.epochs
        if one.number in units
    )


def _problem(splits: Sequence[Split], ratio: SampleRatio, mixed: int) -> str:
    if ratio.is_alarm:
        worst = min(splits, key=lambda split: _chi2_p(ratio, split.epoch))
        return (
            f"The arms have {_listed(worst)} units in epoch {worst.epoch}, which their weights"
            f" {_weights(worst)} don't explain: some were lost or are counted twice. Find out which before you read on."
        )
    if mixed:
        return (
            f"{mixed} units met two arms within one epoch, so that what they did can't be told apart. Find out how they did"
            " before you read on."
        )
    return ""


def _chi2_p(ratio: SampleRatio, epoch: int) -> float:
    found = next(one for one in ratio.epochs if one.epoch == epoch)
    return 1.0 if found.chi2_p is None else found.chi2_p


def _listed(split: Split) -> str:
    return " and ".join(f"{split.units.get(arm, 0):,}" for arm in split.weights)


def _weights(split: Split) -> str:
    total = sum(split.weights.values())
    return ":".join(f"{weight / total * _PERCENT:g}" for weight in split.weights.values())
