"""One file per decision that stands up years later: everything it rested on, hash-chained and signed [go-beyond 8].

A bundle is JSON. Each entry carries the SHA-256 of the digest before it and its own content in canonical form; the
last digest, with the retention, is signed with the platform's Ed25519 seal key. `verify` needs the file alone: it checks
the chain and the signature, scores the answers again with the template inside, and decides again on the facts inside.
"""

import base64
import binascii
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import asyncpg
import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from chassis.clock import months_after
from chassis.secrets import name_of
from services.suitability.policy import Policies
from services.suitability.questionnaires.scoring import score
from services.suitability.questionnaires.template import read_template
from services.suitability.rules import Holder, Target, decide

FORMAT = "careline.suitability.evidence/1"
RETENTION_CLASS = "suitability-20-years"
START = "0" * 64
_ENTRY = frozenset({"kind", "content", "previous", "digest"})


@dataclass(frozen=True, slots=True)
class Checked:
    """What checking a bundle found: nothing in `problems` means unaltered and right, if the signer is one we know."""

    decision_id: str
    outcome: str
    made_at: str
    key_id: str
    problems: tuple[str, ...]
    signer_known: bool


def canonical(content: Any) -> bytes:
    """The one byte form of JSON-ready data: keys sorted, no blanks, UTF-8."""
    return msgspec.json.encode(msgspec.to_builtins(content), order="deterministic")


def chained(previous: str, kind: str, content: Any) -> str:
    """The digest of an entry."""
    return hashlib.sha256(f"{previous}\n{kind}\n".encode() + canonical(content)).hexdigest()


async def bundle(sql: asyncpg.Connection, decision: Mapping[str, Any], key: Ed25519PrivateKey) -> dict[str, Any]:
    """The signed bundle of a decision, with whatever has followed from it until now."""
    entries = [("decision", _plain(decision))]
    if decision["assessment_id"]:
        entries = [*await _assessment(sql, decision["assessment_id"]), *entries]
    if decision["facts"]["holder"]["professional"]:
        entries = [*await _professional(sql, decision["client_id"], decision["decided_on"]), *entries]
    for asked in (decision["decision_id"], decision["confirmation_of"]):
        row = await sql.fetchrow("SELECT * FROM confirmations WHERE decision_id = $1", asked) if asked else None
        if row:
            entries.append(("confirmation", _plain(dict(row))))
    trades = await sql.fetch(
        """SELECT client_id, trade_id, trade_date, settled_at, symbol, kind, side, quantity::text, amount::text
           FROM trades WHERE client_id = $1 AND symbol = $2 AND side = $3 AND settled_at >= $4
           ORDER BY settled_at, trade_id LIMIT 20""",
        decision["client_id"],
        decision["product"],
        decision["side"],
        decision["decided_at"],
    )
    entries += [("trade", _plain(dict(row))) for row in trades]
    policy = (await Policies.read(sql)).on(decision["decided_on"])
    return sign(entries, months_after(decision["decided_on"], 12 * policy.retention_years), key)


def sign(entries: Sequence[tuple[str, Any]], keep_until: date, key: Ed25519PrivateKey) -> dict[str, Any]:
    """Chain entries and sign the chain's end together with the retention."""
    chain, previous = [], START
    for kind, content in entries:
        digest = chained(previous, kind, content)
        chain.append({"kind": kind, "content": content, "previous": previous, "digest": digest})
        previous = digest
    retention = {"class": RETENTION_CLASS, "keep_until": keep_until.isoformat()}
    public = key.public_key()
    return {
        "format": FORMAT,
        "retention": retention,
        "entries": chain,
        "head": previous,
        "key_id": name_of(public),
        "public_key": base64.b64encode(public.public_bytes_raw()).decode(),
        "signature": base64.b64encode(key.sign(_signed(retention, len(chain), previous))).decode(),
    }


def verify(data: bytes, *trusted: Ed25519PublicKey) -> Checked:
    """Check a bundle's file. `trusted`: the platform's public keys, which the checker has from elsewhere; without one
    the signer stays unknown, as anybody can sign with a key of their own.

    Raises: ValueError when the file is no bundle at all.
    """
    try:
        file = msgspec.json.decode(data)
        entries, retention, head, named = file["entries"], file["retention"], file["head"], file["key_id"]
        if file["format"] != FORMAT:
            raise ValueError(f"not a bundle of format {FORMAT}")
        raw_key, signature = base64.b64decode(file["public_key"]), base64.b64decode(file["signature"])
        public = Ed25519PublicKey.from_public_bytes(raw_key)
        problems = [*_broken_chain(entries, head)]
        decision = next(entry["content"] for entry in entries if entry["kind"] == "decision")
        about = (str(decision["decision_id"]), str(decision["outcome"]), str(decision["decided_at"]))
    except (msgspec.MsgspecError, binascii.Error, KeyError, TypeError, StopIteration) as wrong:
        raise ValueError(f"this is no evidence bundle ({type(wrong).__name__})") from None
    signer_known = raw_key in {key.public_bytes_raw() for key in trusted}
    if trusted and not signer_known:
        problems.append("signed with a key that is not trusted")
    try:
        public.verify(signature, _signed(retention, len(entries), head))
    except InvalidSignature:
        problems.append("the signature does not match: altered, or signed with another key")
    if name_of(public) != named:
        problems.append("the key's name does not match the key")
    if not problems:
        try:
            problems += _wrong_conclusions(entries, decision)
        except (LookupError, TypeError, ValueError) as unreadable:
            problems.append(f"the conclusions cannot be worked out again ({type(unreadable).__name__})")
    return Checked(*about, name_of(public), tuple(problems), signer_known)


