"""What complainants are told by message: at each change of state, where they chose to hear of it so [C25].

Complaints asks messaging and hears what became of it. One that arrived is a contact, and is logged as one: only what changed
after it is still to be told by a person. Who chose the phone, or nothing, is rung up.
"""

from collections.abc import Mapping, Sequence
from uuid import UUID, uuid5

from chassis.acts import Doing
from chassis.timeline import Timeline, timeline
from chassis.uow import UnitOfWork
from contracts.complaints import MessageRequested
from contracts.messaging import Channel, MessageChanged
from services.complaints import contact_duties
from services.complaints.rules import OVER
from services.complaints.tables import CaseRow

CHANNELS: Mapping[str, Channel] = {
    "sms": "sms", "短信": "sms", "email": "email", "e_mail": "email", "邮件": "email", "app": "app", "wecom": "wecom",
    "wechat": "wecom", "微信": "wecom",
}  # fmt: skip
"""Channels complainants choose that are messages, as messaging calls them."""
BY = "messaging"
_IDS = UUID("5f9d1b52-0d0e-5f0a-8d52-52f0b7b0c0a1")


async def owe(uow: UnitOfWork, moved: Sequence[Doing[CaseRow]]) -> None:
    """The states of cases changed: their complainants are to be told, by a message where they chose one."""
    await contact_duties.owe(uow, moved)
    await ask(uow, moved)


async def ask(uow: UnitOfWork, moved: Sequence[Doing[CaseRow]]) -> None:
    """The states of cases changed: ask for a message to complainants who chose one. Only a real home asks for any."""
    wanted = [(one, channel) for one in moved if (channel := _chosen(one.row)) is not None]
    if not wanted or await uow.cached(timeline) is not Timeline.REAL:
        return
    made = [
        MessageRequested(
            request_id=uuid5(_IDS, f"{one.id}/{one.row.revision}"), client_id=one.row.client_id,
            kind="complaint_over" if one.row.state in OVER else "complaint_progress", cause=f"{one.id}/{one.row.revision}",
            fields={"reference": str(one.id)}, channels=[channel], required=True, asked_at=one.at,
        )
        for one, channel in wanted
    ]  # fmt: skip
    await uow.sql.execute(
        """INSERT INTO messages_asked (request_id, case_id, channel, asked_at, state, reason, changed_at)
           SELECT r, c, w, a, 'asked', '', a FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::timestamptz[]) AS n(r, c, w, a)
           ON CONFLICT DO NOTHING""",
        [one.request_id for one in made],
        [one.id for one, _ in wanted],
        [channel for _, channel in wanted],
        [one.asked_at for one in made],
    )
    uow.emit_all(made)


def _chosen(case: CaseRow) -> Channel | None:
    """The message its complainant chose to hear by; None: a person tells them, or nobody has to."""
    if case.client_id is None or case.imported or case.restricted or case.kind != "complaint":
        return None
    return CHANNELS.get((case.contact_channel or "").lower())


async def follow(events: Sequence[MessageChanged], uow: UnitOfWork) -> None:
    """What became of them; one that arrived is logged as a contact, once."""
    latest: dict[UUID, MessageChanged] = {}
    for event in sorted(events, key=lambda one: one.at):
        if event.request_id is not None:
            latest[event.request_id] = event
    told = [latest[key] for key in sorted(latest)]
    arrived = await uow.sql.fetch(
        """UPDATE messages_asked m SET state = n.state, reason = n.reason, channel = coalesce(n.channel, m.channel), changed_at = n.at
           FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::timestamptz[]) AS n(request_id, state, reason, channel, at)
           WHERE m.request_id = n.request_id AND m.state <> 'delivered' AND (m.changed_at <= n.at OR m.state = 'asked')
           RETURNING m.case_id, m.asked_at, m.channel, m.changed_at, m.state""",
        [one.request_id for one in told],
        [one.state for one in told],
        [one.reason or "" for one in told],
        [one.channel for one in told],
        [one.at for one in told],
    )
    for case_id, asked_at, channel, at, state in arrived:
        if state == "delivered":
            await uow.sql.execute(
                "INSERT INTO contacts (case_id, at, by, channel, about) VALUES ($1, $2, $3, $4, 'state')",
                case_id,
                at,
                BY,
                channel,
            )
            await contact_duties.note_contact(uow, case_id, asked_at)
