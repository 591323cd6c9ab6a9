"""What ingestion needs to know of its surroundings. Only entry points read it; cores take arguments."""

import os
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

from cryptography.fernet import Fernet
from pydantic import Field, PrivateAttr, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from ingestion.errors import SettingsError

_PREFIX = "TOUCHSTONE_"
# The folder of the program, whose scope file serves where none is nearer.
_CHECKOUT = Path(__file__).resolve().parent.parent
# So close that it is a slip: `TOUCHSTONE_DATA` is no slip for `TOUCHSTONE_DATA_DIR`.
_SLIP = 0.85
S = TypeVar("S", bound="CorpusSettings")


class CorpusSettings(BaseSettings):
    """Read from `TOUCHSTONE_*` environment variables or a `.env` file; frozen afterwards.

    `load_settings` finds the scope file and the data folder from any folder; made directly, they are as given.
    """

    model_config = SettingsConfigDict(
        env_prefix=_PREFIX,
        env_file=".env",
        env_ignore_empty=True,
        frozen=True,
        extra="ignore",
        allow_inf_nan=False,
    )

    scope_file: Path = Field(
        Path("touchstone.yaml"), description="The scope file: collections, assistants, variants."
    )
    data_dir: Path = Field(
        Path("var"),
        description="Where index releases, run reports and the SQLite file are kept; without one, `var` beside the scope file.",
    )
    embed_threads: int = Field(
        0, ge=0, le=256, description="CPU threads of the embedder; 0 lets the runtime decide."
    )
    vault_key: SecretStr | None = Field(
        None,
        description="Fernet key of the vault, which remembers what pseudonyms stand for; no key, no vault.",
    )
    _is_elsewhere: bool = PrivateAttr(default=False)

    @property
    def is_elsewhere(self) -> bool:
        """Whether nobody named a scope file and there is none in the current folder, so that the program's own serves."""
        return self._is_elsewhere

    @property
    def used(self) -> str:
        """Which scope file and data folder are used, for a person."""
        return f"scope file {str(self.scope_file.resolve())!r}, data in {str(self.data_dir.resolve())!r}"

    @field_validator("*", mode="after")
    @classmethod
    def _is_one_line(cls, value: Any) -> Any:
        """Refuse control characters: they come from a file that was pasted whole, and no setting holds any."""
        text = value.get_secret_value() if isinstance(value, SecretStr) else value
        if isinstance(text, (str, Path)) and not str(text).isprintable():
            raise ValueError("it holds characters that can't be printed, such as a line break")
        return value

    @field_validator("vault_key", mode="after")
    @classmethod
    def _is_fernet_key(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            try:
                Fernet(value.get_secret_value())
            except ValueError as exc:
                raise ValueError(
                    "it is no Fernet key; make one with `touchstone ingestion vault new-key`"
                ) from exc
        return value


def load_settings(kind: type[S], **given: Any) -> S:
    """Settings from the environment, with what the command line gave. Raises `SettingsError`, in one line.

    The scope file is the one that is named, else the current folder's, else the program's own, with the `.env` file beside it.
    The data folder lies beside the scope file unless it is named, so that a command finds both from any folder.
    """
    _refuse_slips(kind, os.environ)  # noqa: TID251
    try:
        here = kind(**given)
        if "scope_file" in here.model_fields_set or here.scope_file.is_file():
            return _beside(here, here.scope_file.parent)
        there = kind(**{"_env_file": (_CHECKOUT / ".env", ".env"), **given})
    except ValidationError as exc:
        raise SettingsError("; ".join(_told(kind, given, error) for error in exc.errors())) from None
    found = there.model_copy(update={"scope_file": _CHECKOUT / there.scope_file})
    found._is_elsewhere = True
    # What the program's `.env` file names is relative to that file; what is named here, to the current folder.
    named = here.model_fields_set & {"data_dir"}
    return found if named else found.model_copy(update={"data_dir": _CHECKOUT / there.data_dir})


def _beside(settings: S, folder: Path) -> S:
    """The settings with a data folder that nobody named in a folder."""
    if "data_dir" in settings.model_fields_set:
        return settings
    return settings.model_copy(update={"data_dir": folder / settings.data_dir})


def _told(kind: type[S], given: Mapping[str, Any], error: Mapping[str, Any]) -> str:
    """A finding: the setting, its value unless it is a secret, what is wrong, and what the setting is."""
    field = str(error["loc"][0]) if error["loc"] else ""
    name = f"--{field.removesuffix('_file')}" if field in given else f"{_PREFIX}{field.upper()}"
    about = kind.model_fields[field]
    is_secret = "SecretStr" in str(about.annotation)
    value = "not usable" if is_secret else repr(error["input"])
    reason = str(error["msg"]).removeprefix("Value error, ")
    return f"{name} is {value}: {reason}. What it sets: {about.description}"


def _refuse_slips(kind: type[S], environment: Mapping[str, str]) -> None:
    """Raise `SettingsError` for a name that is almost a setting's: it would be ignored without a word."""
    known = [name.upper() for name in kind.model_fields]
    given = {name.removeprefix(_PREFIX) for name in environment if name.startswith(_PREFIX)}
    for name in sorted(given.difference(known)):
        near = get_close_matches(name, known, 1, _SLIP)
        if near:
            raise SettingsError(f"{_PREFIX}{name} is no setting. Did you mean {_PREFIX}{near[0]}?")
