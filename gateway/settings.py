"""Settings of the gateway alone, from the environment (`CARELINE_*`)."""

import ipaddress
from typing import Annotated, Self

from pydantic import AfterValidator, Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from chassis.actor import Role
from chassis.settings import HttpUrl


def _proxies(written: str) -> str:
    for one in filter(None, (part.strip() for part in written.split(","))):
        try:
            ipaddress.ip_network(one)
        except ValueError:
            raise ValueError("must be addresses or networks of your proxies, comma-separated") from None
    return written


def roles_of(written: str) -> dict[str, str]:
    """The provider's words and our roles.

    Raises: ValueError.
    """
    pairs = [part.strip().rpartition("=") for part in written.split(",") if part.strip()]
    if any(not word or role not in set(Role) - {Role.CLIENT, Role.SYSTEM} for word, _, role in pairs):
        raise ValueError("must be word=role, comma-separated, with roles of staff")
    return {word: role for word, _, role in pairs}


def _roles(written: str) -> str:
    roles_of(written)
    return written


DEMO_MARK = "demo.json"
"""The file of a home that is a demo: every page says so."""


class GatewaySettings(BaseSettings):
    """How fast callers may be, how people sign in."""

    model_config = SettingsConfigDict(env_prefix="CARELINE_", extra="ignore", frozen=True, env_ignore_empty=True)

    rate_people: float = Field(500, gt=0, description="requests a second of one person or client; bursts of twice that")
    rate_systems: float = Field(20_000, gt=0, description="requests a second of one system")
    rate_anonymous: float = Field(
        50, gt=0, description="requests a second of one address that say not who calls; bursts of four times that"
    )
    session_hours: float = Field(12, gt=0)
    body_bytes: int = Field(16_000_000, gt=0, description="the largest body taken in")
    upload_bytes: int = Field(
        100_000_000, gt=0, description="the largest file passed on to a service; each has its own"
    )
    service_seconds: float = Field(30, gt=0, description="how long a service may take to answer")
    trusted_proxies: Annotated[str, AfterValidator(_proxies)] = Field(
        "", description="addresses of proxies whose X-Forwarded-For is believed, comma-separated; empty: nobody's"
    )
    secure_cookies: bool = Field(False, description="cookies over TLS only: set it behind TLS")
    public_url: HttpUrl | None = Field(None, description="where browsers reach the console; needed for OpenID Connect")
    oidc_issuer: HttpUrl | None = Field(None, description="OpenID Connect issuer; unset: no sign-in through it")
    oidc_client_id: str = "careline"
    oidc_client_secret: SecretStr | None = None
    oidc_role_claim: str = "careline_role"
    oidc_branch_claim: str = "careline_branch"
    oidc_roles: Annotated[str, AfterValidator(_roles)] = Field(
        "", description="the provider's words for our roles, `word=role` comma-separated; a role's own name needs none"
    )

    @model_validator(mode="after")
    def _together(self) -> Self:
        if self.oidc_issuer and not self.public_url:
            raise ValueError("CARELINE_OIDC_ISSUER needs CARELINE_PUBLIC_URL: the provider sends people back there")
        return self
