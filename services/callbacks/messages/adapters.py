"""Which adapter of the messages port a setting names."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

from pydantic import field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from services.callbacks.messages.file import FilePort
from services.callbacks.messages.port import Port
from services.callbacks.messages.sms import HttpSms
from services.callbacks.messages.smtp import Smtp

SCHEMES = frozenset(("", "file", "smtp", "smtps", "smtp+starttls", "http", "https"))


class MessageSettings(BaseSettings):
    """Where messages go (`CARELINE_MESSAGES_*`): `smtp://host:port` (also `smtps:`, `smtp+starttls:`), `http://host:port/path`, or `file:FOLDER`."""

    model_config = SettingsConfigDict(env_prefix="CARELINE_MESSAGES_", extra="ignore", frozen=True)

    email: str = ""
    sms: str = ""
    sender: str = "service@careline.example"
    sms_token: str = ""

    @field_validator("email", "sms")
    @classmethod
    def _known(cls, url: str) -> str:
        if urlsplit(url).scheme not in SCHEMES:
            raise ValueError(f"messages cannot go to {urlsplit(url).scheme}: choose smtp, http, https or file")
        return url


def port_of(url: str, channel: str, settings: MessageSettings, home: Path) -> Port:
    """The adapter for a URL; none given: files under the home, for development."""
    parts = urlsplit(url)
    if parts.scheme.startswith("smtp"):
        port = parts.port or (465 if parts.scheme == "smtps" else 25)
        login = (unquote(parts.username), unquote(parts.password or "")) if parts.username else None
        return Smtp(parts.hostname or "127.0.0.1", port, settings.sender, security=parts.scheme, login=login)
    if parts.scheme in ("http", "https"):
        return HttpSms(url, settings.sms_token)
    return FilePort(Path(parts.path) if parts.path else home / "messages", channel)


def ports(settings: MessageSettings, home: Path) -> dict[str, Port]:
    """The adapter of each channel."""
    return {
        "email": port_of(settings.email, "email", settings, home),
        "sms": port_of(settings.sms, "sms", settings, home),
    }
