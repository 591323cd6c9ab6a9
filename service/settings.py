"""What the gateway needs to know of its surroundings. What varies between experiments is in the scope."""

from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator

from ingestion.settings import CorpusSettings

_SECRET_CHARS = 16


class Settings(CorpusSettings):
    """Read from `TOUCHSTONE_*` environment variables or a `.env` file; frozen afterwards."""

    host: str = Field("127.0.0.1", description="Address to listen on; others than loopback need keys.")
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on.")
    workers: int = Field(1, ge=1, le=64, description="Processes that serve.")
    database_url: SecretStr | None = Field(
        None,
        description="SQLAlchemy URL of the database; without one, SQLite in `data_dir`.",
    )
    secret_key: SecretStr | None = Field(
        None,
        description="Signs feedback tokens and hides subjects; without one, made in `data_dir`.",
    )
    generator_url: str | None = Field(
        None,
        description="Base URL of an OpenAI-compatible server, e.g. http://127.0.0.1:8001/v1. "
        "Without one, answers are extracted from the documents.",
    )
    generator_model: str | None = Field(
        None, description="Model name to ask that server for; without one, the first it lists."
    )
    generator_api_key: SecretStr | None = Field(None, description="Key for that server.")
    generator_connect_timeout_s: float = Field(2.0, gt=0, description="Longest wait for a connection.")
    generator_first_token_timeout_s: float = Field(
        30.0, gt=0, description="Longest wait for the first token, over all tries."
    )
    generator_idle_timeout_s: float = Field(20.0, gt=0, description="Longest silence between two tokens.")
    generator_retries: int = Field(2, ge=0, le=5, description="Further tries before the first token.")
    max_body_bytes: int = Field(262_144, ge=1024, description="Largest request body.")
    max_upload_bytes: int = Field(
        33_554_432, ge=1024, le=209_715_200, description="Largest body of an upload of documents."
    )
    change_wait_s: float = Field(
        60.0,
        gt=0,
        description="Longest wait of an upload or another change for those before it; after that it is a 503.",
    )
    max_question_chars: int = Field(8_000, ge=1, description="Longest question.")
    release_poll_s: float = Field(0.5, gt=0, description="How often to look for a newly activated release.")
    keep_alive_s: float = Field(10.0, gt=0, description="Silence after which a stream gets a comment.")
    allowed_origins: str = Field(
        "",
        description="Origins, divided by commas, whose pages may call with a key, e.g. https://www.example.com.",
        pattern=r"^(https?://[A-Za-z0-9.\-\[\]:]+(\s*,\s*|$))*$",
    )
    body_timeout_s: float = Field(
        30.0, gt=0, description="Longest wait for a request; a body has a second more for every 10 kB."
    )
    reader_timeout_s: float = Field(
        30.0, gt=0, description="Longest wait for a client to read a piece of its reply."
    )
    stop_grace_s: float = Field(
        12.0,
        ge=0,
        description="How long requests go on after SIGTERM; the process ends 8 s later at the latest.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Log level.")

    @property
    def origins(self) -> list[str]:
        """The allowed origins."""
        return [one.strip().lower() for one in self.allowed_origins.split(",") if one.strip()]

    @field_validator("secret_key", mode="after")
    @classmethod
    def _is_long(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and len(value.get_secret_value()) < _SECRET_CHARS:
            raise ValueError(f"it is shorter than {_SECRET_CHARS} characters")
        return value

    @field_validator("generator_url", mode="after")
    @classmethod
    def _is_base_url(cls, value: str | None) -> str | None:
        if value:
            parts = urlsplit(value)
            if parts.scheme not in ("http", "https") or not parts.hostname:
                raise ValueError("it is no URL of the form http://host:port/v1")
            _ = parts.port  # raises ValueError
        return value

    def database(self) -> str:
        """The URL of the database."""
        if self.database_url is not None:
            return self.database_url.get_secret_value()
        return f"sqlite:///{(self.data_dir / 'touchstone.db').resolve()}"
