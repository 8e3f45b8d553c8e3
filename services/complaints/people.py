"""Who does what to a case, and which cases acts are for: seats and relations to the case, kinds and sources [C5, C8, C28]."""

from datetime import date

from chassis import staff
from chassis.actor import Actor, Role
from chassis.acts import Sort, Who
from chassis.clock import start_of
from chassis.errors import FieldError, Invalid, Text
from chassis.staff import COMPLAINT_GROUP, GENERAL_MANAGER, HQ, OPERATIONS_CENTRE
from chassis.timeline import today
from chassis.uow import UnitOfWork
from services.complaints.rules import REGULATORS
from services.complaints.seats import judges_conduct
from services.complaints.tables import CaseRow


def _owns(actor: Actor, case: CaseRow) -> bool:
    return case.owner == actor.person or any(case.owner == f"seat:{unit}/{seat}" for unit, seat in actor.seats)


def _holds_ticket(actor: Actor, case: CaseRow) -> bool:
    """The branch's complaint group; who answers what took no order: the owner [C5, C10]."""
    if case.flow == "on_site" or case.kind != "complaint":
        return _owns(actor, case)
    seats = (OPERATIONS_CENTRE,) if case.branch_id == HQ else COMPLAINT_GROUP
    return any((case.branch_id, seat) in actor.seats for seat in seats)


def _is_manager(actor: Actor, case: CaseRow) -> bool:
    if case.branch_id == HQ:
        return (HQ, OPERATIONS_CENTRE) in actor.seats
    return (case.branch_id, GENERAL_MANAGER) in actor.seats


def _supervises(actor: Actor, case: CaseRow) -> bool:
    return _is_manager(actor, case) or actor.role is Role.COMPLIANCE or (HQ, OPERATIONS_CENTRE) in actor.seats


OWNER = Who[CaseRow]("owner", Text("its owner", "承办人"), _owns)
OFFERED = Who[CaseRow](
    "offered", Text("whom it is offered to", "被移交人"), lambda actor, case: actor.person == case.offered_to
)
GROUP = Who[CaseRow](
    "group", Text("who holds its ticket: the branch's complaint group", "持督办单的投诉处理组成员"), _holds_ticket
)
MANAGER = Who[CaseRow]("manager", Text("the branch's general manager", "营业部总经理"), _is_manager)
SUPERVISOR = Who[CaseRow]("supervisor", Text("a supervisor", "上级负责人"), _supervises)
CENTRE_STAFF = Who[CaseRow](
    "centre",
    Text("the centre", "客服中心或总部"),
    lambda actor, _: actor.role in (Role.HQ, Role.COMPLIANCE) or actor.is_centre,
)
COMPLIANCE_OFFICER = Who[CaseRow]("compliance", Text("compliance", "合规部"), lambda actor, _: judges_conduct(actor))
OWN_CLIENT = Who[CaseRow](
    "client",
    Text("the client whose it is", "投诉人本人"),
    lambda actor, case: actor.role is Role.CLIENT and actor.client_id == case.client_id,
)

REGULATOR = Sort[CaseRow](
    "regulator", Text("cases a regulator passed on", "监管转办件"), lambda case: case.source in REGULATORS
)
CONDUCT = Sort[CaseRow]("conduct", Text("conduct cases", "执业行为案件"), lambda case: case.kind == "conduct")
GROUP_CASE = Sort[CaseRow]("group_case", Text("group cases", "群体事项"), lambda case: case.kind == "cluster")
ORDERED = Sort[CaseRow](
    "ordered", Text("cases whose order went out", "已发督办单的案件"), lambda case: case.ordered_in == case.generation
)
PHONED = Sort[CaseRow](
    "phoned", Text("cases told by phone", "已电话告知的案件"), lambda case: case.phoned_in == case.generation
)
THIRD_PARTY_OVER = Sort[CaseRow](
    "third_party_over", Text("a third party that has had its time", "第三方等待期限已用完的案件"),
    lambda case: case.third_party_over,
)  # fmt: skip
MAJOR = Sort[CaseRow]("major", Text("major cases", "重大投诉"), lambda case: case.severity == "major")
ERASED = Sort[CaseRow]("erased", Text("erased cases", "已销毁的案件"), lambda case: case.erased_at is not None)


async def require_plan(uow: UnitOfWork, pointer: str, owner: str, due_on: date) -> None:
    """A plan has an owner who works here until its day, and its day lies ahead.

    Raises: Invalid.
    """
    errors = list[FieldError]()
    if due_on <= await today(uow.sql):
        errors.append(FieldError("/due_on", "does not lie ahead"))
    if (await staff.roster(uow.sql)).has_left(owner, start_of(due_on)):
        errors.append(FieldError(pointer, "no longer works here on that day"))
    if errors:
        raise Invalid(errors=tuple(errors))
