"""Headers that tell who answered, and how long it took (W3C Server Timing)."""

from collections.abc import Mapping

from service.answer.understand import Turn

_MS = 1_000
_SUFFIX = "_s"


def answer_headers(turn: Turn, timings: Mapping[str, float] | None = None) -> dict[str, str]:
    """The variant, the arm of an experiment, and milliseconds by stage; of a stream, those before its first word."""
    assigned = turn.route.assignment
    known = timings or {"guard_input_s": turn.guard_input_s}
    spent = (f"{name.removesuffix(_SUFFIX)};dur={seconds * _MS:.1f}" for name, seconds in known.items())
    headers = {"x-touchstone-variant": turn.route.variant_name, "server-timing": ", ".join(spent)}
    if assigned is not None and assigned.experiment:
        headers["x-touchstone-experiment"] = f"{assigned.experiment}/{assigned.arm}"
    return headers
