"""Which adapter leads which way, by the settings."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

from services.messaging.ports.app import AppPort
from services.messaging.ports.file import FilePort
from services.messaging.ports.port import Port
from services.messaging.ports.sms import HttpSms
from services.messaging.ports.smtp import Smtp
from services.messaging.ports.wecom import WeCom
from services.messaging.settings import MessageSettings


def ports(settings: MessageSettings, home: Path) -> Mapping[str, Port]:
    """The adapter of each way."""
    found: dict[str, Port] = {
        "own": _sms(settings, settings.sms, home), "email": _email(settings, home), "app": AppPort(),
    }  # fmt: skip
    if settings.sms_cloud:
        found["cloud"] = _sms(settings, settings.sms_cloud, home)
    if (linked := wecom(settings)) is not None:
        found["wecom"] = linked
    return found


def wecom(settings: MessageSettings) -> WeCom | None:
    """The adapter of WeCom, where there is one: the same for a process, so that its token is."""
    secret = settings.wecom_secret.get_secret_value()
    return _wecom(settings.wecom, settings.wecom_corp_id, secret, settings.seconds) if settings.wecom_corp_id else None


@cache
def _wecom(url: str, corp_id: str, secret: str, seconds: float) -> WeCom:
    return WeCom(url, corp_id, secret, seconds)


def _sms(settings: MessageSettings, url: str, home: Path) -> Port:
    if urlsplit(url).scheme in ("http", "https"):
        return HttpSms(
            url, settings.sms_token.get_secret_value(), settings.sms_batch, settings.sms_status, settings.seconds
        )
    return FilePort(_folder(url, home), "sms")


def _email(settings: MessageSettings, home: Path) -> Port:
    parts = urlsplit(settings.email)
    if parts.scheme.startswith("smtp"):
        return Smtp(parts, settings.sender, settings.email_ca, settings.seconds)
    return FilePort(_folder(settings.email, home), "email")


def _folder(url: str, home: Path) -> Path:
    path = urlsplit(url).path
    return Path(path) if path else home / "messages"
