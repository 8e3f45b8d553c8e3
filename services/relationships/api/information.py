"""The client information set over HTTP: what is known of a client, entering it, the scores [CI1 to CI9]."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from chassis.actor import Actor, Role
from chassis.errors import FieldError, NotFound, Text
from chassis.http import Once, Purpose, Reading, Work, object_scope, permits, router
from chassis.http.language import Language, preferred
from chassis.personal.keys import Value as PersonalValue
from chassis.personal.reading import reveal
from chassis.timeline import effective_now, today
from chassis.uow import UnitOfWork
from contracts.broker import QuotaReported
from contracts.fields import BusinessDate, Code, Identifier, text_of
from services.relationships.api.shapes import DESK, STAFF, Body, see_client
from services.relationships.assignments import is_theirs
from services.relationships.entry import Entered, enter, sources_of
from services.relationships.errors import WrongValue
from services.relationships.held_away import estimates
from services.relationships.information import Sheet, sheets
from services.relationships.policy import Policies
from services.relationships.prospects import is_owner
from services.relationships.rules import HALF, Indicator, SetCode, scores

routes = router("/v1/relationships", "relationships")
Reader = Annotated[Actor, permits("relationships.information:read", Role.CLIENT, *STAFF, Role.SYSTEM)]
Holder = Annotated[Actor, permits("relationships.information:held_away", *STAFF)]
Staff = Annotated[Actor, permits("relationships.information:figures", *STAFF, Role.SYSTEM)]
Enterer = Annotated[Actor, permits("relationships.information:enter", Role.CLIENT, *DESK, Role.SYSTEM, centre=True)]
Words = Annotated[str, text_of(2000)]
IndicatorCode = Annotated[Code, Field(examples=["CI-P08"])]
Percent = Annotated[Decimal, Field(description="the share that is filled and valid, in per cent", examples=["69.3"])]
ByPeople = Annotated[Decimal, Field(description="the same of what people fill, in per cent", examples=["13.6"])]


class ScoreOf(Body):
    """A set and what of it is valid; `unknown`: what is said to be unknown or refused, of which half counts [CI3]."""

    set: SetCode
    valid: Annotated[list[IndicatorCode], Field(max_length=500)]
    unknown: Annotated[list[IndicatorCode], Field(max_length=500, default_factory=list)]


class Score(BaseModel):
    """Completeness in percent, one decimal [CI5]: `entered` counts only what people fill."""

    whole: Percent
    entered: ByPeople


class Gap(BaseModel):
    """An indicator that is missing."""

    code: str
    name: str
    weight: int


class IndicatorView(Gap):
    """What is known under an indicator: who said it, when, and until when it counts.

    What is personal is read by another route; what another service keeps is shown by that service's part.
    """

    state: Literal["stated", "unknown", "refused", "missing"]
    counts: bool
    personal: bool
    value: str | None
    kept_by: str | None
    estimate: Annotated[bool, Field(description="worked out from other figures, not known")]
    source: str | None
    person: str | None
    day: date | None
    valid_until: date | None
    passed: str | None


class ClientInformation(BaseModel):
    """Everything known of a client as of a day, both scores, and the heaviest gaps the caller can fill [CI7]."""

    client_id: str
    as_of: date
    set: SetCode
    whole: Percent
    entered: ByPeople
    target: int
    policy: str
    gaps: list[Gap]
    indicators: list[IndicatorView]


class ValueGiven(Body):
    """One value: `stated` with it; `unknown` or `refused` without, so that nobody invents one."""

    code: IndicatorCode
    state: Literal["stated", "unknown", "refused"] = "stated"
    value: Words | None = None
    evidence: Annotated[str, text_of(200, 1)] | None = None
    valid_until: BusinessDate | None = None


class ValuesGiven(Body):
    """Values entered together; `passed` says, by check, why a doubt is none."""

    values: Annotated[list[ValueGiven], Field(min_length=1, max_length=100)]
    passed: Annotated[dict[Code, Annotated[str, text_of(200, 2)]], Field(default_factory=dict)]


class PersonalInformation(BaseModel):
    """What is personal, by indicator: in full for the client themselves, their owner and their team, masked for everybody else."""

    client_id: str
    in_full: bool
    values: dict[str, str | None]


class HeldAwayEstimate(BaseModel):
    """What a client seems to hold elsewhere (系统外价值), an estimate [A27]: what the quota for new issues of each market implies
    (`implied`) less what is held here (`here`, the mean of the days the quota looks at), never under nought. `as_of`: the day of
    the latest quota; `policy`: what a share of the quota stands for."""

    client_id: str
    estimate: Annotated[Literal[True], Field(description="nobody knows it: it is worked out")] = True
    value: Annotated[Decimal, Field(description="the estimate in yuan", examples=["180000.00"])]
    implied: Annotated[Decimal, Field(description="the market value that the quotas stand for", examples=["250000.00"])]
    here: Annotated[Decimal, Field(description="what is held here, in the mean", examples=["70000.00"])]
    quotas: Annotated[
        dict[str, Decimal], Field(description="the latest quota of each market, in shares", examples=[{"SH": "25000"}])
    ]
    source: Annotated[str, Field(description="what it is worked out from", examples=["broker.quota.reported"])]
    as_of: date
    valid_until: date
    policy: str


class Completeness(BaseModel):
    """A branch's completeness by set at a month's end."""

    month_end: date
    branch_id: str | None
    set: SetCode
    clients: int
    whole: Percent
    entered: ByPeople
    target: int
    reached: int


@routes.post("/information/score")
async def score_information(_: Staff, sql: Reading, body: ScoreOf) -> Score:
    """The two scores of a client of whom this is valid, by the set in force today."""
    indicators = (await Policies.read(sql)).information.on(await today(sql)).body.indicators
    wrong = [
        FieldError(f"/{name}/{n}", "no such indicator")
        for name, codes in (("valid", body.valid), ("unknown", body.unknown))
        for n, code in enumerate(codes)
        if code not in indicators
    ]
    if wrong:
        raise WrongValue(errors=tuple(wrong))
    counted = dict.fromkeys(body.unknown, HALF) | dict.fromkeys(body.valid, Decimal(1))
    found = scores(indicators.values(), body.set, counted)
    return Score(whole=found.whole, entered=found.entered)


@routes.get("/information/completeness")
async def list_completeness(actor: Staff, sql: Reading, month_end: BusinessDate) -> list[Completeness]:
    """How complete what is known was at a month's end, by branch and set, against the target [CI5]."""
    scope, arguments = object_scope(actor, 2)
    rows = await sql.fetch(
        f"""SELECT branch_id, of AS set, policy, count(*) AS clients, round(avg(whole), 1) AS whole,
                   round(avg(entered), 1) AS entered, array_agg(entered) AS each
            FROM completeness WHERE month_end = $1 AND {scope} GROUP BY branch_id, of, policy
            ORDER BY branch_id, of, policy LIMIT 10000""",
        month_end,
        *arguments,
    )
    policies = await Policies.read(sql)
    found = []
    for row in rows:
        targets = policies.information.named(row["policy"]).body.targets
        target = targets.get(row["set"], targets["N"])
        shown = {name: row[name] for name in ("branch_id", "set", "clients", "whole", "entered")}
        reached = sum(1 for entered in row["each"] if entered >= target)
        found.append(Completeness(month_end=month_end, target=target, reached=reached, **shown))
    return found


