"""The relative interval that agrees with the absolute one."""

import math

from service.experiments.statistics.estimate import Estimate

# So many standard errors rule nothing out, and their square must be a float.
_WIDEST = 1e6


def relative_interval(estimate: Estimate, multiple: float) -> tuple[float, float] | None:
    """The interval of (treatment − control) / |control|, where the absolute one is `multiple` standard errors wide.

    Fieller's (1954): the quotients r at which treatment − r·control is within `multiple` of its standard errors. Unlike
    the delta method's interval, it leaves out 0 exactly where the absolute interval does. None where the control
    is so near to 0 that no quotient can be ruled out.
    """
    if multiple > _WIDEST:
        return None
    squared = multiple**2
    a = estimate.control**2 - squared * estimate.control_se**2
    b = estimate.control * estimate.treatment - squared * estimate.covariance
    c = estimate.treatment**2 - squared * estimate.treatment_se**2
    root = b * b - a * c
    if a <= 0 or root < 0:
        return None
    low, high = (b - math.sqrt(root)) / a - 1, (b + math.sqrt(root)) / a - 1
    return (low, high) if estimate.control > 0 else (-high, -low)
