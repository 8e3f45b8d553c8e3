"""Decisions and confirmations: one read, one immutable row, one event [Q4]."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from uuid_utils import uuid7

from chassis import approvals
from chassis.actor import Role
from chassis.approvals import Approval, ApprovalKind, by
from chassis.errors import FieldError, Text
from chassis.timeline import effective_now
from chassis.uow import UnitOfWork
from contracts.suitability import DecisionConfirmed, DecisionMade
from services.suitability import links, reviews
from services.suitability.errors import (
    AlreadyConfirmed,
    AnswersInvalid,
    ConfirmationLapsed,
    CoolingTimeRunning,
    EvidenceMissing,
    NothingToConfirm,
    OwnChannelNeeded,
    UnknownChannel,
    UnknownClient,
    WarningNotShown,
    WrongState,
)
from services.suitability.levels import needed_in
from services.suitability.policy import Policies, Policy
from services.suitability.rules import DecisionOutcome, Initiator, Reason, Side, Verdict, decide
from services.suitability.situations import BUYS, SITUATION, Situation, lowest_before, situation_in, situation_of
from services.suitability.tables import ConfirmationLink


@dataclass(frozen=True, slots=True)
class Ask:
    """What is asked: may this client buy this product, who started it, and through which channel."""

    client: str
    product: str
    side: Side
    initiator: Initiator
    channel: str


@dataclass(frozen=True, slots=True)
class Proofs:
    """What a channel leaves behind: an e-signature's or a recording's (双录) reference."""

    signature: str | None = None
    recording: str | None = None


@dataclass(frozen=True, slots=True)
class Insisted:
    """What a client who insists has read, in which language, and answered to the questions beside it."""

    warning_version: str
    language: str = "zh-CN"
    answers: Mapping[str, str] = field(default_factory=dict)


def demanded_by(channel: str, policy: Policy) -> list[str]:
    """What the channel must leave behind.

    Raises: UnknownChannel.
    """
    if channel not in policy.evidence:
        known = ", ".join(sorted(policy.evidence))
        raise UnknownChannel(errors=(FieldError("/channel", f"{channel} is none of {known}"),))
    return policy.evidence[channel]


def require_proofs(channel: str, proofs: Proofs, policy: Policy) -> None:
    """Refuse a submission or confirmation without what its channel demands.

    Raises: EvidenceMissing, UnknownChannel.
    """
    _require(demanded_by(channel, policy), f"channel {channel}", proofs)


def _require(demanded: Sequence[str], by: str, proofs: Proofs) -> None:
    missing = [name for name in demanded if not getattr(proofs, name)]
    if missing:
        raise EvidenceMissing(
            errors=tuple(FieldError(f"/{name}", f"{by} demands a {name} reference") for name in missing)
        )


async def read_situations(uow: UnitOfWork, pairs: Sequence[tuple[str, str]]) -> list[tuple[Situation, Policy] | None]:
    """What decisions about (client, product) pairs rest on at this moment; None where there is no such client."""
    clients, products = [client for client, _ in pairs], [product for _, product in pairs]
    found: list[tuple[Situation, Policy] | None] = [None] * len(pairs)
    policies = await uow.policies(Policies)
    rows = [situation_in(columns) for columns in await uow.sql.fetch(SITUATION, uow.now, clients, products)]
    lowest = await lowest_before(uow.sql, [row.client for row in rows], policies)
    for row in rows:
        policy, nth = policies.on(row.client.day), row.nth - 1
        found[nth] = situation_of(row, policy, lowest.get(row.client.client_id), products[nth]), policy
    return found


async def read_situation(uow: UnitOfWork, client: str, product: str) -> tuple[Situation, Policy]:
    """What a decision about one client and one product rests on at this moment.

    Raises: UnknownClient.
    """
    [found] = await read_situations(uow, [(client, product)])
    if found is None:
        raise UnknownClient
    return found


async def make_decision(
    uow: UnitOfWork, ask: Ask, situation: Situation, policy: Policy, asked_by: str
) -> dict[str, Any]:
    """Decide, keep the decision for ever, tell the world. Returns the row."""
    verdict = decide(situation.holder, situation.target, ask.side, ask.initiator, situation.confirmed)
    row = _row(uow, ask, situation, policy, verdict) | {"actor": asked_by}
    if verdict.outcome is DecisionOutcome.CONFIRM:
        row |= await _asked_of_client(uow, ask, situation, policy, verdict)
    if Reason.RISE_UNDER_REVIEW in verdict.reasons:
        await reviews.open_for_level(uow, situation.client_id, situation.branch_id, situation.assessment_id)
    uow.seal("decisions", ask.client, row)
    uow.emit(
        DecisionMade(
            client_id=ask.client,
            branch_id=situation.branch_id,
            decision_id=row["decision_id"],
            product=ask.product,
            side=ask.side,
            initiator=ask.initiator,
            outcome=verdict.outcome.value,
            reasons=[*verdict.reasons],
            decided_at=uow.now,
        )
    )
    return row


def _row(uow: UnitOfWork, ask: Ask, situation: Situation, policy: Policy, verdict: Verdict) -> dict[str, Any]:
    return {
        "decision_id": str(uuid7()),
        "client_id": ask.client,
        "branch_id": situation.branch_id,
        "product": ask.product,
        "side": ask.side,
        "initiator": ask.initiator,
        "channel": ask.channel,
        "decided_at": uow.now,
        "decided_on": situation.day,
        "outcome": verdict.outcome.value,
        "facts": facts_of(situation, policy),
        "reasons": [*verdict.reasons],
        "assessment_id": situation.assessment_id,
        "confirmation_of": situation.confirmation if Reason.CONFIRMED in verdict.reasons else None,
        "warning": None,
        "needs": [],
        "not_before": None,
        "confirm_by": None,
        "policy": policy.version,
    }


async def _asked_of_client(
    uow: UnitOfWork, ask: Ask, situation: Situation, policy: Policy, verdict: Verdict
) -> dict[str, Any]:
    """What a CONFIRM asks for: the warning and questions, the evidence, and the time to think it over."""
    high_risk, care = situation.target.high_risk, situation.target.high_risk and bool(situation.holder.care)
    first = high_risk and verdict.levels_above > 0 and not await _took_high_risk(uow, ask.client, policy)
    cooling = timedelta(minutes=policy.cooling_minutes_for(verdict.levels_above, bool(situation.holder.care), first))
    wanted = (
        ("answers", high_risk and policy.questions),
        ("staff_review", care),
        ("second_contact", care and situation.holder.second_contact),
    )
    return {
        "warning": _warning(situation, policy, verdict),
        "needs": ["confirmation", *demanded_by(ask.channel, policy), *(name for name, so in wanted if so)],
        "not_before": uow.now + cooling,
        "confirm_by": uow.now + cooling + timedelta(hours=policy.confirm_within_hours),
    }


async def _took_high_risk(uow: UnitOfWork, client: str, policy: Policy) -> bool:
    """Whether a client has bought or confirmed a product of high risk before; single products' own classes are not asked:
    whoever took only those thinks it over once more. What a confirmed product asked for was said in the firm's scheme of then."""
    kinds = [kind for kind, rank in policy.rank_of_kind.items() if rank >= policy.high_risk_rank]
    confirmed = await uow.sql.fetch(
        """SELECT DISTINCT d.facts->>'scheme', k.needed FROM confirmations k JOIN decisions d USING (decision_id)
           WHERE k.client_id = $1""",
        client,
    )
    if any(needed_in(scheme, needed, policy.scheme) >= policy.high_risk_rank for scheme, needed in confirmed):
        return True
    return bool(
        await uow.sql.fetchval(
            f"SELECT EXISTS (SELECT FROM {BUYS} t WHERE client_id = $1 AND kind = ANY($2::text[]))", client, kinds
        )
    )


