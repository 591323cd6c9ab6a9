"""JSON schemas that strangers send: what is wrong, reaches outside or could run for ever is refused, the rest checked.

Nothing is fetched, patterns run in linear time, and a check ends after a second.
"""

from service.answer.schema.check import Schema
from service.answer.schema.read import read_schema

__all__ = ["Schema", "read_schema"]
