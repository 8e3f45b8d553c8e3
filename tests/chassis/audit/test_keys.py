"""Keys rotate while the platform runs: old data readable, old seals valid, each change signed by the key before it."""

import base64

import pytest
from pydantic import SecretStr

from chassis import secrets
from chassis.actor import Actor, Role
from chassis.http.identity import INTERNAL, Tokens
from chassis.key_history import KeyHistory, trusted_seal_keys
from chassis.personal import FieldCipher
from chassis.settings import Settings
from tests.chassis.audit.conftest import act, sealer
from tests.world import World


def as_given(key: bytes) -> str:
    return base64.b64encode(key).decode()


async def test_seals_of_old_and_new_key_verify(sealed: World) -> None:
    settings = sealed.settings
    old = secrets.key_bytes(settings, "seal")
    ring = f"{as_given(b'n' * 32)},{as_given(old)}"
    rotated = settings.model_copy(update={"seal_key": SecretStr(ring)})
    for worker in sealed.platform.workers.values():
        worker.sealer.settings = worker.sealer.keys.settings = rotated
    sealed.settings = rotated
    await act(sealed, 2)
    await sealed.seal()
    names = await sealed.rows("points", "SELECT DISTINCT key_id FROM seals")
    assert {row["key_id"] for row in names} == {secrets.name_of(b"n" * 32), secrets.name_of(old)}
    assert await sealed.findings(full=True) == []
    # The history vouches for the old key when only the new one is left.
    alone = settings.model_copy(update={"seal_key": SecretStr(as_given(b"n" * 32))})
    assert set(trusted_seal_keys(alone)) == {secrets.name_of(b"n" * 32), secrets.name_of(old)}
    assert secrets.name_of(b"x" * 32) not in trusted_seal_keys(alone)


async def test_a_sealer_with_another_key_signs_nothing(sealed: World) -> None:
    replaced = sealed.settings.model_copy(update={"seal_key": SecretStr(as_given(b"x" * 32))})
    sealer(sealed).settings = sealer(sealed).keys.settings = replaced
    await act(sealed, 1)
    await sealed.seal()
    assert "seal key in use" in sealer(sealed).alarm


def test_what_was_made_before_a_rotation_stays_good(tmp_path: object) -> None:
    settings = Settings(home=tmp_path)  # type: ignore[arg-type]
    tokens, other = Tokens(settings, INTERNAL), Tokens(settings, INTERNAL)
    cipher = FieldCipher(settings)
    caller = Actor("user:a", Role.COMPLIANCE)
    token, stored = tokens.make(caller), cipher.encrypt("phone", "c-1", "13800000000")
    for name in ("internal", "field", "seal"):
        before = secrets.key_bytes(settings, name)
        assert secrets.rotate(settings, name) == secrets.name_of(secrets.key_bytes(settings, name))
        assert secrets.key_ring(settings, name)[1] == before
    fresh = Tokens(settings, INTERNAL)
    assert (
        fresh.check(token).actor == other.check(fresh.make(caller)).actor == caller
    )  # the second has not heard of it yet
    renewed = FieldCipher(settings)
    assert renewed.decrypt("phone", "c-1", stored) == "13800000000"
    assert cipher.decrypt("phone", "c-1", renewed.encrypt("phone", "c-1", "1")) == "1"


def test_each_change_is_signed_by_the_key_before_it(tmp_path: object) -> None:
    settings = Settings(home=tmp_path)  # type: ignore[arg-type]
    for name in ("internal", "field", "seal"):
        secrets.key_bytes(settings, name)
    history = KeyHistory(settings)
    with history.held():
        assert [change.name for change in history.keep()] == ["seal", "internal", "field"]
    for name in ("field", "seal", "internal"):
        secrets.rotate(settings, name)
        with history.held():
            [change] = history.keep()
        assert (change.name, bool(change.old and change.new)) == (name, True)
    again = KeyHistory(settings)
    again.read()
    assert (
        again.newest == history.newest == {n: secrets.name_of(secrets.key_bytes(settings, n)) for n in history.newest}
    )
    assert again.problems() == []


@pytest.mark.parametrize("text", ["", "not base64!", base64.b64encode(b"short").decode()])
def test_a_damaged_key_is_named(tmp_path: object, text: str) -> None:
    settings = Settings(home=tmp_path)  # type: ignore[arg-type]
    secrets.key_bytes(settings, "seal")
    (settings.home / "secrets" / "seal.key").write_text(text)
    with pytest.raises(ValueError, match=r"seal\.key"):
        secrets.key_bytes(settings, "seal")
    given = settings.model_copy(update={"field_key": SecretStr(text)})
    with pytest.raises(ValueError, match="CARELINE_FIELD_KEY"):
        secrets.key_bytes(given, "field")
