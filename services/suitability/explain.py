"""Why: a level or a decision explained as of any day, in sentences a client can read [go-beyond 2]."""

from collections.abc import Mapping
from datetime import date
from typing import Any

import asyncpg

from chassis.errors import Text
from services.suitability.assessments import level_on
from services.suitability.decisions import facts_of
from services.suitability.errors import UnknownClient
from services.suitability.levels import SCHEMES, held_in
from services.suitability.policy import Policies
from services.suitability.reasons import OUTCOMES, REASONS
from services.suitability.rules import DecisionOutcome, Reason, decide
from services.suitability.situations import SITUATION_AS_OF, ever_assessed, lowest_before, situation_in, situation_of


async def level(sql: asyncpg.Connection, client: str, day: date) -> dict[str, Any]:
    """The level in force on a day with its inputs, rule version and sentence."""
    policy, row = (await Policies.read(sql)).on(day), await level_on(sql, client, day)
    known: dict[str, Any] = {"client_id": client, "as_of": day, "policy": policy.version, "inputs": {}}
    if row is None:
        before = await sql.fetchval(f"SELECT {ever_assessed('$1', '$2::date')}", client, day)
        reason = Reason.EXPIRED if before else Reason.NO_ASSESSMENT
        text = REASONS[reason]
        return known | {"level": None, "scheme": policy.scheme, "reason": reason, **_texts(text)}
    scheme = SCHEMES[row["scheme"]]
    own = policy.own_scheme.level(held_in(row["scheme"], row["rank"], policy.scheme))
    inputs: dict[str, Any] = {
        "assessment_id": row["assessment_id"],
        "source": row["source"],
        "scheme": row["scheme"],
        "level_assessed": row["level"],
        "valid_from": row["valid_from"],
        "valid_until": row["valid_until"],
    }
    submission = None
    if row["submission_id"]:
        submission = await sql.fetchrow(
            """SELECT template, version, answers, points, total, band_level, gates FROM submissions
               WHERE submission_id = $1""",
            row["submission_id"],
        )
    if submission:
        inputs |= dict(submission)
    assessed = scheme.level(row["rank"]).text
    en = f"Assessed on {row['valid_from']} as {assessed.en}, valid to the end of {row['valid_until']}."
    zh = f"{row['valid_from']} 评估结果为“{assessed.zh}”,有效期至 {row['valid_until']} 日终。"
    if submission:
        en = f"The answers to {submission['template']} come to {submission['total']} points. " + en
        zh = f"{submission['template']} 问卷得分 {submission['total']} 分。" + zh
        if submission["gates"]:
            en += " An answer to a gate question led to the lowest level."
            zh += "因关键问题的回答,定为最低等级。"
    if row["scheme"] != policy.scheme:
        en += f" In the firm's scheme this counts as {own.text.en}, never higher."
        zh += f"按本公司等级方案计为“{own.text.zh}”,只降不升。"
    return known | {
        "level": own.code,
        "scheme": policy.scheme,
        "display": own.display.zh,
        "inputs": inputs,
        "text_en": en,
        "text_zh": zh,
    }


async def match(sql: asyncpg.Connection, client: str, product: str, day: date) -> dict[str, Any]:
    """What would be decided about a client's own purchase of a product on a day, and why; nothing is kept.

    Raises: UnknownClient.
    """
    columns = await sql.fetchrow(SITUATION_AS_OF, day, [client], [product])
    if columns is None:
        raise UnknownClient
    row, policies = situation_in(columns), await Policies.read(sql)
    policy, lowest = policies.on(day), await lowest_before(sql, [row.client], policies)
    situation = situation_of(row, policy, lowest.get(client), product)
    verdict = decide(situation.holder, situation.target, "buy", "client", situation.confirmed)
    said = [OUTCOMES[verdict.outcome], *(REASONS[reason] for reason in verdict.reasons)]
    return {
        "client_id": client,
        "product": product,
        "as_of": day,
        "outcome": verdict.outcome.value,
        "reasons": [{"code": reason, **_texts(REASONS[reason])} for reason in verdict.reasons],
        "inputs": facts_of(situation, policy),
        "policy": policy.version,
        "text_en": " ".join(text.en for text in said),
        "text_zh": "".join(text.zh for text in said),
    }


def decision(row: Mapping[str, Any]) -> dict[str, Any]:
    """A decision with every reason as a sentence and the facts the rule saw."""
    reasons = [Reason(reason) for reason in row["reasons"]]
    said = [OUTCOMES[DecisionOutcome(row["outcome"])], *(REASONS[reason] for reason in reasons)]
    return {
        "decision_id": row["decision_id"],
        "client_id": row["client_id"],
        "product": row["product"],
        "decided_at": row["decided_at"],
        "outcome": row["outcome"],
        "reasons": [{"code": reason, **_texts(REASONS[reason])} for reason in reasons],
        "inputs": row["facts"],
        "policy": row["policy"],
        "text_en": " ".join(text.en for text in said),
        "text_zh": "".join(text.zh for text in said),
    }


def _texts(text: Text) -> dict[str, str]:
    return {"text_en": text.en, "text_zh": text.zh}
