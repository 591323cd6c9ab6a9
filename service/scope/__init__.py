"""The scope file as the gateway reads it: assistants, variants, experiments and what guards do."""

from service.scope.experiments import Experiment
from service.scope.file import Assistant, Retention, Sampling, Scope, Variant, load_scope
from service.scope.metrics import Metric
from service.scope.strict import Strict

__all__ = [
    "Assistant",
    "Experiment",
    "Metric",
    "Retention",
    "Sampling",
    "Scope",
    "Strict",
    "Variant",
    "load_scope",
]