def facts_of(situation: Situation, policy: Policy) -> dict[str, Any]:
    """Everything the rule saw, as it is kept with the decision: the rule can be run again on it."""
    return {
        "scheme": policy.scheme,
        "holder": asdict(situation.holder),
        "target": asdict(situation.target),
        "confirmed": situation.confirmed,
        "held_scheme": situation.held_scheme,
        "held_level": situation.held_level,
        "valid_until": situation.valid_until.isoformat() if situation.valid_until else None,
        "kind": situation.kind,
        "issuer_class": situation.issuer_class,
        "not_sold_because": situation.not_sold_because,
        "product_name": situation.product_name,
    }


def _warning(situation: Situation, policy: Policy, verdict: Verdict) -> dict[str, Any]:
    scheme = policy.own_scheme
    needed, held = scheme.level(situation.target.needed or 1), scheme.level(situation.holder.held or 1)
    warning = policy.warning if verdict.levels_above > 0 else policy.care_warning or policy.warning
    shown = warning.shown(situation.product_name, needed.text, held.text)
    questions = [msgspec.to_builtins(one) for one in policy.questions] if situation.target.high_risk else []
    return {"version": warning.version, "zh": shown.zh, "en": shown.en, "questions": questions}


async def confirm(
    uow: UnitOfWork,
    decision: dict[str, Any],
    insisted: Insisted,
    proofs: Proofs,
    link: ConfirmationLink | None = None,
) -> dict[str, Any] | Approval:
    """Complete a CONFIRM: the client read the warning and insists [Q4]. Returns the confirmation; or what waits for another
    person: what staff enter for a client at the counter or on the telephone, and every high-risk purchase of an elderly or
    vulnerable client. `link`: the one by which the client opened it, which is used up.

    The situation is read again: what has changed since the decision (level expired or lowered, product class raised,
    product off the shelf) voids it.

    Raises: NothingToConfirm, AlreadyConfirmed, ConfirmationLapsed, CoolingTimeRunning, WarningNotShown, AnswersInvalid,
        EvidenceMissing; OwnChannelNeeded for a confirmation that is the client's to give in their own channel.
    """
    await _require_open(uow, decision)
    if insisted.warning_version != decision["warning"]["version"]:
        raise WarningNotShown(version=decision["warning"]["version"])
    _require_answers(decision, insisted.answers)
    situation, policy = await read_situation(uow, decision["client_id"], decision["product"])
    if link is not None:
        _require(policy.link_evidence, "a link", proofs)
        await links.use(uow, link)
    else:
        require_proofs(decision["channel"], proofs, policy)
    _require_unchanged(decision, situation, policy)
    given = {"decision_id": decision["decision_id"], **asdict(insisted), **asdict(proofs)}
    given |= {"link_id": link.link_id} if link is not None else {}
    by_client = uow.actor.role is Role.CLIENT
    if by_client and "staff_review" not in decision["needs"]:
        return await _keep_confirmation(uow, decision, situation, policy, given)
    if not by_client and decision["channel"] not in policy.assisted_channels:
        raise OwnChannelNeeded
    object = f"decision/{decision['decision_id']}"
    if await uow.sql.fetchval(
        "SELECT 1 FROM approvals WHERE object = $1 AND state = 'waiting' AND expires_at > $2", object, uow.now
    ):
        raise WrongState(Text("it waits for another person already", "已提交他人复核"))
    return await approvals.ask(
        uow,
        CONFIRMATION,
        object,
        body=given,
        after=given,
        client_id=decision["client_id"],
        branch_id=situation.branch_id,
        concerned={decision["actor"]} - {uow.actor.person},  # who started the purchase does not check it
    )


