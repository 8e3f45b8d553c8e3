"""URLs of settings: any password reaches the database, and what is no URL is refused without being repeated."""

from urllib.parse import quote, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.addresses import database_url, http_url, kafka_url, server_in, user_in

SERVERS = st.sampled_from(
    (
        "db",
        "db:5432",
        "10.0.0.1:5432",
        "[::1]:5432",
        "a:1,b:2",
        "db/careline",
        "db:1/careline?sslmode=require",
        "/x?host=/a@b",
    )
)
PASSWORDS = st.text(st.characters(min_codepoint=33, max_codepoint=0x4FFF, exclude_categories=("Cs",)), min_size=1)


@given(PASSWORDS, SERVERS)
def test_a_password_percent_encoded_is_kept(password: str, server: str) -> None:
    url = database_url(f"postgresql://careline_{{service}}:{quote(password, safe='')}@{server}")
    assert unquote(urlsplit(url).password or "") == password
    assert (user_in(url), server_in(url), database_url(url)) == ("careline_{service}", server, url)


@given(st.text("abc/?#@:%[] &=+王", min_size=1), SERVERS.filter(lambda server: "?" not in server))
def test_a_password_written_as_it_is_is_kept(password: str, server: str) -> None:
    url = database_url(f"postgresql://li:{password}@{server}")
    if "@" not in password and unquote(password) == password:  # what might be read in two ways is to be encoded
        assert (unquote(urlsplit(url).password or ""), server_in(url)) == (password, server)


@pytest.mark.parametrize("password", ["a/b", "a@b", "a?b", "a#b", "a:b", "p@ss/w:rd?#", "100%", "[x]", "a b", "密码"])
def test_usual_passwords_need_no_encoding(password: str) -> None:
    assert unquote(urlsplit(database_url(f"postgresql://li:{password}@db:5432/careline")).password or "") == password


@pytest.mark.parametrize(
    "url", ["", "db", "mysql://li:secret@db", "postgresql://li:secret@db:port/x", "postgresql//li:secret"]
)
def test_what_is_no_url_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(ValueError, match="postgresql://") as refused:
        database_url(url)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("url", ["kafka://k", "kafka://k:9092/p", "kafka://a:1,b:2/careline", "kafka://[::1]:9092/x/"])
def test_kafka(url: str) -> None:
    assert kafka_url(url) == url


@pytest.mark.parametrize(
    "url", ["", "k:9092", "http://k", "kafka://", "kafka://k:port", "kafka://k/a/b", "kafka://k/王"]
)
def test_what_is_no_kafka(url: str) -> None:
    with pytest.raises(ValueError, match="kafka://"):
        kafka_url(url)


@pytest.mark.parametrize(("url", "good"), [("http://a:80", True), ("https://a/b", True), ("a:80", False), ("http://", False), ("http://a?b", False)])  # fmt: skip
def test_http(url: str, good: bool) -> None:
    if good:
        assert http_url(url) == url
    else:
        with pytest.raises(ValueError, match="http"):
            http_url(url)
