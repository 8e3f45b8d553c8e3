"""The one reading door: encrypted columns are decrypted here, for who needs them to act, and it is recorded."""

from collections.abc import Mapping
from functools import lru_cache

from chassis.errors import Text, Unavailable
from chassis.objections import TRIGGERS, is_triggered, objecting
from chassis.personal.fields import FORMAT, FieldCipher, Undecipherable, masked
from chassis.personal.keys import KeysUnavailable, Value
from chassis.settings import Settings
from chassis.uow import ServiceDatabase, UnitOfWork


@lru_cache(maxsize=16)
def _cipher(settings: Settings) -> FieldCipher:
    return FieldCipher(settings)


async def open_columns(
    database: ServiceDatabase, owner: str, columns: Mapping[str, bytes | None]
) -> dict[str, str | None]:
    """Encrypted columns of one owner in clear, by field; None for what is empty or cannot be read any more.

    For the platform's own use (a message's address); what people see goes through `reveal`.
    """
    opened = dict(zip(columns, await database.keyring.open(
        [Value(owner, field, None if _is_old(stored) else stored) for field, stored in columns.items()]
    ), strict=True))  # fmt: skip
    for field, stored in columns.items():
        if stored and _is_old(stored):
            opened[field] = _open_old(database.settings, owner, field, stored)
    return opened


def _is_old(stored: bytes | None) -> bool:
    """Kept before there were keys of clients: under the platform's field key."""
    return bool(stored) and stored is not None and stored[0] == FORMAT


def _open_old(settings: Settings, owner: str, field: str, stored: bytes) -> str | None:
    for place in (owner, owner.partition(":")[2]):
        try:
            return _cipher(settings).decrypt(field, place, stored)
        except Undecipherable:
            continue
    return None


async def reveal(
    uow: UnitOfWork,
    subject: str,
    fields: Mapping[str, Value],
    purpose: str,
    *,
    in_full: bool,
    key: str | None = None,
) -> dict[str, str | None]:
    """What the caller needs to act on an object, in clear where they are the one who acts, else masked; recorded.

    `in_full` is the object's own rule (holder of a task, owner of a case, manager of a client). None for what is not
    there, is blocked, or was erased; nothing of a client who objects to being looked at, unless a service asks for it [A16].

    Raises: Unavailable while the keys cannot be had.
    """
    found: dict[str, str | None] = {}
    if subject.partition("/")[0] not in TRIGGERS and not is_triggered(purpose):
        hidden = await objecting(uow.sql, uow.actor, {value.owner for value in fields.values()})
        fields = {name: value for name, value in fields.items() if value.owner not in hidden}
    try:
        await uow.database.keyring.keys({value.owner for value in fields.values() if value.text})  # one question
        for name, value in fields.items():
            stored = value.text.encode() if isinstance(value.text, str) else value.text
            found[name] = (await open_columns(uow.database, value.owner, {value.field: stored}))[value.field]
    except KeysUnavailable as error:
        raise Unavailable(Text("the keys of clients cannot be reached", "无法取得客户密钥"), retry_after=5) from error
    uow.audit(
        "reveal", subject, key=key, fields=sorted(name for name, value in found.items() if value),
        in_full=in_full, purpose=purpose,
    )  # fmt: skip
    if in_full:
        return found
    return {name: value and masked(fields[name].field, value) for name, value in found.items()}