def _require_answers(decision: Mapping[str, Any], answers: Mapping[str, str]) -> None:
    """Refuse a confirmation unless each question beside the warning has the answer with which it may go on.

    Raises: AnswersInvalid.
    """
    asked = {question["code"]: question["expects"] for question in decision["warning"].get("questions", ())}
    wrong = [
        f"{code}: {answers.get(code, 'not answered')}"
        for code, expects in asked.items()
        if answers.get(code) != expects
    ]
    wrong += [f"{code}: not asked" for code in answers if code not in asked]
    if wrong:
        raise AnswersInvalid(errors=tuple(FieldError("/answers", detail) for detail in wrong))


async def _apply(uow: UnitOfWork, approval: Approval) -> None:
    row = await uow.sql.fetchrow("SELECT * FROM decisions WHERE decision_id = $1", approval.body["decision_id"])
    assert row is not None
    decision = dict(row)
    await _require_open(uow, decision)
    situation, policy = await read_situation(uow, decision["client_id"], decision["product"])
    _require_unchanged(decision, situation, policy)
    contact = approval.because if "second_contact" in decision["needs"] else None
    if "second_contact" in decision["needs"] and not contact:
        raise EvidenceMissing(errors=(FieldError("/because", "the reference of the second contact with the client"),))
    checked = {"entered_by": approval.asked_by, "checked_by": uow.actor.person, "second_contact": contact}
    await _keep_confirmation(uow, decision, situation, policy, approval.body | checked)


