"""Templates over HTTP: draft, review, proof, publication."""

from dataclasses import asdict
from typing import Annotated, Any

import msgspec
from pydantic import BaseModel

from chassis.actor import Actor, Role
from chassis.errors import FieldError, Invalid
from chassis.http import Reading, Work, permits, router
from contracts.fields import Code, form_of
from services.suitability import templates
from services.suitability.api.shapes import EVERYBODY, HEADQUARTERS, STAFF, Body, Day, Name, Version, Words
from services.suitability.questionnaires.foreign import read_form
from services.suitability.questionnaires.template import Template, as_asked, read_template

routes = router("/v1/suitability/templates", "suitability")
Reader = Annotated[Actor, permits("suitability.templates:read", *EVERYBODY)]
Prover = Annotated[Actor, permits("suitability.templates:prove", *STAFF)]
Maker = Annotated[Actor, permits("suitability.templates:make", *HEADQUARTERS)]
Checker = Annotated[Actor, permits("suitability.templates:check", *HEADQUARTERS)]


class Proof(BaseModel):
    """What the proof found: the score range and how many answer sheets lead to each level, lowest first."""

    lowest: int
    highest: int
    sheets: int
    by_level: dict[str, int]
    unreachable: list[int]


class TemplateState(BaseModel):
    """Where a template stands."""

    code: str
    version: int
    state: str
    effective_on: Day | None = None
    proof: Proof | None = None


class Publication(Body):
    """From which day on."""

    effective_on: Day


class Withdrawal(Body):
    """Why a publication is taken back."""

    reason: Words


class Form(Body):
    """Another publisher's form: sections of questions with lettered answers."""

    code: Annotated[str, form_of("[A-Za-z0-9][A-Za-z0-9._-]*", 64, "the code of a template", "SEED-2010-12Q")]
    scheme: Name
    form: dict[str, Any]


def read_body(body: dict[str, Any]) -> Template:
    """The template in a body.

    Raises: Invalid pointing at the field that is wrong.
    """
    try:
        return read_template(body)
    except msgspec.ValidationError as wrong:
        raise Invalid(errors=(_pointed(wrong),)) from None


def _pointed(wrong: msgspec.ValidationError) -> FieldError:
    detail, _, path = str(wrong).partition(" - at `$")
    pointer = path.rstrip("`").replace("[", "/").replace("]", "").replace(".", "/")
    return FieldError(pointer or "/", detail)


@routes.get("")
async def list_templates(actor: Reader, sql: Reading) -> list[TemplateState]:
    """Every template and version, newest first; for clients without the proof, which says what leads where."""
    rows = await sql.fetch(
        """SELECT code, version, state, effective_on, CASE WHEN $1 THEN proof END AS proof
           FROM templates ORDER BY code, version DESC LIMIT 1000""",
        actor.role is not Role.CLIENT,
    )
    return [TemplateState.model_validate(dict(row)) for row in rows]


@routes.post("", status_code=201)
async def draft_template(_: Maker, uow: Work, body: dict[str, Any]) -> TemplateState:
    """Keep a new draft: the next version of its code."""
    template = read_body(body)
    version = await templates.keep_draft(uow, template)
    return TemplateState(code=template.code, version=version, state="draft")


@routes.post("/import", status_code=201)
async def import_form(_: Maker, uow: Work, body: Form) -> TemplateState:
    """Keep another publisher's form as a draft; without scores and bands it cannot be published as it is."""
    try:
        template = read_form(body.form, body.code, body.scheme)
    except msgspec.ValidationError as wrong:
        raise Invalid(errors=(_pointed(wrong),)) from None
    version = await templates.keep_draft(uow, template)
    return TemplateState(code=template.code, version=version, state="draft")


@routes.get("/{code}/{version}")
async def read_one(actor: Reader, sql: Reading, code: Code, version: Version) -> dict[str, Any]:
    """A template with questions, options, scores, bands and texts; for clients without what tells which answer does what."""
    row = await templates.find(sql, code, version)
    body = as_asked(row["body"]) if actor.role is Role.CLIENT else row["body"]
    return {"version": row["version"], "state": row["state"], "effective_on": row["effective_on"], **body}


@routes.get("/{code}/{version}/proof")
async def prove_one(_: Prover, sql: Reading, code: Code, version: Version) -> Proof:
    """Prove a template, published or not; 422 with every reason when it cannot be proven."""
    proof = templates.proof_of(templates.parsed(await templates.find(sql, code, version)))
    return Proof.model_validate(asdict(proof))


@routes.post("/{code}/{version}/review")
async def review_one(_: Checker, uow: Work, code: Code, version: Version) -> TemplateState:
    """A second person stands for the draft."""
    await templates.review(uow, code, version)
    return TemplateState(code=code, version=version, state="reviewed")


@routes.post("/{code}/{version}/publish")
async def publish_one(_: Maker, uow: Work, code: Code, version: Version, body: Publication) -> TemplateState:
    """Publish a reviewed template from a day on; refused with reasons when it cannot be proven."""
    proof = await templates.publish(uow, code, version, body.effective_on)
    return TemplateState(
        code=code,
        version=version,
        state="published",
        effective_on=body.effective_on,
        proof=Proof.model_validate(asdict(proof)),
    )


@routes.post("/{code}/{version}/withdrawal")
async def withdraw_one(_: Maker, uow: Work, code: Code, version: Version, body: Withdrawal) -> TemplateState:
    """Take back a publication before its day; the template may be published for another one."""
    await templates.withdraw(uow, code, version, body.reason)
    return TemplateState(code=code, version=version, state="reviewed")