@routes.get("/clients/{client_id}/information")
async def read_information(
    actor: Reader,
    sql: Reading,
    client_id: Identifier,
    as_of: BusinessDate | None = None,
    accept_language: Language = "",
) -> ClientInformation:
    """What is known of a client as of a day (today without one), the scores, and the gaps."""
    await see_client(sql, actor, client_id)
    day = as_of or await today(sql)
    policy = (await Policies.read(sql)).information.on(day)
    return shown((await sheets(sql, [client_id], day, policy))[client_id], actor, accept_language)


@routes.get("/clients/{client_id}/held-away")
async def read_held_away(
    actor: Holder, sql: Reading, client_id: Identifier, as_of: BusinessDate | None = None
) -> HeldAwayEstimate:
    """What a client seems to hold elsewhere as of a day: an estimate, with its date, method and figures; 404 without a quota of the
    last 31 days."""
    await see_client(sql, actor, client_id)
    day = as_of or await today(sql)
    terms = (await Policies.read(sql)).held_away.on(day)
    one = (await estimates(sql, [client_id], day, terms.body)).get(client_id)
    if one is None:
        raise NotFound(Text("no quota was reported", "无新股额度数据"))
    return HeldAwayEstimate(
        client_id=client_id, value=one.value, implied=one.implied, here=one.here, quotas=dict(one.quotas),
        source=QuotaReported.type, as_of=one.as_of, valid_until=one.valid_until, policy=terms.name,
    )  # fmt: skip


