"""Why a class or tier is what it is: inputs, rule, policy version, and the sentence a client can read."""

from datetime import date, timedelta
from typing import Any

from chassis.errors import Text
from services.classification.policies import TierPolicy
from services.classification.rules import TierInterval, tier_code
from services.classification.views import ClassInForce

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
    """The class with its inputs and why."""
    since = held.month_end + timedelta(days=1)
    note = Text(
        " The figures are provisional: not every day of the window is known." if held.provisional else "",
        "该结果为暂定：统计窗口内并非每日资产均已知。" if held.provisional else "",
    )
    sentence = Text(
        f"In the month to {held.month_end} your mean daily assets were {held.mean} and your turnover over twelve months "
        f"{held.turnover}: that is class {held.code} from {since} on.{note.en}",
        f"截至 {held.month_end} 当月日均资产为 {held.mean}，近十二个月资产周转率为 {held.turnover}，"
        f"自 {since} 起分类为 {held.code}。{note.zh}",
    )
    return {
        "code": held.code,
        "rule": {"ids": ["K1", "K2", "K2a"], **bilingual(CLASS_RULE)},
        "policy": held.policy,
        "inputs": {
            "month_end": held.month_end,
            "asset_mean": str(held.mean),
            "known_days": held.known_days,
            "turnover": str(held.turnover),
            "provisional": held.provisional,
        },
        "investor_type": "TRADER" if held.trader else "INVESTOR",
        "sentence": bilingual(sentence),
    }


def of_tier(stretch: TierInterval, decision: Any | None, policy: TierPolicy, policy_name: str) -> dict[str, Any]:
    """The tier with the decision behind it and why. `decision` is the last one in force, None before the first."""
    code = tier_code(stretch.tier)
    name = TIER_NAMES[code]
    inputs: dict[str, Any] = {}
    if decision is not None:
        inputs = {
            "asset_mean": f"{decision['assets']:.2f}",
            "commission_12_months": f"{decision['commission'].normalize():f}",
            "entitled": tier_code(decision["entitled"]),
            "retained": tier_code(decision["retained"]),
            "decided_for": decision["effective_on"],
        }
    return {
        "code": code,
        "since": stretch.since,
        "reason": stretch.reason,
        "rule": {"ids": ["T3", "T4", "T5", "T7"], **bilingual(TIER_RULE)},
        "policy": decision["policy"] if decision is not None else policy_name,
        "inputs": inputs,
        "grace": _grace(decision, policy),
        "sentence": bilingual(_tier_sentence(name, stretch, inputs)),
    }


def _grace(decision: Any | None, policy: TierPolicy) -> dict[str, Any] | None:
    if decision is None or decision["grace_from"] is None:
        return None
    begins: date = decision["grace_from"]
    return {"from": begins, "steps_down_on": begins + timedelta(days=policy.grace_days)}


def _tier_sentence(name: Text, stretch: TierInterval, inputs: dict[str, Any]) -> Text:
    since = stretch.since
    if stretch.reason == "opened":
        return Text(
            f"Every account begins as {name.en}; so has yours since {since}.",
            f"新开账户均为{name.zh}，您自 {since} 起亦如此。",
        )
    if stretch.reason == "grant":
        return Text(f"You were granted the {name.en} tier from {since} on.", f"自 {since} 起您被授予{name.zh}。")
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
