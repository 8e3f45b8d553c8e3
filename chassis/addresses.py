"""URLs as an operator writes them into settings, judged before anything is asked of them."""

import re
from urllib.parse import quote, unquote

_HOST = r"(?:[A-Za-z0-9._%{}-]+|\[[0-9a-fA-F:.]+\])(?::\d{1,5})?"
_DATABASE = re.compile(
    r"postgres(?:ql)?://(?:(?P<login>.*?)@)??"
    rf"(?P<server>(?:{_HOST}(?:,{_HOST})*)?(?:/[^/?@]*)?(?:\?[a-z_]+=.*)?)",
    re.DOTALL,
)
_KAFKA = re.compile(rf"kafka://{_HOST}(?:,{_HOST})*(?:/[A-Za-z0-9._-]*)?/?")
_HTTP = re.compile(rf"https?://{_HOST}(?:/[^\s?#]*)?")


def database_url(written: str) -> str:
    """A PostgreSQL URL whose user and password are percent-encoded, whatever characters they were written with.

    The login ends at the first "@" behind which a server, a database and options follow. `{service}` stays as it is.
    Raises: ValueError, without the password.
    """
    found = _DATABASE.fullmatch(written)
    if found is None:
        raise ValueError("must be postgresql://user:password@host:port/database, with a number as port")
    login, server = found["login"], found["server"]
    if login is None:
        return f"postgresql://{server}"
    user, colon, password = login.partition(":")
    return f"postgresql://{_encoded(user)}{colon}{_encoded(password)}@{server}"


def _encoded(part: str) -> str:
    return quote(unquote(part), safe="{}")


def user_in(url: str) -> str:
    """The user of a database URL as `database_url` gives it; empty where it names none."""
    found = _DATABASE.fullmatch(url)
    return (found["login"] or "").partition(":")[0] if found else ""


def server_in(url: str) -> str:
    """Everything of a database URL that names the server and the database: what follows the login."""
    found = _DATABASE.fullmatch(url)
    return found["server"] if found else ""


def kafka_url(written: str) -> str:
    """A Kafka URL as it is.

    Raises: ValueError when it is not of the form `kafka://host:port[,host:port]/prefix`.
    """
    if not _KAFKA.fullmatch(written):
        raise ValueError("must be kafka://host:port/prefix")
    return written


def http_url(written: str) -> str:
    """An http or https URL without query.

    Raises: ValueError.
    """
    if not _HTTP.fullmatch(written):
        raise ValueError("must be http://host:port or https://host")
    return written