@routes.get("/clients/{client_id}/information/personal")
async def read_personal_information(
    actor: Reader, uow: Work, purpose: Purpose, client_id: Identifier
) -> PersonalInformation:
    """What is known of a client and personal. A read carries a purpose and is recorded."""
    await see_client(uow.sql, actor, client_id)
    day = await today(uow.sql)
    sheet = (await sheets(uow.sql, [client_id], day, (await uow.policies(Policies)).information.on(day)))[client_id]
    fields = {
        line.indicator.code: PersonalValue(client_id, line.indicator.field, line.value.sealed)
        for line in sheet.lines
        if line.value is not None and line.value.sealed is not None
    }
    in_full = await reads_in_full(uow, actor, client_id)
    known = await reveal(uow, f"client/{client_id}", fields, purpose, in_full=in_full, key=client_id)
    return PersonalInformation(client_id=client_id, in_full=in_full, values=known)


async def reads_in_full(uow: UnitOfWork, actor: Actor, client_id: str) -> bool:
    """The client themselves, their owner and their team, and who looks after a prospect."""
    return (
        actor.role is Role.CLIENT
        or await is_theirs(uow.sql, client_id, actor.person, await effective_now(uow.sql, uow.now))
        or await is_owner(uow.sql, client_id, actor.person)
    )


@routes.post("/clients/{client_id}/information", status_code=201)
async def enter_information(
    actor: Enterer, uow: Work, _: Once, client_id: Identifier, body: ValuesGiven, accept_language: Language = ""
) -> ClientInformation:
    """Enter values: each as who the caller is, the client, the counter, the centre or the manager [CI2]."""
    await see_client(uow.sql, actor, client_id)
    entered = [Entered(one.code, one.state, one.value, one.evidence, one.valid_until) for one in body.values]
    return shown(await enter(uow, client_id, entered, body.passed), actor, accept_language)


def shown(sheet: Sheet, actor: Actor, accept: str) -> ClientInformation:
    """What is known of a client as it is shown to somebody."""
    language, found = preferred(accept), sheet.scores
    return ClientInformation(
        client_id=sheet.client_id,
        as_of=sheet.day,
        set=sheet.of,
        whole=found.whole,
        entered=found.entered,
        target=sheet.target,
        policy=sheet.policy.name,
        gaps=[Gap(**_named(one, language)) for one in sheet.gaps(sources_of(actor) or "CTHM")][
            : sheet.policy.body.gaps_shown
        ],
        indicators=[
            IndicatorView(
                **_named(line.indicator, language),
                state=line.known.state if line.known else "stated" if line.share else "missing",
                counts=bool(line.share),
                personal=line.indicator.personal,
                value=line.shown,
                kept_by=line.kept_by,
                estimate=line.estimate is not None,
                source=line.known.source if line.known else None,
                person=line.value.person if line.value and actor.role is not Role.CLIENT else None,
                day=line.known.day if line.known else None,
                valid_until=line.known.until if line.known else None,
                passed=line.value.passed if line.value and actor.role is not Role.CLIENT else None,
            )
            for line in sheet.lines
        ],
    )


def _named(one: Indicator, language: str) -> Mapping[str, object]:
    return {"code": one.code, "name": Text(one.en, one.zh).in_language(language), "weight": one.weight}
