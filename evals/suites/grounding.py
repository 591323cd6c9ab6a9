"""Grounding: how well the built-in head tells supported claims, on the halves of public sets that it was not trained on."""

from collections.abc import Sequence

from evals import sets
from evals.metrics import Figure, auroc, share
from evals.sets import Pair
from evals.suites.context import Context
from service.guard.models.cross_encoder import CrossEncoder
from service.guard.models.tier import Models
from service.scope.policy import policy_of


def measure(context: Context) -> dict[str, Figure]:
    """`auroc` of supported against unsupported claims; `kept` and `dropped` at the policy's threshold."""
    if context.data is None:
        return {}
    support = Models(context.built_in, CrossEncoder(threads=2)).support()
    figures: dict[str, Figure] = {}
    least = policy_of().output["grounding"].threshold
    for name, pairs in (
        ("begin", sets.begin(context.data)),
        ("q2", sets.q2(context.data)),
        ("wice", sets.wice(context.data)),
    ):
        some: Sequence[Pair] = context.sampled(pairs)
        scores = [support(pair.claim, [pair.evidence]) for pair in some]
        labels = [pair.is_supported for pair in some]
        figures[f"grounding.{name}.auroc"] = auroc(scores, labels)
        figures[f"grounding.{name}.supported_flagged"] = share(
            [score < least for score, is_supported in zip(scores, labels, strict=True) if is_supported]
        )
        figures[f"grounding.{name}.unsupported_flagged"] = share(
            [score < least for score, is_supported in zip(scores, labels, strict=True) if not is_supported]
        )
    return figures
