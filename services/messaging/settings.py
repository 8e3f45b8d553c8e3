"""Where messages go (`CARELINE_MESSAGES_*`)."""

from urllib.parse import urlsplit

from pydantic import Field, FilePath, SecretStr, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

EMAIL_SCHEMES = frozenset(("", "file", "smtp", "smtps", "smtp+starttls"))
IMAP_SCHEMES = frozenset(("", "imap", "imaps", "imap+starttls"))
SMS_SCHEMES = frozenset(("", "file", "http", "https", "aliyun+http", "aliyun+https"))
ASKED_SCHEMES = frozenset(("", "http", "https"))
SELECTOR = r"^([A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*)?$"


class MessageSettings(BaseSettings):
    """Providers: `smtp://USER:PASSWORD@host:port` (also `smtps:`, `smtp+starttls:`), `http://host:port/path`, or `file:FOLDER`.

    Without any, messages are written to files under the home, for development. `sms` is the firm's own port, `sms_cloud`
    a cloud's, with a token, status URL and batch of its own. A URL in `sms_status` with `{id}` in it is asked what became of
    a message; `sms_inbound` is asked for receipts and replies; `sms_batch` messages go in one call. `aliyun+https://` is Alibaba Cloud's own
    protocol, its token `KEY_ID:SECRET`. `wecom_corp_id` and `wecom_secret` are those of the firm's app in WeCom, `wecom_agent_id` the app's own number,
    by which it writes to staff. `alerts`: addresses of apprise, with spaces between, for what staff have to look at now. `email_ca`: the certificates
    a mail server's is checked against, other than the system's; `email_dkim_key` and `email_dkim_selector` sign mails for the
    domain of `sender`; `email_imap` is the mailbox that bounces come to, `imaps://USER:PASSWORD@host:port/FOLDER`; `email_webhook_key` signs what
    a mail provider brings to `/inbound/mail`; `seconds`: how long a provider is waited for.
    """

    model_config = SettingsConfigDict(
        env_prefix="CARELINE_MESSAGES_", extra="ignore", frozen=True, env_ignore_empty=True
    )

    email: str = ""
    sms: str = ""
    sms_cloud: str = ""
    sender: str = "service@careline.example"
    sms_token: SecretStr = SecretStr("")
    sms_status: str = ""
    sms_inbound: str = ""
    sms_batch: int = Field(1, ge=1, le=1000)
    sms_cloud_token: SecretStr = SecretStr("")
    sms_cloud_status: str = ""
    sms_cloud_batch: int = Field(1, ge=1, le=1000)
    alerts: SecretStr = SecretStr("")
    wecom: str = "https://qyapi.weixin.qq.com"
    wecom_corp_id: str = ""
    wecom_secret: SecretStr = SecretStr("")
    wecom_agent_id: int = Field(0, ge=0)
    email_ca: FilePath | None = None
    email_dkim_key: FilePath | None = None
    email_dkim_selector: str = Field("", pattern=SELECTOR, validate_default=True)
    email_imap: SecretStr = SecretStr("")
    email_webhook_key: SecretStr = SecretStr("")
    seconds: float = Field(10.0, gt=0, le=120)
    inbound_secret: SecretStr = SecretStr("")

    @field_validator("email")
    @classmethod
    def _mail(cls, url: str) -> str:
        return _known(url, EMAIL_SCHEMES)

    @field_validator("email_dkim_selector")
    @classmethod
    def _selector(cls, selector: str, info: ValidationInfo) -> str:
        if "email_dkim_key" in info.data and bool(info.data["email_dkim_key"]) != bool(selector):
            raise ValueError("a key to sign mails with and its selector go together")
        return selector

    @field_validator("email_imap")
    @classmethod
    def _imap(cls, url: SecretStr) -> SecretStr:
        _known(url.get_secret_value(), IMAP_SCHEMES)
        return url

    @field_validator("alerts")
    @classmethod
    def _addresses(cls, urls: SecretStr) -> SecretStr:
        if any(not urlsplit(url).scheme or not urlsplit(url).hostname for url in urls.get_secret_value().split()):
            raise ValueError("an address for alerts has a scheme and a place, as apprise writes them")
        return urls

    @field_validator("sms", "sms_cloud")
    @classmethod
    def _sms(cls, url: str) -> str:
        return _known(url, SMS_SCHEMES)

    @field_validator("sms_status", "sms_cloud_status", "sms_inbound", "wecom")
    @classmethod
    def _asked(cls, url: str) -> str:
        return _known(url, ASKED_SCHEMES)


def _known(url: str, schemes: frozenset[str]) -> str:
    if urlsplit(url).scheme not in schemes:
        choice = ", ".join(sorted(filter(None, schemes)))
        raise ValueError(f"messages cannot go to {urlsplit(url).scheme}: choose {choice}")
    return url


def connected() -> frozenset[str]:
    """The ways that lead anywhere from here."""
    settings = MessageSettings()
    return frozenset(("own", "email", "app")) | {
        way for way, given in (("cloud", settings.sms_cloud), ("wecom", settings.wecom_corp_id)) if given
    }
