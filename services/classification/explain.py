"""Why a class or tier is what it is: inputs, rule, policy version, and the sentence a client can read."""

from datetime import date, timedelta
from typing import Any

from chassis.errors import Text
from services.classification.policies import TierPolicy
from services.classification.rules import TierInterval, tier_code
from services.classification.tables import Month, TierDecision
from services.classification.views import ClassInForce, TierHistory

TIER_NAMES = {
    "NORMAL": Text("standard", "普通客户"),
    "SILVER": Text("silver", "银卡"),
    "GOLD": Text("gold", "金卡"),
    "PLATINUM": Text("platinum", "白金卡"),
    "DIAMOND": Text("diamond", "钻石卡"),
}
CLASS_RULE = Text(
    "Class [K1] by the mean daily total assets of the month just closed and the turnover of the last twelve months [K2, K2a].",
    "客户分类 [K1]：依据刚结束月份的日均资产总额，以及近十二个月的资产周转率 [K2, K2a]。",
)
TIER_RULE = Text(
    "Tier [T3, T4, T5, T7]: the higher of the part by assets and the part by net commission of twelve months; up at once, "
    "down one step after a grace; a valid grant counts when it is higher.",
    "客户级别 [T3, T4, T5, T7]：按资产与按近十二个月净佣金两项取高；升级即时，降级经宽限期逐级；有效授予更高时从其授予。",
)


def bilingual(text: Text) -> dict[str, str]:
    """Both languages, for an answer."""
    return {"en": text.en, "zh-CN": text.zh}


def of_class(held: ClassInForce) -> dict[str, Any]:
    """The class with the evaluation it has held since, why, and the last evaluation, which found the same."""
    opened = held.opened
    note = Text(
        " The figures are provisional: not every day of the window is known." if opened.provisional else "",
        "该结果为暂定：统计窗口内并非每日资产均已知。" if opened.provisional else "",
    )
    sentence = Text(
        f"In the month to {opened.month_end} your mean daily assets were {opened.mean:.2f} and your turnover over twelve "
        f"months {opened.turnover:.4f}: that is class {held.code} from {held.since} on.{note.en}",
        f"截至 {opened.month_end} 当月日均资产为 {opened.mean:.2f}，近十二个月资产周转率为 {opened.turnover:.4f}，"
        f"自 {held.since} 起分类为 {held.code}。{note.zh}",
    )
    return {
        "code": held.code,
        "since": held.since,
        "rule": {"ids": ["K1", "K2", "K2a"], **bilingual(CLASS_RULE)},
        "policy": opened.policy,
        "inputs": _evaluated(opened),
        "last_evaluation": _evaluated(held.last) | {"policy": held.last.policy},
        "investor_type": "TRADER" if held.last.trader else "INVESTOR",
        "sentence": bilingual(sentence),
    }


def _evaluated(month: Month) -> dict[str, Any]:
    return {
        "month_end": month.month_end,
        "asset_mean": f"{month.mean:.2f}",
        "known_days": month.known_days,
        "turnover": f"{month.turnover:.4f}",
        "provisional": month.provisional,
    }


def of_tier(history: TierHistory, day: date, policy: TierPolicy, policy_name: str) -> dict[str, Any]:
    """The tier on a day with what opened its stretch, and why; a running grace with the decision that began it."""
    stretch = next((s for s in reversed(history.stretches) if s.since <= day), history.stretches[0])
    decision = history.decided_by(stretch.since)
    inputs = _decided(decision) if decision else {}
    if stretch.reason == "grant":
        granted = max(
            (g for g in history.grants if g.since <= stretch.since < g.until), key=lambda g: (g.tier, g.until)
        )
        inputs = {"granted_from": granted.since, "granted_until": granted.until}
    elif stretch.reason == "grant_ended":
        ended = max((g for g in history.grants if g.until == stretch.since), key=lambda g: g.tier)
        inputs |= {"granted": tier_code(ended.tier), "granted_from": ended.since, "granted_until": ended.until}
    last = history.decided_by(day)
    return {
        "code": tier_code(stretch.tier),
        "since": stretch.since,
        "reason": stretch.reason,
        "retained": tier_code(last.retained if last else 0),
        "rule": {"ids": ["T3", "T4", "T5", "T7"], **bilingual(TIER_RULE)},
        "policy": decision.policy if decision else policy_name,
        "inputs": inputs,
        "grace": _grace(last, policy),
        "sentence": bilingual(_tier_sentence(TIER_NAMES[tier_code(stretch.tier)], stretch, inputs)),
    }


def _decided(decision: TierDecision) -> dict[str, Any]:
    return {
        "asset_mean": f"{decision.assets:.2f}",
        "commission_12_months": f"{decision.commission.normalize():f}",
        "entitled": tier_code(decision.entitled),
        "retained": tier_code(decision.retained),
        "decided_for": decision.effective_on,
    }


def _grace(decision: TierDecision | None, policy: TierPolicy) -> dict[str, Any] | None:
    if decision is None or decision.grace_from is None:
        return None
    begins = decision.grace_from
    return {"from": begins, "steps_down_on": begins + timedelta(days=policy.grace_days), "inputs": _decided(decision)}


def _tier_sentence(name: Text, stretch: TierInterval, inputs: dict[str, Any]) -> Text:
    since = stretch.since
    if stretch.reason == "opened":
        return Text(
            f"Every account begins as {name.en}; so has yours since {since}.",
            f"新开账户均为{name.zh}，您自 {since} 起亦如此。",
        )
    if stretch.reason == "grant":
        until = inputs["granted_until"]
        return Text(
            f"You were granted the {name.en} tier from {since} on, until {until}.",
            f"自 {since} 起您被授予{name.zh}，至 {until} 止。",
        )
    if stretch.reason == "grant_ended":
        granted = TIER_NAMES[inputs["granted"]]
        return Text(
            f"The {granted.en} tier you had been granted ran out on {since}; since then you are {name.en}.",
            f"您被授予的{granted.zh}于 {since} 到期，此后您为{name.zh}。",
        )
    if not inputs:
        return Text(f"You are {name.en} since {since}.", f"您自 {since} 起为{name.zh}。")
    figures = Text(
        f"mean daily assets of {inputs['asset_mean']} and commission of {inputs['commission_12_months']} over twelve months",
        f"日均资产 {inputs['asset_mean']}、近十二个月佣金 {inputs['commission_12_months']}",
    )
    if stretch.reason == "upgrade":
        return Text(
            f"With {figures.en} you rose to {name.en} on {since}.", f"凭{figures.zh}，您于 {since} 升为{name.zh}。"
        )
    return Text(
        f"After the grace period, with {figures.en}, you moved to {name.en} on {since}.",
        f"宽限期结束后，依据{figures.zh}，您自 {since} 起为{name.zh}。",
    )
