"""A follow-up question made to stand alone: by the generator when there is one, else by rule."""

from service.answer.rewrite.by_generator import Completer, by_generator
from service.answer.rewrite.masks import has_masks, without_masks
from service.answer.rewrite.whole import Said, WholeQuestion, is_follow_up, made_whole, may_lean, standalone

__all__ = [
    "Completer",
    "Said",
    "WholeQuestion",
    "by_generator",
    "has_masks",
    "is_follow_up",
    "made_whole",
    "may_lean",
    "standalone",
    "without_masks",
]
