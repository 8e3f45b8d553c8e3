"""What waits for somebody: cases to take in hand, gold clients first [C18], and complainants to be told [C25]."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import Query
from pydantic import BaseModel

from chassis.actor import Actor
from chassis.calendars import current
from chassis.clock import business_date
from chassis.clocks import WorkingDays
from chassis.http import Listing, Page, Reading, object_scope, permits, router
from chassis.timeline import effective_now, today
from services.complaints.api.shapes import STAFF
from services.complaints.followed_histories import PRIORITY_TIERS
from services.complaints.policy import Policies
from services.complaints.tables import TIERS

routes = router("/v1/complaints", "complaints")
Handler = Annotated[Actor, permits("complaints.cases:handle", *STAFF)]


NEXT_WORKING_DAY = WorkingDays(0)


class Waiting(BaseModel):
    """A case nobody has taken in hand. `priority` says why it comes first; nothing else about it differs."""

    case_id: UUID
    revision: int
    state: Literal["received", "reopened"]
    kind: str
    severity: str
    branch_id: str
    client_id: str | None
    owner: str
    received_at: datetime
    due: datetime | None
    priority: Literal["vip_line", "tier"] | None
    tier: str | None


@routes.get("/queue")
async def read_queue(actor: Handler, sql: Reading, page: Page) -> Listing[Waiting]:
    """Cases to be taken in hand: gold-and-above clients and the VIP line first, then who is due first.

    Only the order differs: clocks, ladders and what counts as proof are everybody's [C18].
    """
    scope, arguments = object_scope(actor, 9, centre=True)
    day = await today(sql)
    rows = await sql.fetch(
        f"""SELECT q.*, CASE WHEN q.by_line THEN 'vip_line' WHEN q.tier = ANY($1::text[]) THEN 'tier' END AS priority
            FROM (SELECT c.case_id, c.revision, c.state, c.kind, c.severity, c.branch_id, c.client_id, c.owner,
                         c.received_at, c.priority AS by_line, k.due, {TIERS.on("tier", "c.client_id", "$2::date")} AS tier
                  FROM cases c LEFT JOIN clocks k
                       ON k.object = 'case/' || c.case_id || '/' || c.generation AND k.clock = 'result'
                  WHERE c.state IN ('received', 'reopened') AND c.kind <> 'cluster' AND NOT c.restricted AND NOT c.imported
                    AND NOT ($3 = ANY(c.concerned)) AND {scope.replace("branch_id", "c.branch_id")}) q,
                 LATERAL (SELECT NOT (q.by_line OR coalesce(q.tier = ANY($1::text[]), false)) AS later,
                                 coalesce(q.due, 'infinity') AS by) o
            WHERE $4::bool IS NULL OR (o.later, o.by, q.received_at, q.case_id)
                  > ($4, $5::text::timestamptz, $6::text::timestamptz, $7::text::uuid)
            ORDER BY o.later, o.by, q.received_at, q.case_id LIMIT $8""",
        list(PRIORITY_TIERS),
        day,
        actor.person,
        *(page.after or (None, None, None, None)),
        page.limit + 1,
        *arguments,
    )
    found = page.result(
        [dict(row) for row in rows],
        lambda row: (row["priority"] is None, row["due"] or "infinity", row["received_at"], row["case_id"]),
    )
    return Listing[Waiting].model_validate(found)


class Prompt(BaseModel):
    """Somebody who complained and is to be told of what changed since an instant, by the channel they chose."""

    case_id: UUID
    client_id: str | None
    owner: str
    state: str
    outcome: str | None
    since: datetime
    due: datetime
    overdue: bool
    channel: str


@routes.get("/prompts")
async def read_prompts(
    actor: Handler,
    sql: Reading,
    page: Page,
    everybody: Annotated[bool, Query(description="of all owners the caller may see, not the caller's own")] = False,
) -> Listing[Prompt]:
    """Which complainants are to be contacted (及时与投诉人联系), oldest first; logging the contact answers it [C25]."""
    now = await effective_now(sql)
    scope, arguments = object_scope(actor, 6, centre=True)
    rows = await sql.fetch(
        f"""SELECT case_id, client_id, owner, state, outcome, to_tell_since AS since, received_at,
                   coalesce(contact_channel, channel) AS channel
            FROM cases WHERE to_tell_since IS NOT NULL AND ($1 OR owner = $2) AND NOT restricted AND {scope}
              AND ($3::text IS NULL OR (to_tell_since, case_id) > ($3::text::timestamptz, $4::text::uuid))
            ORDER BY to_tell_since, case_id LIMIT $5""",
        everybody,
        actor.person,
        *(page.after or (None, None)),
        page.limit + 1,
        *arguments,
    )
    policies = await Policies.read(sql)
    calendar = await current(sql)
    found = []
    for row in rows:
        # Who complained out of hours is called on the next working day [C8].
        limit = (
            NEXT_WORKING_DAY
            if row["since"] == row["received_at"]
            else policies.limits.on(business_date(row["since"])).body.tell
        )
        due = limit.first_due(row["since"], calendar)
        found.append(Prompt.model_validate(dict(row) | {"due": due, "overdue": due <= now}))
    return Listing[Prompt].model_validate(page.result(found, lambda one: (one.since, one.case_id)))
