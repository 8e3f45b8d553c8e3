"""Settings of the gateway alone, from the environment (`CARELINE_*`)."""

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class GatewaySettings(BaseSettings):
    """How fast callers may be, how people sign in."""

    model_config = SettingsConfigDict(env_prefix="CARELINE_", extra="ignore", frozen=True)

    rate_people: float = Field(500, gt=0, description="requests a second of one person or client; bursts of twice that")
    rate_systems: float = Field(20_000, gt=0, description="requests a second of one system")
    session_hours: float = Field(12, gt=0)
    body_bytes: int = Field(16_000_000, gt=0, description="the largest body taken in")
    upload_bytes: int = Field(
        100_000_000, gt=0, description="the largest file passed on to a service; each has its own"
    )
    service_seconds: float = Field(30, gt=0, description="how long a service may take to answer")
    trusted_proxies: str = Field(
        "", description="addresses of proxies whose X-Forwarded-For is believed, comma-separated; empty: nobody's"
    )
    secure_cookies: bool = Field(False, description="cookies over TLS only: set it behind TLS")
    public_url: str | None = Field(None, description="where browsers reach the console; needed for OpenID Connect")
    oidc_issuer: str | None = Field(None, description="OpenID Connect issuer; unset: no sign-in through it")
    oidc_client_id: str = "careline"
    oidc_client_secret: SecretStr | None = None
    oidc_role_claim: str = "careline_role"
    oidc_branch_claim: str = "careline_branch"
