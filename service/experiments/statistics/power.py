"""How many units a difference takes, and how many days that is."""

import math
from dataclasses import dataclass
from typing import Literal

from service.experiments.statistics.decide import LOOKING, Method
from service.experiments.statistics.distributions import normal_quantile, normal_tail
from service.experiments.statistics.estimate import Estimate, Unmeasured
from service.experiments.statistics.sequence import check_alpha, multiplier
