"""Entering what is known of a client: by the client, the counter, the centre, the manager; checked as it is typed [CI2, CI9]."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from uuid_utils import uuid7

from chassis.actor import Actor, Role
from chassis.errors import FieldError, Text
from chassis.personal import mask_text, normalised
from chassis.personal.keys import Value as PersonalValue
from chassis.personal.reading import open_columns
from chassis.timeline import effective_now, today
from chassis.uow import UnitOfWork
from contracts.relationships import ProfileChanged
from services.relationships import prospects, viewing
from services.relationships.errors import Doubtful, NotYoursToEnter, WrongValue
from services.relationships.information import Sheet, keep, sheets
from services.relationships.policy import Information, Policies
from services.relationships.rules import Indicator, State, doubts, own_word_decides, unpassed
from services.relationships.system import FILLED
from services.relationships.tables import Value

CONTACT = {"CI-P08": "phone", "CI-P10": "email", "CI-P12": "address"}
"""What is told to every service when it changes."""
DERIVATIVES = ("options", "futures", "margin", "warrants")


def sources_of(actor: Actor) -> str:
    """As which sources a caller enters [CI1]: the client, the system, the centre, the counter, the manager."""
    if actor.role is Role.CLIENT:
        return "C"
    if actor.role is Role.SYSTEM:
        return "SE"
    if actor.is_centre:
        return "H"
    return {Role.AGENT: "T", Role.CLIENT_MANAGER: "M", Role.BRANCH_MANAGER: "MT"}.get(actor.role, "")


@dataclass(frozen=True, slots=True)
class Entered:
    """One value given: stated, or said to be unknown or refused [CI3]."""

    code: str
    state: State
    value: str | None
    evidence: str | None
    until: date | None


async def enter(uow: UnitOfWork, client_id: str, entered: Sequence[Entered], passed: Mapping[str, str]) -> Sheet:
    """Keep values of a client; returns what is known then.

    Raises: NotYoursToEnter; WrongValue; Doubtful, unless each doubt is passed with a reason.
    """
    day = await today(uow.sql)
    policy = (await uow.policies(Policies)).information.on(day)
    sources = _sources(uow.actor, entered, policy.body)
    given = _readable(entered, policy.body)
    for one in entered:
        if one.code == viewing.CODE and one.value:
            await viewing.require_evidence(
                uow, client_id, given[one.code], one.evidence, _pointer(entered, one.code)
            )  # fmt: skip
    before = (await sheets(uow.sql, [client_id], day, policy))[client_id]
    found = doubts(given, await _known(uow, before), trades_derivatives=await _trades_derivatives(uow, client_id))
    if left := unpassed(found, passed):
        raise Doubtful(
            left[0].text, errors=tuple(FieldError(_pointer(entered, one.code), one.text.en) for one in left),
            checks=[one.check for one in left],
        )  # fmt: skip
    reasons = {one.code: f"{one.check}: {mask_text(passed[one.check])}" for one in found}
    await keep(uow, await _values(uow, client_id, entered, given, sources, reasons, policy.body))
    uow.audit(
        "enter information", f"client/{client_id}", key=client_id, policy=policy.name, codes=sorted(sources),
        states={one.code: one.state for one in entered}, passed=reasons,
    )  # fmt: skip
    after = (await sheets(uow.sql, [client_id], day, policy))[client_id]
    if viewing.CODE in given:
        await viewing.tell(uow, client_id)
    if prospects.is_prospect(client_id):
        await prospects.note_numbers(uow, client_id, given)
    else:
        _tell(uow, before, after, given)
    return after


def _sources(actor: Actor, entered: Sequence[Entered], policy: Information) -> dict[str, str]:
    """As which source each value is entered."""
    own = sources_of(actor)
    unknown = [one.code for one in entered if one.code not in policy.indicators]
    if unknown:
        raise WrongValue(errors=tuple(FieldError(_pointer(entered, code), "no such indicator") for code in unknown))
    found = {
        one.code: next((letter for letter in own if letter in policy.indicators[one.code].source), "")
        for one in entered
    }
    if others := [code for code, letter in found.items() if not letter or code in FILLED]:
        raise NotYoursToEnter(codes=others)
    if len(found) < len(entered):
        raise WrongValue(Text("an indicator is there twice", "同一指标重复"))
    return found


def _readable(entered: Sequence[Entered], policy: Information) -> dict[str, str]:
    """The values stated, by code, without what cannot be one."""
    wrong = [
        FieldError(_pointer(entered, one.code), problem)
        for one in entered
        if (problem := _problem(one, policy.indicators[one.code]))
    ]
    if wrong:
        raise WrongValue(errors=tuple(wrong))
    return {one.code: one.value.strip() for one in entered if one.value}


def _problem(one: Entered, indicator: Indicator) -> str | None:
    value = (one.value or "").strip()
    if (one.state == "stated") != bool(value):
        return "a value is stated, or unknown or refused and then empty"
    if indicator.form == "date" and value and not _is_date(value):
        return "a date: YYYY-MM-DD"
    if indicator.form == "objection" and value and not viewing.FORM.fullmatch(value):
        return "objects, objects:PERSON, or none"
    if indicator.form == "years" and value and not (value.isascii() and value.isdecimal() and int(value) <= 80):
        return "whole years, 0 to 80"
    return None


def _is_date(value: str) -> bool:
    try:
        return date.fromisoformat(value).isoformat() == value
    except ValueError:
        return False


def _pointer(entered: Sequence[Entered], code: str) -> str:
    return f"/values/{next((n for n, one in enumerate(entered) if one.code == code), 0)}/value"


async def _known(uow: UnitOfWork, sheet: Sheet) -> dict[str, str]:
    """What the checks compare with: in clear, for this alone."""
    lines = {line.indicator.code: line for line in sheet.lines}
    columns = {"id_number": stored} if (stored := _sealed(lines["CI-P05"].value)) else {}
    opened = await open_columns(uow.database, sheet.client_id, columns) if columns else {}
    known = {"CI-P05": opened.get("id_number"), "CI-P04": lines["CI-P04"].shown}
    return {code: value for code, value in known.items() if value}


def _sealed(value: Value | None) -> bytes | None:
    return value.sealed if value is not None else None


async def _trades_derivatives(uow: UnitOfWork, client_id: str) -> bool:
    return bool(
        await uow.sql.fetchval(
            "SELECT EXISTS (SELECT FROM permissions WHERE client_id = $1 AND permission = ANY($2::text[]))",
            client_id,
            list(DERIVATIVES),
        )
    )


async def _values(
    uow: UnitOfWork,
    client_id: str,
    entered: Sequence[Entered],
    given: Mapping[str, str],
    sources: Mapping[str, str],
    reasons: Mapping[str, str],
    policy: Information,
) -> list[Value]:
    day, at = await today(uow.sql), await effective_now(uow.sql, uow.now)
    personal = [code for code in given if policy.indicators[code].personal]
    sealed = dict(
        zip(
            personal,
            await uow.database.keyring.seal(
                [PersonalValue(client_id, policy.indicators[code].field, given[code]) for code in personal]
            ),
            strict=True,
        )
    )
    return [
        Value(
            client_id=client_id, code=one.code, day=day, at=at, fact_id=str(uuid7()), state=one.state,
            own=own_word_decides(one.code, sources[one.code], bool(one.evidence)) or _is_proven(one), source=sources[one.code],
            person=uow.actor.person, value=_clear(one.code, given, policy),
            sealed=text.encode() if (text := sealed.get(one.code)) else None, evidence=one.evidence, until=one.until,
            passed=reasons.get(one.code), recorded_at=uow.now,
        )
        for one in entered
    ]  # fmt: skip


def _is_proven(one: Entered) -> bool:
    """An objection entered with evidence is the client's own word, whoever enters it [A16]."""
    return one.code == viewing.CODE and bool(one.evidence)


def _clear(code: str, given: Mapping[str, str], policy: Information) -> str | None:
    value = given.get(code)
    return None if value is None or policy.indicators[code].personal else mask_text(value)


def _tell(uow: UnitOfWork, before: Sheet, after: Sheet, given: Mapping[str, str]) -> None:
    """A change of contact data, to every service: what is in force now and was entered just now."""
    old = {line.indicator.code: line.value for line in before.lines}
    changed: dict[str, Any] = {
        CONTACT[line.indicator.code]: given[line.indicator.code]
        for line in after.lines
        if line.indicator.code in CONTACT and line.indicator.code in given and line.value != old[line.indicator.code]
    }
    if changed:
        value = next(line.value for line in after.lines if CONTACT.get(line.indicator.code) in changed)
        assert value is not None
        if "phone" in changed:
            changed["phone"] = normalised(changed["phone"])
        uow.emit(
            ProfileChanged(client_id=after.client_id, value_id=value.fact_id, said_at=value.at, **changed), at=value.at
        )
