"""Reports of `touchstone evals run adapter`, which runs as a process of its own: training doesn't know evaluation's code."""

import json
import subprocess
import sys
from pathlib import Path

from pydantic import ValidationError

from finetune.yaml_file import Strict, TrainingDataError
from ingestion.config import explain

_FORMAT = 1


class CaseResult(Strict):
    """What came of a case; `no_context` and `extractive` are told of questions with an answer."""

    set: str
    id: str
    answerable: bool
    contains: bool
    markers: bool
    cited_right: bool
    abstained: bool
    loops: bool
    leaks: bool
    words: int
    text: str = ""
    no_context: bool | None = None
    extractive: bool | None = None


class Report(Strict):
    """What a model said: every case, which orders of passages it obeyed, and where it named a stereotype."""

    layout: int
    model: str
    prompt: str
    prompt_digest: str
    cases: list[CaseResult]
    orders: dict[str, bool] = {}
    bias: dict[str, bool] = {}

    @property
    def sets(self) -> list[str]:
        """The names of its sets."""
        return list(dict.fromkeys(one.set for one in self.cases))


def measure(
    server: str,
    out: Path,
    *,
    model: str | None = None,
    prompt: str | None = None,
    data: Path | None = None,
    sample: int | None = None,
) -> Report:
    """Ask a model of a server by running the suite, which writes its report into the file `out`.

    `model` of None is the first that the server lists; `data` is the folder of public sets; `sample` asks fewer questions.
    Raises `TrainingDataError` with the suite's own words.
    """
    command = [sys.executable, "-m", "evals", "run", "adapter", "--generator", server, "--report", str(out)]
    options = {"--adapter": model, "--prompt": prompt, "--data": data, "--sample": sample}
    command += [part for name, value in options.items() if value is not None for part in (name, str(value))]
    out.parent.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise TrainingDataError(f"The evaluation of {model or server!r} failed: {said}")
    return read_report(out)


def read_report(path: Path) -> Report:
    """A report from its file. Raises `TrainingDataError`."""
    try:
        report = Report.model_validate(json.loads(path.read_text("utf-8")))
    except OSError as exc:
        raise TrainingDataError(f"The report {str(path)!r} can't be read: {exc.strerror}.") from exc
    except ValidationError as exc:
        raise TrainingDataError(f"{str(path)!r} is no report of `evals run adapter`: {explain(exc)}") from exc
    except ValueError as exc:
        raise TrainingDataError(f"{str(path)!r} is no JSON: {exc}. Measure again.") from exc
    if report.layout != _FORMAT:
        raise TrainingDataError(
            f"{str(path)!r} has the layout {report.layout!r}, not {_FORMAT}. Measure again."
        )
    return report


def is_of_same_cases(one: Report, other: Report) -> bool:
    """Whether two models were asked the same under the same prompt."""
    return _asked(one) == _asked(other)


def check_same_cases(base: Report, adapter: Report) -> None:
    """Raise `TrainingDataError` unless both models were asked the same: only then can they be compared in pairs."""
    if not is_of_same_cases(base, adapter):
        raise TrainingDataError(
            f"The reports on {base.model!r} and {adapter.model!r} are on other cases or under another prompt, so that they"
            " can't be compared. Measure both in the same way."
        )


def _asked(report: Report) -> tuple[object, ...]:
    cases = [(case.set, case.id, case.answerable) for case in report.cases]
    return report.prompt_digest, cases, list(report.orders), list(report.bias)
