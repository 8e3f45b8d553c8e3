"""Why an entry is what it is: inputs, rule, policy version, and a sentence a client can read."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from chassis.errors import Text
from services.points.accounts import as_amount

RULE = Text(
    "points = net commission in CNY x the multiplier of the tier of the trade date, rounded half up to 0.01 "
    "[P1]; entries bring a trade to its target",
    "积分 = 净佣金(元)× 成交日客户级别的倍数,四舍五入到 0.01 [P1];每笔分录使该成交达到应得积分",
)
EXPIRY = Text(
    "points expire at the close of the month 24 months after they were earned; those held do not",
    "积分自获得之日起满 24 个月的当月末到期;已冻结的不到期",
)
SPENDING = Text(
    "points are held in the order in which they expire, then spent or given back",
    "积分按到期先后冻结,随后使用或退回",
)
BONUS = Text(
    "bonus points: for each full year of account, for a suggestion that was adopted; no multiplier counts",
    "奖励积分:开户每满一年、合理化建议被采纳;不乘级别倍数",
)
ADJUSTMENT = Text(
    "points adjusted by hand, with a reason and a document, by two persons; what is taken out stops at what is available",
    "手工调整,须有原因与附件,并由两人办理;调减以可用积分为限",
)
ITEM_RULES = {
    "adjusted": ("P8", ADJUSTMENT),
    "bonus": ("P3", BONUS),
    "expired": ("P6", EXPIRY),
    "held": ("P5", SPENDING),
    "released": ("P5", SPENDING),
    "spent": ("P5", SPENDING),
}
VERBS = {
    "adjusted": Text("{} points were adjusted by hand on {}.", "{} 积分于 {} 手工调整。"),
    "bonus": Text("{} bonus points were earned on {}.", "{} 奖励积分于 {} 获得。"),
    "expired": Text("{} points expired on {}.", "{} 积分于 {} 到期。"),
    "held": Text("{} points were held on {}.", "{} 积分于 {} 冻结。"),
    "released": Text("{} held points were given back on {}.", "{} 冻结积分于 {} 退回。"),
    "spent": Text("{} points were spent on {}.", "{} 积分于 {} 使用。"),
}
TIER_NAMES = {
    "NORMAL": Text("standard", "普通客户"),
    "SILVER": Text("silver", "银卡"),
    "GOLD": Text("gold", "金卡"),
    "PLATINUM": Text("platinum", "白金卡"),
    "DIAMOND": Text("diamond", "钻石卡"),
}


def explained(entry: Mapping[str, Any], trade: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The whole explanation of one entry, given all entries of its trade (or item) known by then, in their order."""
    earlier = [row for row in trade if row["step"] < entry["step"]]
    if entry["kind"] == "corrected":  # of what the trade earns, whatever a cancellation takes back
        earlier = [row for row in earlier if row["kind"] != "reversed"]
    before = sum(row["points"] for row in earlier)
    of_trade = entry["trade_id"] is not None
    rule_id, rule = ("P1", RULE) if of_trade else ITEM_RULES[entry["kind"]]
    return {
        "entry_id": entry["entry_id"],
        "kind": entry["kind"],
        "points": str(as_amount(entry["points"])),
        "rule": {"id": rule_id, "en": rule.en, "zh-CN": rule.zh},
        "policy": entry["policy"],
        "inputs": {
            "commission": _plain(entry["commission"]),
            "tier": entry["tier"],
            "multiplier": as_multiplier(entry["multiplier"]),
            "trade_id": entry["trade_id"],
            "trade_date": entry["trade_date"],
            "posted_before": str(as_amount(before)),
        }
        if of_trade
        else None,
        "cause": entry["cause"],
        "original": entry["original"],
        "trade_total": str(as_amount(sum(row["points"] for row in trade))),
        "trade_entries": [
            {
                "entry_id": row["entry_id"],
                "kind": row["kind"],
                "points": str(as_amount(row["points"])),
                "posted_on": row["posted_on"],
            }
            for row in trade
        ],
        "sentence": _sentence(entry, before) if of_trade else _item_sentence(entry),
    }


def _item_sentence(entry: Mapping[str, Any]) -> dict[str, str]:
    """What happened to points that is no trade's doing; one that takes another back says so."""
    words, day = VERBS[entry["kind"]], entry["value_on"].isoformat()
    gained = entry["debit_account"].startswith(("sys:issued:", "sys:adjusted"))
    forward = gained or (entry["debit_account"].startswith("cust:") and not entry["debit_account"].endswith(":debt"))
    if not forward or (entry["kind"] == "bonus" and not gained):
        words = Text(
            "A correction: of what is told for {1}, {0} points are taken back.", "更正:{1} 所记的 {0} 积分已冲回。"
        )
    amount = as_amount(entry["moved"])
    return {"zh-CN": words.zh.format(amount, day), "en": words.en.format(amount, day)}


def as_multiplier(hundredths: int) -> str:
    """A multiplier as people write it: 1.1 (two decimals only where it has them)."""
    return f"{Decimal(hundredths) / 100:.2f}".removesuffix("0")


def _plain(amount: str) -> str:
    return f"{Decimal(amount):f}"


def _sentence(entry: Mapping[str, Any], before: int) -> dict[str, str]:
    commission, times = _plain(entry["commission"]), as_multiplier(entry["multiplier"])
    points, tier = as_amount(entry["points"]), TIER_NAMES[entry["tier"]]
    due, trade, day = as_amount(before + entry["points"]), entry["trade_id"], entry["trade_date"].isoformat()
    sum_en = f"commission {commission} CNY x {times} ({tier.en} tier on {day})"
    sum_zh = f"佣金 {commission} 元 × {times}({day} 为{tier.zh})"
    if entry["debit_account"].endswith(":debt") or entry["credit_account"].endswith(":debt"):
        owed = Text(f"; {abs(points)} of it concern points owed", f";其中 {abs(points)} 分计入欠分")
    else:
        owed = Text("", "")
    if entry["kind"] == "accrued":
        en = f"Trade {trade} earned {points} points: {sum_en}{owed.en}."
        zh = f"成交 {trade} 获得 {points} 积分:{sum_zh}{owed.zh}。"
    elif entry["kind"] == "reversed":
        en = f"Trade {trade} was cancelled: {sum_en} remain, which is {due} points, so {points} points were posted{owed.en}."
        zh = f"成交 {trade} 已撤销:剩余{sum_zh},应得 {due} 积分,故记 {points} 积分{owed.zh}。"
    else:
        en = (
            f"Trade {trade} was corrected: {sum_en} is {due} points; {as_amount(before)} were posted before, "
            f"so {points} points followed{owed.en}."
        )
        zh = (
            f"成交 {trade} 已更正:{sum_zh},应得 {due} 积分;此前已记 {as_amount(before)},故补记 {points} 积分{owed.zh}。"
        )
    return {"zh-CN": zh, "en": en}
