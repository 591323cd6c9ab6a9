"""What takes feedback in, of one process: who may speak, how much, how texts are masked, and what writes."""

from collections.abc import Mapping
from dataclasses import dataclass

from service.feedback.intake import Identities, Mask
from service.feedback.limits import Limits
from service.feedback.webhooks import OpenWebhook
from service.feedback.writer import FeedbackWriter


@dataclass(frozen=True, slots=True)
class FeedbackDesk:
    """Built once, at start."""

    identities: Identities
    limits: Limits
    mask: Mask
    writer: FeedbackWriter
    webhooks: Mapping[str, OpenWebhook]
