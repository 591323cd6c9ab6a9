"""What every section of the scope file has in common."""

from pydantic import BaseModel, ConfigDict


class Strict(BaseModel):
    """Unknown keys are errors: a misspelt key must not pass unnoticed."""

    model_config = ConfigDict(extra="forbid", frozen=True)
