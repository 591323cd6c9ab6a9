"""What ingestion needs to know of its surroundings. Only entry points read it; cores take arguments."""

from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class CorpusSettings(BaseSettings):
    """Read from `TOUCHSTONE_*` environment variables or a `.env` file; frozen afterwards."""

    model_config = SettingsConfigDict(env_prefix="TOUCHSTONE_", env_file=".env", frozen=True, extra="ignore")

    scope_file: Path = Field(
        Path("touchstone.yaml"), description="The scope file: collections, assistants, variants."
    )
    data_dir: Path = Field(
        Path("var"), description="Where index releases, run reports and the SQLite file are kept."
    )
    embed_threads: int = Field(
        0, ge=0, le=256, description="CPU threads of the embedder; 0 lets the runtime decide."
    )
    vault_key: SecretStr | None = Field(
        None,
        description="Fernet key of the vault, which remembers what pseudonyms stand for; no key, no vault.",
    )
