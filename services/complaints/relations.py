"""Cases that belong together: the same matter, members of a group, a refused or late one before a regulator's [C14].

Links are added and ended, never merged: every case keeps its own history.
"""

from collections.abc import Sequence
from uuid import UUID

from uuid_utils import uuid7

from chassis import staff
from chassis.clock import business_date, months_after, start_of
from chassis.staff import GENERAL_MANAGER
from chassis.uow import UnitOfWork
from services.complaints.policy import Policies
from services.complaints.report import Report
from services.complaints.rules import REGULATORS

MEMBER, RECURS = "member_of", "recurs_after"


async def link(uow: UnitOfWork, case_id: UUID, other: UUID, relation: str) -> None:
    """Note that a case belongs to another; once more is a repeat, and one ended before holds again."""
    await uow.sql.execute(
        """INSERT INTO links (case_id, other_id, relation, at, by) VALUES ($1, $2, $3, $4, $5)
           ON CONFLICT (case_id, other_id, relation) DO UPDATE SET ended_at = NULL""",
        case_id,
        other,
        relation,
        uow.now,
        uow.actor.person,
    )


async def find_refused_before(uow: UnitOfWork, reports: Sequence[Report]) -> None:
    """A regulator's case of a client whose complaint of the same matter was refused or late within 12 months.

    It is linked by itself, and an accountability case is opened against the earlier owner and the branch's head [C14]. What
    was registered as an enquiry or a suggestion counts as well: whoever registered it decided that.
    """
    for one in reports:
        if one.source not in REGULATORS or one.client_id is None:
            continue
        limits = (await uow.policies(Policies)).limits.on(business_date(one.received_at)).body
        since = start_of(months_after(business_date(one.received_at), -limits.related_months))
        rows = await uow.sql.fetch(
            """SELECT c.case_id, c.owner, c.branch_id,
                      EXISTS (SELECT FROM act_steps s WHERE s.object = 'case/' || c.case_id AND s.act = 'reject') AS refused,
                      EXISTS (SELECT FROM act_steps s WHERE s.object = 'case/' || c.case_id AND s.act = 'escalated: due')
                        OR c.kind <> 'complaint' AND c.due_on < coalesce(c.closed_at, $4) AT TIME ZONE 'Asia/Shanghai' - interval '1 day' AS late
               FROM cases c
               WHERE c.client_id = $1 AND c.case_id <> $2 AND c.kind <> ALL('{cluster,conduct}') AND c.received_at >= $3
                 AND c.received_at <= $4 AND ($5 = '' OR c.category = '' OR c.category = $5)
               ORDER BY c.received_at""",
            one.client_id,
            one.case_id,
            since,
            one.received_at,
            one.category,
        )
        for row in rows:
            if row["refused"] or row["late"]:
                cause = "refused_before" if row["refused"] else "late_before"
                await link(uow, one.case_id, row["case_id"], cause)
                await hold_to_account(uow, row["case_id"], row["owner"], row["branch_id"], cause)


async def hold_to_account(uow: UnitOfWork, case_id: UUID, owner: str, branch_id: str, cause: str) -> None:
    """Open accountability (责任追究) against the owner and the head of the branch, once for each cause [C14]."""
    roster = await staff.roster(uow.sql)
    head = roster.seated(branch_id, GENERAL_MANAGER, uow.happened_at)
    await uow.sql.execute(
        """INSERT INTO accountability (accountability_id, case_id, cause, against, opened_at)
           VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING""",
        UUID(bytes=uuid7().bytes),
        case_id,
        cause,
        sorted({owner, *head}),
        uow.happened_at,
    )
