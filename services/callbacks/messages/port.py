"""The messages port: what an adapter takes and gives, and which adapter a setting names."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from pydantic_settings import BaseSettings, SettingsConfigDict

from services.callbacks.messages.templates import Words


class Result(StrEnum):
    """What became of handing a message over."""

    SENT = "sent"
    LATER = "later"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Handed:
    """The adapter's answer: the provider's receipt when sent, else why not."""

    result: Result
    receipt: str | None = None
    reason: str = ""


class Port(Protocol):
    """Hands one message to the outside world. `message_id` is the same in every retry: a provider can tell repeats."""

    channel: str

    async def send(self, message_id: str, address: str, words: Words) -> Handed:
        """Hand it over; whatever goes wrong outside comes back as LATER or REFUSED, never as an exception."""
        ...


class MessageSettings(BaseSettings):
    """Where messages go (`CARELINE_MESSAGES_*`): `smtp://host:port`, `http://host:port/path`, or `file:FOLDER`."""

    model_config = SettingsConfigDict(env_prefix="CARELINE_MESSAGES_", extra="ignore", frozen=True)

    email: str = ""
    sms: str = ""
    sender: str = "service@careline.example"
    sms_token: str = ""


def port_of(url: str, channel: str, settings: MessageSettings, home: Path) -> Port:
    """The adapter for a URL; none given: files under the home, for development."""
    from services.callbacks.messages.file import FilePort
    from services.callbacks.messages.sms import HttpSms
    from services.callbacks.messages.smtp import Smtp

    parts = urlsplit(url)
    if parts.scheme == "smtp":
        return Smtp(parts.hostname or "127.0.0.1", parts.port or 25, settings.sender)
    if parts.scheme in ("http", "https"):
        return HttpSms(url, settings.sms_token)
    if parts.scheme not in ("", "file"):
        raise ValueError(f"messages cannot go to {parts.scheme}: choose smtp, http, https or file")
    return FilePort(Path(parts.path) if parts.path else home / "messages", channel)


def ports(settings: MessageSettings, home: Path) -> dict[str, Port]:
    """The adapter of each channel."""
    return {
        "email": port_of(settings.email, "email", settings, home),
        "sms": port_of(settings.sms, "sms", settings, home),
    }
