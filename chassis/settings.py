"""Every setting, from the environment (`CARELINE_*`). Two choose the form: the database's URL and the bus's URL."""

import json
import logging
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from chassis.addresses import database_url, http_url, kafka_url, server_in, user_in
from chassis.key_ring import ring_of

KEYS = ("internal", "field", "master", "seal")


def _level(written: str) -> str:
    if written.upper() not in logging.getLevelNamesMapping():
        raise ValueError("must be DEBUG, INFO, WARNING, ERROR or CRITICAL")
    return written.upper()


def _from_json(written: Any) -> Any:
    try:
        return json.loads(written) if isinstance(written, str) else written
    except ValueError:
        raise ValueError('must be JSON: {"points": "http://host:port", ...}') from None


def _key(written: SecretStr) -> SecretStr:
    ring_of(written.get_secret_value(), "it")
    return written


def _public_key(written: str) -> str:
    ring_of(written, "it")
    return written


DatabaseUrl = Annotated[str, AfterValidator(database_url)]
HttpUrl = Annotated[str, AfterValidator(http_url)]
Key = Annotated[SecretStr, AfterValidator(_key)]


class Settings(BaseSettings):
    """What an operator may choose. Unset, everything runs embedded under `home`."""

    model_config = SettingsConfigDict(env_prefix="CARELINE_", extra="ignore", frozen=True, env_ignore_empty=True)

    home: Path = Path("var")
    database_url: DatabaseUrl | None = Field(
        None, description="postgresql://...; `{service}` in it means a database each"
    )
    owner_url: DatabaseUrl | None = Field(
        None,
        description="the login that owns the schemas, where `{service}` in database_url's user gives each service one",
    )
    bus_url: Annotated[str, AfterValidator(kafka_url)] | None = Field(
        None, description="unset: the log in PostgreSQL; else kafka://host:port/prefix"
    )
    host: str = "127.0.0.1"
    port: int = Field(8000, ge=0, le=65535)
    partitions: int = Field(4, ge=1, le=1024, description="of every topic, on both buses; fixed once events exist")
    currency: str = Field("CNY", pattern="^[A-Z]{3}$", description="the platform's one currency")
    batch_records: int = Field(5000, ge=1, le=50_000)
    batch_seconds: float = Field(0.05, gt=0, le=5)
    bad_records_limit: int = Field(100, ge=1, description="dead letters one after another that stop a consumer")
    close_after_midnight_minutes: int = Field(30, ge=0, le=720)
    pool_size: int = Field(20, ge=1, description="connections of a service's process; who needs one more waits")
    metrics_port: int | None = Field(
        None,
        ge=1,
        le=65535,
        description="/metrics is answered there to anybody, and not at `port`; publish it to Prometheus alone",
    )
    metrics_token: SecretStr | None = Field(
        None,
        min_length=16,
        description="the bearer token that reads /metrics, without metrics_port, and is told by /readyz why; opens nothing else",
    )
    drain_seconds: float = Field(1.0, ge=0, le=600, description="told to terminate: not ready, but served, so long")
    connections_per_address: int = Field(1000, ge=1, description="HTTP connections one address may hold at a time")
    log_level: Annotated[str, AfterValidator(_level)] = "INFO"
    log_file: Path | None = Field(None, description="unset: log lines go to stderr; else this file, of one process")
    log_file_mb: int = Field(100, ge=1, description="a log file begins anew when it has so many MB, and every day")
    log_files: int = Field(10, ge=1, description="how many older log files are kept")
    log_days: int = Field(30, ge=1, description="older log files go after so many days")
    gateway_url: HttpUrl | None = Field(None, description="where other processes reach the gateway")
    service_urls: Annotated[dict[str, HttpUrl], NoDecode, BeforeValidator(_from_json)] = Field(
        default_factory=dict, description="JSON: service name to base URL"
    )
    internal_key: Key | None = Field(None, description="base64 Ed25519 seed that signs internal tokens")
    internal_public_key: Annotated[str, AfterValidator(_public_key)] | None = Field(
        None,
        description="base64 public half of internal_key, for services: they check who is calling, and sign nothing",
    )
    field_key: Key | None = Field(None, description="base64 32-byte key that encrypts personal data")
    master_key: Key | None = Field(
        None, description="base64 32-byte key that wraps the keys of clients; of the gateway alone"
    )
    seal_key: Key | None = Field(None, description="base64 Ed25519 seed that signs the audit chain")

    @model_validator(mode="after")
    def _together(self) -> Self:
        """Refuse what is good alone and loses facts together: the log in PostgreSQL is one table, in a database each
        services would never hear one another; what the owner migrates must be what the services use."""
        url, owner = self.database_url or "", self.owner_url or ""
        each = ["{service}" in server_in(one) for one in (url, owner)]
        if not self.on_kafka and any(each):
            raise ValueError(
                "CARELINE_DATABASE_URL gives each service a database of its own ({service}), so events need Kafka: set "
                "CARELINE_BUS_URL, or name one database for all · 每个服务一个库时事件须经 Kafka：请设置 CARELINE_BUS_URL，或改用同一个库"
            )
        if owner and not url:
            raise ValueError("CARELINE_OWNER_URL is the owner of CARELINE_DATABASE_URL's schemas: set that as well")
        if owner and each[0] != each[1]:
            raise ValueError(
                "CARELINE_DATABASE_URL and CARELINE_OWNER_URL must name the same databases: {service} in both or in neither"
            )
        if self.internal_key and self.internal_public_key:
            self._halves_fit(self.internal_key.get_secret_value(), self.internal_public_key)
        return self

    @staticmethod
    def _halves_fit(seeds: str, public: str) -> None:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        made = [
            Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw() for seed in ring_of(seeds, "")
        ]
        if not set(made) & set(ring_of(public, "")):
            raise ValueError("CARELINE_INTERNAL_PUBLIC_KEY is not the public half of CARELINE_INTERNAL_KEY")

    @property
    def login_per_service(self) -> bool:
        """Whether each service logs in under a name of its own, with no rights but its own."""
        return "{service}" in user_in(self.database_url or "")

    @cached_property
    def on_kafka(self) -> bool:
        """Whether events travel over Kafka rather than the log in PostgreSQL."""
        return self.bus_url is not None

    @cached_property
    def embedded_database(self) -> bool:
        """Whether the platform brings its own PostgreSQL."""
        return self.database_url is None
