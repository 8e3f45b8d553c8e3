"""What callbacks kept of messages is taken in here, each item once; nothing is sent before all of it is there.

Callbacks says with an end mark how many items it told. They come in any order, and again: what is here already stays as it is.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import uuid5

import asyncpg

from chassis import rows
from chassis.clock import business_date
from chassis.timeline import today
from chassis.uow import UnitOfWork
from contracts.callbacks import MessageHandedOver
from services.messaging import messages, preferences
from services.messaging.policy import Policies
from services.messaging.tables import ConsentRow, FeedbackRow, MessageRow, SubscriptionRow

PUBLISHER = "callbacks"
STOPPED = ("MARKETING", "SUBSCRIBED")
"""Who wanted no marketing got no column either, even one they had subscribed to."""
HANDED = "handed_over"
COMPLETE = f"EXISTS (SELECT FROM hand_overs WHERE publisher = '{PUBLISHER}' AND taken = told)"
"""SQL: whether everything that is handed over is here."""


async def take(events: Sequence[MessageHandedOver], uow: UnitOfWork) -> None:
    """Take in what is new of these items."""
    first = {one.item_id: one for one in reversed(events)}
    fresh = await uow.sql.fetch(
        "INSERT INTO taken_over (item_id) SELECT unnest($1::uuid[]) ON CONFLICT DO NOTHING RETURNING item_id",
        sorted(first),
    )
    new = [first[key] for (key,) in fresh]
    ends = [one.count for one in new if one.what == "end"]
    await uow.sql.execute(
        """INSERT INTO hand_overs AS h (publisher, taken, told) VALUES ($1, $2, $3) ON CONFLICT (publisher) DO UPDATE
           SET taken = h.taken + excluded.taken, told = coalesce(excluded.told, h.told)""",
        PUBLISHER,
        len(new) - len(ends),
        next(iter(ends), None),
    )
    uow.notify(messages.LOOPS)  # it may have been the last of it
    by = {what: [one for one in new if one.what == what] for what in ("message", "opt_out", "language")}
    await _messages(uow, by["message"])
    await _opt_outs(uow, by["opt_out"])
    await _languages(uow, by["language"])
    await _interest(uow, [one for one in new if one.what in ("subscription", "feedback")])


async def _messages(uow: UnitOfWork, told: Sequence[MessageHandedOver]) -> None:
    policies, day = await uow.policies(Policies), await today(uow.sql)
    kinds, classes = policies.templates.on(day).body.kinds, policies.sending.on(day).body.classes
    made = []
    for one in told:
        template = kinds.get(one.kind or "")
        message_class = template.message_class if template else "NOTICE"
        lifetime = timedelta(minutes=classes[message_class].lifetime_minutes)
        sealed = one.sealed.get("fields")
        made.append(
            MessageRow(
                message_id=one.item_id, client_id=one.client_id, staff_id=None, branch_id=None, kind=one.kind or "",
                cause=one.cause or str(one.item_id), message_class=message_class, asked_by=PUBLISHER,
                request_id=one.item_id, asked_at=one.at, asked_on=business_date(one.at),
                fields=sealed.encode() if sealed else None, required=True, shock=False, not_before=one.not_before,
                not_after=one.not_after or uow.now + lifetime, due_at=uow.now, state=one.state or "unknown",
                reason=one.reason or "", way=None, channel=one.channel, channels="", language=one.language,
                template=one.template, parts=None, body_sha256=one.body_sha256, address=None, address_token=None,
                tries=one.tries or 0, batch_id=None, merged_into=None, handed_at=one.handed_at, provider_ref=one.receipt,
                ended_at=one.ended_at, read_at=None, words=None,
            )
        )  # fmt: skip
    await messages.insert(uow, made)


async def _opt_outs(uow: UnitOfWork, told: Sequence[MessageHandedOver]) -> None:
    await preferences.keep(
        uow,
        [
            ConsentRow(
                uuid5(one.item_id, stopped), one.client_id, None, stopped, None, False, one.at, uow.now, PUBLISHER,
                HANDED, "", f"callbacks/{one.item_id}",
            )
            for one in told
            for stopped in STOPPED
        ],
    )  # fmt: skip
    for one in told:
        await preferences.tell(uow, one.client_id or "", one.at)


async def _languages(uow: UnitOfWork, told: Sequence[MessageHandedOver]) -> None:
    """A language chosen here meanwhile is the later word."""
    await uow.sql.execute(
        """INSERT INTO preferences AS p (client_id, language, changed_at)
           SELECT client_id, language, $3 FROM unnest($1::text[], $2::text[]) AS n(client_id, language)
           ON CONFLICT (client_id) DO UPDATE SET language = excluded.language WHERE p.language IS NULL""",
        [one.client_id for one in told],
        [one.language for one in told],
        uow.now,
    )


async def _interest(uow: UnitOfWork, told: Sequence[MessageHandedOver]) -> None:
    branches = dict(
        map(tuple, await uow.sql.fetch(
            "SELECT client_id, branch_id FROM clients WHERE client_id = ANY($1::text[])",
            sorted({one.client_id for one in told if one.client_id}),
        ))
    )  # fmt: skip
    wanted = [
        SubscriptionRow(one.key, one.column or "", one.channel or "", business_date(one.at), one.recorded_by or "")
        for one in told
        if one.what == "subscription"
    ]
    await _insert(
        uow, "subscriptions", SubscriptionRow, "$1::text[], $2::text[], $3::text[], $4::date[], $5::text[]", wanted
    )
    shown = [
        FeedbackRow(
            one.item_id, one.key, branches.get(one.key), one.column or "", one.reason or "", one.at,
            business_date(one.at), one.message_id, one.recorded_by or "",
        )
        for one in told
        if one.what == "feedback"
    ]  # fmt: skip
    arrays = "$1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::timestamptz[], $7::date[], $8::uuid[], $9::text[]"
    await _insert(uow, "feedback", FeedbackRow, arrays, shown)


async def _insert(uow: UnitOfWork, name: str, kind: type[rows.Row], arrays: str, made: Sequence[rows.Row]) -> None:
    if made:
        await uow.sql.execute(
            f"""INSERT INTO {name} ({rows.columns(kind)}) SELECT * FROM unnest({arrays}) ON CONFLICT DO NOTHING""",
            *rows.lists(made),
        )


async def check(sql: asyncpg.Connection) -> dict[str, Any]:
    """Whether messages wait for what callbacks hands over."""
    [[waiting, complete, taken, told]] = await sql.fetch(
        f"""SELECT (SELECT count(*) FROM messages WHERE state IN ('planned', 'queued')), {COMPLETE},
                   (SELECT sum(taken) FROM hand_overs), (SELECT sum(told) FROM hand_overs)"""
    )
    if complete or not waiting:
        return {"status": "pass"}
    return {
        "status": "warn",
        "output": f"{waiting} messages wait until callbacks has handed over what it kept: {taken or 0} of {told or 'unknown'} are here",
        "fix": "run the worker of callbacks; look for dead letters of callbacks.message.handed_over in messaging",
    }