CONFIRMATION = ApprovalKind(
    "confirmation",
    Text("A client's confirmation above their level", "客户超风险等级购买确认"),
    by(Role.BRANCH_MANAGER, Role.HQ, Role.COMPLIANCE),
    _apply,
    days=3,
)


async def _require_open(uow: UnitOfWork, decision: Mapping[str, Any]) -> None:
    """Refuse to confirm what cannot be confirmed, not yet, or not any more; one after the other for a decision."""
    if decision["outcome"] != DecisionOutcome.CONFIRM:
        raise NothingToConfirm(Text(f"the decision was {decision['outcome']}", f"该决定为 {decision['outcome']}"))
    await uow.sql.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 7))", decision["decision_id"])
    if await uow.sql.fetchval("SELECT 1 FROM confirmations WHERE decision_id = $1", decision["decision_id"]):
        raise AlreadyConfirmed
    if uow.now > decision["confirm_by"]:
        raise ConfirmationLapsed(confirm_by=_utc(decision["confirm_by"]))
    if uow.now < decision["not_before"]:
        raise CoolingTimeRunning(not_before=_utc(decision["not_before"]))


def _require_unchanged(decision: Mapping[str, Any], situation: Situation, policy: Policy) -> None:
    verdict = decide(situation.holder, situation.target, decision["side"], decision["initiator"], False)
    before = decision["facts"]
    if (
        verdict.outcome is not DecisionOutcome.CONFIRM
        or policy.scheme != before["scheme"]
        or situation.target.needed != before["target"]["needed"]
        or situation.holder.held != before["holder"]["held"]
    ):
        raise NothingToConfirm(
            Text("what the decision rested on has changed: ask again", "决定所依据的情况已变化,请重新申请"),
            reasons=[*verdict.reasons],
        )


async def _keep_confirmation(
    uow: UnitOfWork, decision: Mapping[str, Any], situation: Situation, policy: Policy, given: Mapping[str, Any]
) -> dict[str, Any]:
    confirmed_at = await effective_now(uow.sql, uow.now)
    row = {
        "decision_id": decision["decision_id"],
        "client_id": decision["client_id"],
        "product": decision["product"],
        "needed": situation.target.needed,
        "held": situation.holder.held,
        "confirmed_at": confirmed_at,
        "confirmed_on": situation.day,
        "valid_until": situation.day + timedelta(days=policy.confirmation_days),
        "warning_version": given["warning_version"],
        "signature": given["signature"],
        "recording": given["recording"],
        "actor": given.get("entered_by", uow.actor.person),
        "policy": policy.version,
        "language": given["language"],
        "answers": given["answers"],
        "checked_by": given.get("checked_by"),
        "second_contact": given.get("second_contact"),
        "link_id": given.get("link_id"),
    }
    uow.seal("confirmations", decision["client_id"], row)
    uow.emit(
        DecisionConfirmed(
            client_id=decision["client_id"],
            branch_id=situation.branch_id,
            decision_id=decision["decision_id"],
            product=decision["product"],
            confirmed_at=confirmed_at,
            valid_until=row["valid_until"],
        )
    )
    return row


def _utc(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat()
