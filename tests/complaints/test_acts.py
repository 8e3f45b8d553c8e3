"""The table of acts of a case, walked: every act in every situation by everybody [C8, C10, C23, C27, C28]."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from uuid_utils import uuid7

from chassis.actor import CALL_CENTRE, Actor, Role
from chassis.staff import COMPLAINT_OFFICER, GENERAL_MANAGER, HQ
from chassis.staff import COMPLIANCE as COMPLIANCE_SEAT
from chassis.uow import UnitOfWork
from services.complaints.acts import ACTS
from services.complaints.forms import (
    About,
    Assignment,
    CameToLight,
    CarriedOut,
    Conclusion,
    Contact,
    Correction,
    Demand,
    Entered,
    Feedback,
    HandOver,
    Link,
    Noted,
    PhoneNotice,
    PromiseGiven,
    Rejection,
    Solution,
    Waiting,
)
from services.complaints.intake import open_cases
from services.complaints.report import Report
from services.complaints.tables import CaseRow
from tests.complaints.desk import FEEDBACK, Desk
from tests.walks.acts import Walk

PEOPLE = {
    "client": Actor("app/c-li", Role.CLIENT, client_id="c-li"),
    "owner": Actor("HQ-CS-1", Role.HQ, seats=frozenset({(HQ, CALL_CENTRE)})),
    "officer": Actor("B1-officer", Role.AGENT, branch_id="B1", seats=frozenset({("B1", COMPLAINT_OFFICER)})),
    "director": Actor("B1-director", Role.BRANCH_MANAGER, branch_id="B1", seats=frozenset({("B1", GENERAL_MANAGER)})),
    "elsewhere": Actor("B2-officer", Role.AGENT, branch_id="B2", seats=frozenset({("B2", COMPLAINT_OFFICER)})),
    "compliance": Actor("HQ-compliance", Role.COMPLIANCE, seats=frozenset({(HQ, COMPLIANCE_SEAT)})),
    "about whom it is": Actor("m-1", Role.CLIENT_MANAGER, branch_id="B1"),
}


def another(uow: UnitOfWork) -> str:
    """Somebody of the centre; another one each hour, so that nobody is named who owns the case already."""
    return f"HQ-CS-{uow.now.hour % 8 + 2}"


def waiting(whom: str) -> Callable[[UnitOfWork], Waiting]:
    return lambda uow: Waiting(waits_for=whom, reason="等材料", expected_end=uow.now + timedelta(days=2))


BODIES: dict[str, Callable[[UnitOfWork], Any]] = {
    "offer": lambda uow: HandOver(to=another(uow)),
    "assign": lambda uow: Assignment(to=another(uow), reason="值班调整"),
    "phone_notice": lambda _: PhoneNotice(to="B1-director", recording="rec/1"),
    "solution": lambda _: Solution(words="上门道歉"),
    "wait_customer": waiting("customer"),
    "wait_third_party": waiting("third_party"),
    "promise": lambda uow: PromiseGiven(due=uow.now + timedelta(days=3), reason="出差"),
    "feedback": lambda _: Feedback(**FEEDBACK),
    "withdraw": lambda _: Noted(reason="已解决"),
    "reject": lambda _: Rejection(reason="不属于受理范围", further="12386"),
    "carry_out": lambda _: CarriedOut(evidence="培训记录"),
    "conclude": lambda _: Conclusion(upheld=True, measure="警告", circular="通报"),
    "reopen": lambda _: Noted(reason="不满意"),
    "reply": lambda _: Entered(),
    "new_facts": lambda _: CameToLight(reason="核实发现", claim=Decimal("600000.00")),
    "downgrade": lambda _: Noted(reason="金额有误"),
    "correct": lambda _: Correction(reason="另一类别", category="fees"),
    "demand": lambda _: Demand(what="赔偿", amount=Decimal("10.00")),
    "drop_demand": lambda _: About(id=str(MADE), reason="接受道歉"),
    "suggest": lambda _: Noted(reason="增加夜间热线"),
    "adopt": lambda _: About(id=str(MADE)),
    "link": lambda _: Link(other_id=UUID(int=2), relation="same_matter"),
    "unlink": lambda _: About(id=str(MADE)),
    "contact": lambda _: Contact(channel="phone", about="回电说明"),
}
MADE = UUID(int=1)
"""A demand, a suggestion and another case that belong to whatever case is walked."""


async def make(uow: UnitOfWork, sort: str) -> UUID:
    """A new case of a sort."""
    sorts: dict[str, dict[str, Any]] = {
        "ordinary": {},
        "regulator": {"source": "regulator", "channel": "regulator_transfer", "regulator_ref": "沪2009-1"},
        "conduct": {"kind": "conduct", "restricted": True, "owner": "HQ-compliance"},
    }
    case_id = UUID(bytes=uuid7().bytes)
    given = {"system": "rest", "client_id": "c-li", "branch_id": "B1", "channel": "hotline", "owner": "HQ-CS-1"}
    await open_cases(uow, [Report(case_id=case_id, concerned=["m-1"], received_at=uow.now, **given | sorts[sort])])
    await uow.sql.execute(
        "INSERT INTO demands (demand_id, case_id, what, made_at) VALUES ($2, $1, '', now())", case_id, MADE
    )
    await uow.sql.execute(
        """INSERT INTO suggestions (suggestion_id, case_id, words, recorded_at, recorded_by)
           VALUES ($2, $1, '', now(), '')""",
        case_id,
        MADE,
    )
    await uow.sql.execute(
        "INSERT INTO links (case_id, other_id, relation, at, by) VALUES ($1, $2, 'same_matter', now(), '')",
        case_id,
        MADE,
    )
    return case_id


def more(case: CaseRow) -> tuple[Any, ...]:
    """What else the table looks at."""
    return case.ordered_in == case.generation, case.offered_to is not None, case.generation > 1


@pytest.mark.parametrize(("sort", "longest"), [("ordinary", 2), ("regulator", 2), ("conduct", 2)])
async def test_every_act_in_every_situation_by_everybody(desk: Desk, sort: str, longest: int) -> None:
    walk = Walk(desk.world, "complaints", ACTS, PEOPLE, make, (sort,), BODIES, longest, more=more)
    await walk.run()
    assert len(walk.seen) > longest