def _broken_chain(entries: Sequence[Mapping[str, Any]], head: str) -> list[str]:
    problems, previous = [], START
    for place, entry in enumerate(entries):
        if set(entry) != _ENTRY:
            problems.append(f"entry {place} has other fields than {sorted(_ENTRY)}")
        if entry["previous"] != previous:
            problems.append(f"entry {place} ({entry['kind']}) does not follow the one before it")
        if chained(entry["previous"], entry["kind"], entry["content"]) != entry["digest"]:
            problems.append(f"entry {place} ({entry['kind']}) was altered")
        previous = entry["digest"]
    if previous != head:
        problems.append("the chain does not end where the signature says")
    return problems


def _wrong_conclusions(entries: Sequence[Mapping[str, Any]], decision: Mapping[str, Any]) -> list[str]:
    """Whether template, answers, score, level and decision agree with each other, worked out anew."""
    content = {entry["kind"]: entry["content"] for entry in entries}
    problems = []
    if "submission" in content and "template" in content:
        submission = content["submission"]
        result = score(read_template(content["template"]["body"]), submission["answers"])
        if (result.total, result.level) != (submission["total"], submission["level"]):
            problems.append(f"the answers score {result.total} ({result.level}), the file says {submission['total']}")
    if "assessment" in content and content["assessment"]["level"] != decision["facts"]["held_level"]:
        problems.append("the decision rests on another level than the assessment's")
    facts = decision["facts"]
    rested = (("professional", "professional"), ("rise_approved", "review"))
    problems += [f"it rests on a {kind} that is not there" for fact, kind in rested
                 if facts["holder"].get(fact) and kind not in content]  # fmt: skip
    verdict = decide(
        Holder(**facts["holder"]),
        Target(**facts["target"]),
        decision["side"],
        decision["initiator"],
        facts["confirmed"],
    )
    if (verdict.outcome.value, [*verdict.reasons]) != (decision["outcome"], decision["reasons"]):
        problems.append(f"on these facts the rule says {verdict.outcome}, the file says {decision['outcome']}")
    confirmed, shown = content.get("confirmation"), decision["warning"]
    if confirmed and shown and confirmed["warning_version"] != shown["version"]:
        problems.append("another warning was confirmed than the one shown")
    if confirmed and shown and decision["decision_id"] == confirmed["decision_id"]:
        asked = {one["code"]: one["expects"] for one in shown.get("questions", ())}
        if asked and confirmed["answers"] != asked:
            problems.append("it was confirmed with other answers than those with which it may go on")
        checks = (("staff_review", "checked_by"), ("second_contact", "second_contact"))
        problems += [
            f"{need} was needed and is not there"
            for need, column in checks
            if need in decision["needs"] and not confirmed[column]
        ]
    return problems


async def _professional(sql: asyncpg.Connection, client: str, day: date) -> list[tuple[str, Any]]:
    """The request that made a client a professional investor on a day, with its items, and who approved it."""
    request = await sql.fetchrow(
        """SELECT p.* FROM professional_status q JOIN professionals p USING (request_id)
           WHERE q.client_id = $1 AND q.since <= $2 ORDER BY q.since DESC, q.id DESC LIMIT 1""",
        client,
        day,
    )
    return [("professional", _plain(dict(request)))] if request else []


async def _assessment(sql: asyncpg.Connection, assessment_id: str) -> list[tuple[str, Any]]:
    """An assessment with what led to it, and the reviews of it."""
    assessment = await sql.fetchrow("SELECT * FROM assessments WHERE assessment_id = $1", assessment_id)
    assert assessment is not None
    entries: list[tuple[str, Any]] = []
    if assessment["submission_id"]:
        submission = await sql.fetchrow(
            "SELECT * FROM submissions WHERE submission_id = $1", assessment["submission_id"]
        )
        assert submission is not None
        template = await sql.fetchrow(
            "SELECT * FROM templates WHERE code = $1 AND version = $2", submission["template"], submission["version"]
        )
        entries = [("template", _plain(dict(template or {}))), ("submission", _plain(dict(submission)))]
    reviews = await sql.fetch(
        "SELECT * FROM reviews WHERE submission_id = $1 OR assessment_id = $2 ORDER BY opened_at, review_id",
        assessment["submission_id"],
        assessment_id,
    )
    entries += [("review", _plain(dict(review))) for review in reviews]
    return [*entries, ("assessment", _plain(dict(assessment)))]


def _plain(content: Mapping[str, Any]) -> Any:
    """Rows as JSON-ready data; instants as ISO text in UTC."""
    return msgspec.to_builtins(
        {name: value.isoformat() if isinstance(value, datetime | date) else value for name, value in content.items()}
    )


def _signed(retention: Mapping[str, str], entries: int, head: str) -> bytes:
    return f"{FORMAT}\n{entries}\n".encode() + canonical(retention) + b"\n" + head.encode()
