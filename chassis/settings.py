"""Every setting, from the environment (`CARELINE_*`). Two choose the form: the database's URL and the bus's URL."""

from functools import cached_property
from pathlib import Path
from typing import Self

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """What an operator may choose. Unset, everything runs embedded under `home`."""

    model_config = SettingsConfigDict(env_prefix="CARELINE_", extra="ignore", frozen=True)

    home: Path = Path("var")
    database_url: str | None = Field(None, description="postgresql://...; `{service}` in it means a database each")
    owner_url: str | None = Field(
        None,
        description="the login that owns the schemas, where `{service}` in database_url's user gives each service one",
    )
    bus_url: str | None = Field(None, description="unset: the log in PostgreSQL; else kafka://host:port/prefix")
    host: str = "127.0.0.1"
    port: int = 8000
    partitions: int = Field(4, ge=1, le=1024, description="of every topic, on both buses; fixed once events exist")
    currency: str = Field("CNY", description="the platform's one currency")
    batch_records: int = Field(5000, ge=1, le=50_000)
    batch_seconds: float = Field(0.05, gt=0, le=5)
    bad_records_limit: int = Field(100, ge=1, description="dead letters one after another that stop a consumer")
    close_after_midnight_minutes: int = Field(30, ge=0, le=720)
    pool_size: int = Field(4, ge=1)
    pool_overflow: int = Field(16, ge=0)
    drain_seconds: float = Field(1.0, ge=0, le=600, description="told to terminate: not ready, but served, so long")
    connections_per_address: int = Field(1000, ge=1, description="HTTP connections one address may hold at a time")
    log_level: str = "INFO"
    gateway_url: str | None = Field(None, description="where other processes reach the gateway")
    service_urls: dict[str, str] = Field(default_factory=dict, description="JSON: service name to base URL")
    internal_key: SecretStr | None = Field(None, description="base64 Ed25519 seed that signs internal tokens")
    internal_public_key: str | None = Field(
        None,
        description="base64 public half of internal_key, for services: they check who is calling, and sign nothing",
    )
    field_key: SecretStr | None = Field(None, description="base64 32-byte key that encrypts personal data")
    master_key: SecretStr | None = Field(
        None, description="base64 32-byte key that wraps the keys of clients; of the gateway alone"
    )
    seal_key: SecretStr | None = Field(None, description="base64 Ed25519 seed that signs the audit chain")

    @model_validator(mode="after")
    def _facts_arrive(self) -> Self:
        """The log in PostgreSQL is one table: in a database each, services would never hear one another."""
        url, owner = self.database_url or "", self.owner_url or ""
        if not self.on_kafka and any("{service}" in part for part in (_database_in(url), _database_in(owner))):
            raise ValueError(
                "CARELINE_DATABASE_URL gives each service a database of its own ({service}), so events need Kafka: set "
                "CARELINE_BUS_URL, or name one database for all · 每个服务一个库时事件须经 Kafka：请设置 CARELINE_BUS_URL，或改用同一个库"
            )
        return self

    @property
    def login_per_service(self) -> bool:
        """Whether each service logs in under a name of its own, with no rights but its own."""
        return "{service}" in _user_in(self.database_url or "")

    @cached_property
    def on_kafka(self) -> bool:
        """Whether events travel over Kafka rather than the log in PostgreSQL."""
        return self.bus_url is not None

    @cached_property
    def embedded_database(self) -> bool:
        """Whether the platform brings its own PostgreSQL."""
        return self.database_url is None


def _user_in(url: str) -> str:
    return url.partition("://")[2].rpartition("@")[0].partition(":")[0]


def _database_in(url: str) -> str:
    """Everything that names the server and the database: what follows the login."""
    return url.partition("://")[2].rpartition("@")[2]
