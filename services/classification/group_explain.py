"""Why a client is in its groups, has its value and lifecycle: inputs, rules, policies, and sentences to read."""

from datetime import date
from typing import Any

from chassis.errors import Text
from chassis.policy import Versions
from contracts.classification import TagCode
from services.classification.explain import bilingual
from services.classification.group_policies import GroupPolicy
from services.classification.group_rules import primary_of, tags_of
from services.classification.group_tables import GroupDecision
from services.classification.group_views import ONE_DAY, GroupsInForce

GROUP_NAMES = {
    "AT_RISK": Text("at risk", "流失预警"),
    "ABNORMAL": Text("abnormal", "异动客户"),
    "NEVER_TRADED": Text("never traded", "历史无交易"),
    "NEW": Text("new", "新开户"),
    "CORE": Text("core", "核心客户"),
    "DORMANT": Text("dormant", "休眠"),
    "REGULAR": Text("regular", "普通"),
}
LIFECYCLE_NAMES = {
    "ESTABLISHED": Text("established", "建立"),
    "GROWING": Text("growing", "成长"),
    "MATURE": Text("mature", "成熟"),
    "DECLINING": Text("declining", "衰退"),
    "LOST": Text("lost", "流失"),
}
VALUE_TYPE_NAMES = {
    "COMMISSION": Text("commission contributor", "佣金贡献型"),
    "PRODUCT": Text("product buyer", "产品购买型"),
    "ASSETS": Text("asset holder", "资产维持型"),
}
GROUP_RULE = Text(
    "One primary group by first match, and every matching tag; evaluated at each close, in force the day after [K7].",
    "按顺序首个命中者为主分组，同时保留全部命中标签；每日日终评估，次日生效 [K7]。",
)
VALUE_RULE = Text(
    "V is a weighted score of commission, net product purchases (12 months each) and mean assets of the month [V1].",
    "客户价值 V 由近十二个月佣金、产品净购买额与当月日均资产加权得分 [V1]。",
)
CORE_RULE = Text(
    "Core: the first fifth of the branch's clients by V, or class A+, B+, A, B, or GOLD and above; at month closes [V2].",
    "核心客户：营业部按 V 排名前五分之一，或分类为 A+、B+、A、B，或金卡及以上；月末评估 [V2]。",
)
LIFECYCLE_RULE = Text(
    "First match of lost, established, declining, growing, mature; at month closes, three months against three [V5].",
    "依次判断流失、建立、衰退、成长、成熟；月末评估，近三个月对前三个月 [V5]。",
)


def of_groups(held: GroupsInForce, opened_on: date, policies: Versions[GroupPolicy]) -> dict[str, Any]:
    """The groups, each with the decision that opened its stretch, and the figures behind it."""
    decision = held.primary_opened
    bits = decision.tags if decision else None
    reasons = {}
    for tag in tags_of(held.tags or 0):
        opened = held.opened(tag)
        policy = policies.on(opened.effective_on - ONE_DAY).body
        reasons[tag] = bilingual(_reason(tag, _group_inputs(opened, opened_on), policy))
    primary = primary_of(bits)
    name = GROUP_NAMES[primary] if primary else Text("outside all groups", "不在分组之内")
    return {
        "primary": primary,
        "since": decision.effective_on if decision else None,
        "rule": {"ids": ["K7"], **bilingual(GROUP_RULE)},
        "policy": decision.policy if decision else None,
        "inputs": _group_inputs(decision, opened_on) if decision else {},
        "reasons": reasons,
        "sentence": bilingual(Text(f"The primary group is: {name.en}.", f"主分组：{name.zh}。")),
    }


def _group_inputs(decision: GroupDecision, opened_on: date) -> dict[str, Any]:
    day = decision.effective_on - ONE_DAY
    return {
        "evaluated_on": day,
        "age_days": (day - opened_on).days,
        "last_trade_on": decision.traded_on,
        "last_occurrence_on": decision.occurred_on,
        "leaving_since": decision.leaving_since,
        "total": _plain(decision.total),
        "total_before": _plain(decision.before),
    }


def _reason(tag: TagCode, inputs: dict[str, Any], policy: GroupPolicy) -> Text:
    if tag == "AT_RISK" and inputs["leaving_since"]:
        day = inputs["leaving_since"]
        return Text(f"asked on {day} to close or transfer the account", f"于 {day} 申请销户或转户")
    traded, age = inputs["last_trade_on"], inputs["age_days"]
    return {
        "AT_RISK": Text(
            f"total assets fell from {inputs['total_before']} to {inputs['total']} within {policy.at_risk_days} days",
            f"{policy.at_risk_days} 天内总资产由 {inputs['total_before']} 降至 {inputs['total']}",
        ),
        "ABNORMAL": Text(
            f"unusual trading or transfers on {inputs['last_occurrence_on']}",
            f"{inputs['last_occurrence_on']} 交易或转账异动",
        ),
        "NEVER_TRADED": Text(f"open for {age} days without a trade", f"开户 {age} 天从未交易"),
        "NEW": Text(f"opened {age} days before", f"开户 {age} 天"),
        "CORE": Text("core by the last month close", "最近月末评估为核心客户"),
        "DORMANT": Text(f"last traded on {traded}", f"最近一次交易为 {traded}"),
    }[tag]


def of_value(held: GroupsInForce) -> dict[str, Any] | None:
    """V, its type, and core, with the figures of the month; None before the client's first month close."""
    row = held.value
    if row is None:
        return None
    kind = VALUE_TYPE_NAMES.get(row.value_type or "")
    shown = f"{row.value:.2f}" if row.value is not None else None
    core = held.ranked
    return {
        "value": shown,
        "value_type": row.value_type,
        "no_value": row.value == 0,
        "month_end": row.month_end,
        "rule": {"ids": ["V1"], **bilingual(VALUE_RULE)},
        "inputs": {
            "commission": _plain(row.commission),
            "purchases": _plain(row.purchases),
            "assets": _plain(row.assets),
        },
        "core": {
            "core": core is not None,
            "since": held.core.effective_on if held.core else None,
            "reasons": core.reasons.split(",") if core else [],
            "rank": core.rank if core else None,
            "ranked": core.ranked if core else None,
            "rule": {"ids": ["V2"], **bilingual(CORE_RULE)},
            "policy": held.core.policy if held.core else None,
        },
        "sentence": bilingual(
            Text(f"The value is {shown} of 100: {kind.en}.", f"客户价值为 {shown}（满分 100）：{kind.zh}。")
            if kind
            else Text("A closed account has no value.", "账户已销户，无客户价值。")
        ),
    }


def of_lifecycle(held: GroupsInForce) -> dict[str, Any]:
    """The lifecycle with the figures of the decision behind it."""
    decision = held.lifecycle
    code = decision.lifecycle if decision else "ESTABLISHED"
    name = LIFECYCLE_NAMES[code]
    inputs: dict[str, Any] = {}
    if decision is not None:
        sums = ("total", "assets_now", "assets_before", "commission_now", "commission_before")
        inputs = {name: _plain(getattr(decision, name)) for name in sums} | {"last_trade_on": decision.traded_on}
    return {
        "lifecycle": code,
        "since": decision.effective_on if decision else None,
        "rule": {"ids": ["V5"], **bilingual(LIFECYCLE_RULE)},
        "policy": (decision.policy or None) if decision else None,
        "inputs": inputs,
        "sentence": bilingual(Text(f"The lifecycle stage is: {name.en}.", f"生命周期阶段：{name.zh}。")),
    }


def _plain(number: Any) -> str | None:
    return None if number is None else f"{number.normalize() + 0:f}"
