"""Templates in the database: draft, reviewed by a second person, published from a date; then never changed."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import date
from typing import Any

import asyncpg

from chassis import approvals
from chassis.actor import Role
from chassis.approvals import Approval, ApprovalKind, by
from chassis.errors import FieldError, Text
from chassis.timeline import today
from chassis.uow import UnitOfWork
from services.suitability.errors import (
    TemplateNotInForce,
    TemplateUnprovable,
    UnknownTemplate,
    WrongState,
)
from services.suitability.questionnaires.proof import Proof, Unprovable, prove
from services.suitability.questionnaires.template import Template, plain, read_template

_parsed: dict[tuple[str, int], Template] = {}


async def find(sql: asyncpg.Connection, code: str, version: int) -> asyncpg.Record:
    """A template's row.

    Raises: UnknownTemplate.
    """
    row = await sql.fetchrow("SELECT * FROM templates WHERE code = $1 AND version = $2", code, version)
    if row is None:
        raise UnknownTemplate
    return row


async def in_force_for(sql: asyncpg.Connection, scheme: str, kind: str, day: date) -> asyncpg.Record | None:
    """The one template that clients of a kind answer in a scheme on a day: of those published for them the one with the latest
    first day, whatever its code. None: there is none."""
    return await sql.fetchrow(
        """SELECT * FROM templates WHERE state = 'published' AND effective_on <= $1
           AND body ->> 'scheme' = $2 AND body -> 'kinds' ? $3 ORDER BY effective_on DESC, published_at DESC, code LIMIT 1""",
        day,
        scheme,
        kind,
    )


async def in_force(sql: asyncpg.Connection, code: str, day: date) -> asyncpg.Record:
    """The published version in force on a day: the one with the latest effective date.

    Raises: UnknownTemplate, TemplateNotInForce.
    """
    row = await sql.fetchrow(
        """SELECT * FROM templates WHERE code = $1 AND state = 'published' AND effective_on <= $2
           ORDER BY effective_on DESC LIMIT 1""",
        code,
        day,
    )
    if row is None:
        if await sql.fetchval("SELECT 1 FROM templates WHERE code = $1", code):
            raise TemplateNotInForce
        raise UnknownTemplate
    return row


async def to_answer(sql: asyncpg.Connection, code: str, version: int, day: date) -> Template:
    """The template that answers of this version are scored with.

    Raises: UnknownTemplate; TemplateNotInForce when it is a draft, not in force yet, or replaced by a newer version.
    """
    await find(sql, code, version)
    current = await in_force(sql, code, day)
    if current["version"] != version:
        raise TemplateNotInForce(
            Text(f"version {current['version']} is in force", f"现行版本为第 {current['version']} 版"),
            version=current["version"],
        )
    return parsed(current)


async def require_newest(sql: asyncpg.Connection, template: Template, kind: str | None, day: date) -> None:
    """Refuse a template whose place for clients of a kind (None: not said yet, an individual) another code has taken.

    Raises: TemplateNotInForce.
    """
    newest = await in_force_for(sql, template.scheme, kind or "individual", day)
    if newest is None:
        raise TemplateNotInForce
    if newest["code"] != template.code:
        named = f"{newest['code']} {newest['version']}"
        raise TemplateNotInForce(
            Text(f"{named} has taken its place", f"已由 {named} 取代"),
            template=newest["code"],
            version=newest["version"],
        )


def parsed(row: asyncpg.Record | Mapping[str, Any]) -> Template:
    """The template of a row; published ones never change, so they are read once."""
    if row["state"] != "published":
        return read_template(row["body"])
    key = (row["code"], row["version"])
    known = _parsed.get(key)
    if known is None or plain(known) != row["body"]:
        known = _parsed[key] = read_template(row["body"])
    return known


async def keep_draft(uow: UnitOfWork, template: Template) -> int:
    """Keep a new draft as the next version of its code, and ask for a second person to stand for it. Returns the version."""
    await uow.sql.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 8))", template.code)
    version: int = await uow.sql.fetchval(
        """INSERT INTO templates (code, version, body, state, made_by, made_at)
           SELECT $1, coalesce(max(version), 0) + 1, $2, 'draft', $3, $4 FROM templates WHERE code = $1
           RETURNING version""",
        template.code,
        plain(template),
        uow.actor.person,
        uow.now,
    )
    summary = {"code": template.code, "version": version, "title": plain(template)["title"], "scheme": template.scheme}
    await approvals.ask(uow, REVIEW, _named(template.code, version), body=summary, after=summary)
    return version


def proof_of(template: Template) -> Proof:
    """The proof of a template.

    Raises: TemplateUnprovable with every reason.
    """
    try:
        return prove(template)
    except Unprovable as refused:
        raise TemplateUnprovable(errors=refused.problems) from None


async def review(uow: UnitOfWork, code: str, version: int) -> None:
    """A second person has read the draft and stands for it.

    Raises: UnknownTemplate, AlreadyDecided, SecondPersonNeeded.
    """
    await find(uow.sql, code, version)
    await approvals.decide(uow, REVIEW, _named(code, version), agree=True)


async def _reviewed(uow: UnitOfWork, approval: Approval) -> None:
    code, version = approval.body["code"], approval.body["version"]
    await _locked(uow, code, version, "draft")
    await uow.sql.execute(
        "UPDATE templates SET state = 'reviewed', reviewed_by = $3, reviewed_at = $4 WHERE code = $1 AND version = $2",
        code,
        version,
        uow.actor.person,
        uow.now,
    )


REVIEW = ApprovalKind(
    "template", Text("A new questionnaire", "新的调查表模板"), by(Role.HQ, Role.COMPLIANCE), _reviewed
)


async def publish(uow: UnitOfWork, code: str, version: int, effective_on: date) -> Proof:
    """Publish a reviewed template from a date on, once it is proven. Returns the proof.

    From that day on it is what clients of its kinds answer in its scheme: any other ends for them.

    Raises: UnknownTemplate, WrongState, TemplateUnprovable.
    """
    row = await _locked(uow, code, version, "reviewed")
    if effective_on < await today(uow.sql):
        raise WrongState(
            Text("a template takes effect today or later", "生效日期不得早于今日"),
            errors=(FieldError("/effective_on", "in the past"),),
        )
    template = read_template(row["body"])
    proof = proof_of(template)
    await uow.sql.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 10))", template.scheme)
    if await uow.sql.fetchval("SELECT 1 FROM templates WHERE code = $1 AND effective_on = $2", code, effective_on):
        raise WrongState(Text("another version takes effect on that day", "该日已有其他版本生效"))
    other = await uow.sql.fetchval(
        """SELECT code FROM templates WHERE state = 'published' AND effective_on = $1 AND body ->> 'scheme' = $2
           AND body -> 'kinds' ?| $3::text[] ORDER BY code LIMIT 1""",
        effective_on,
        template.scheme,
        [*template.kinds],
    )
    if other is not None:
        raise WrongState(
            Text(f"{other} takes effect for the same clients on that day", f"该日已有 {other} 对同类客户生效")
        )
    await uow.sql.execute(
        """UPDATE templates SET state = 'published', effective_on = $3, proof = $4, published_by = $5, published_at = $6
           WHERE code = $1 AND version = $2""",
        code,
        version,
        effective_on,
        asdict(proof),
        uow.actor.person,
        uow.now,
    )
    uow.audit("publish template", _named(code, version), effective_on=effective_on.isoformat())
    return proof


async def withdraw(uow: UnitOfWork, code: str, version: int, reason: str) -> None:
    """Take back a publication before its day: the template is reviewed as before, and may be published for another day.

    Raises: UnknownTemplate, WrongState when it is not published or has taken effect.
    """
    row = await _locked(uow, code, version, "published")
    if row["effective_on"] <= await today(uow.sql):
        raise WrongState(Text("it is in force: publish another version", "该版本已生效,请发布新版本"))
    await uow.sql.execute(
        """UPDATE templates SET state = 'reviewed', effective_on = NULL, proof = NULL, published_by = NULL, published_at = NULL
           WHERE code = $1 AND version = $2""",
        code,
        version,
    )
    uow.audit("withdraw template", _named(code, version), effective_on=row["effective_on"].isoformat(), reason=reason)


def _named(code: str, version: int) -> str:
    return f"template/{code}/{version}"


async def _locked(uow: UnitOfWork, code: str, version: int, state: str) -> Any:
    row = await uow.sql.fetchrow("SELECT * FROM templates WHERE code = $1 AND version = $2 FOR UPDATE", code, version)
    if row is None:
        raise UnknownTemplate
    if row["state"] != state:
        raise WrongState(Text(f"it is {row['state']}, not {state}", f"当前状态为 {row['state']},须为 {state}"))
    return row
