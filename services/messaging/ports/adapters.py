"""Which adapter leads which way, by the settings."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

from services.messaging.ports.aliyun import Aliyun
from services.messaging.ports.app import AppPort
from services.messaging.ports.file import FilePort
from services.messaging.ports.port import Port
from services.messaging.ports.sms import HttpSms
from services.messaging.ports.smtp import Dkim, Smtp
from services.messaging.ports.wecom import WeCom
from services.messaging.settings import MessageSettings


def ports(settings: MessageSettings, home: Path) -> Mapping[str, Port]:
    """The adapter of each way."""
    found: dict[str, Port] = {
        "own": _own(settings, home), "email": _email(settings, home), "app": AppPort(),
    }  # fmt: skip
    if settings.sms_cloud:
        found["cloud"] = _cloud(settings, home)
    if (linked := wecom(settings)) is not None:
        found["wecom"] = linked
    return found


def wecom(settings: MessageSettings) -> WeCom | None:
    """The adapter of WeCom, where there is one: the same for a process, so that its token is."""
    secret = settings.wecom_secret.get_secret_value()
    if not settings.wecom_corp_id:
        return None
    return _wecom(settings.wecom, settings.wecom_corp_id, secret, settings.seconds, settings.wecom_agent_id)


@cache
def _wecom(url: str, corp_id: str, secret: str, seconds: float, agent_id: int) -> WeCom:
    return WeCom(url, corp_id, secret, seconds, agent_id)


def _own(settings: MessageSettings, home: Path) -> Port:
    token = settings.sms_token.get_secret_value()
    return _sms(settings.sms, home, token, settings.sms_batch, settings.sms_status, settings.seconds)


def _cloud(settings: MessageSettings, home: Path) -> Port:
    token = settings.sms_cloud_token.get_secret_value()
    return _sms(settings.sms_cloud, home, token, settings.sms_cloud_batch, settings.sms_cloud_status, settings.seconds)


def _sms(url: str, home: Path, token: str, batch: int, status: str, seconds: float) -> Port:
    """A gateway by its own settings: no provider is asked about, or shown, what is another's [MS13]."""
    scheme = urlsplit(url).scheme
    if scheme.startswith("aliyun+"):
        key_id, _, secret = token.partition(":")
        return Aliyun(url.removeprefix("aliyun+"), key_id, secret, seconds)
    if scheme in ("http", "https"):
        return HttpSms(url, token, batch, status, seconds)
    return FilePort(_folder(url, home), "sms")


def _email(settings: MessageSettings, home: Path) -> Port:
    parts = urlsplit(settings.email)
    if parts.scheme.startswith("smtp"):
        return Smtp(parts, settings.sender, settings.email_ca, settings.seconds, _dkim(settings))
    return FilePort(_folder(settings.email, home), "email")


def _dkim(settings: MessageSettings) -> Dkim | None:
    return Dkim(settings.email_dkim_selector, settings.email_dkim_key) if settings.email_dkim_key else None


def _folder(url: str, home: Path) -> Path:
    path = urlsplit(url).path
    return Path(path) if path else home / "messages"
