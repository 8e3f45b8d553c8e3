"""Pure decisions about supplementary classifications: codes, suggestions, guardrails, annex 4's risk grades [K3 to K6]."""

from collections import defaultdict, deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from statistics import median
from typing import Any, Literal, NamedTuple

import msgspec

from chassis.errors import FieldError, Invalid, Text
from chassis.policy import PolicyBody, PolicyInvalid, typed
from contracts.classification import SupplementaryKind
from services.classification.group_policies import Days

CODES: dict[SupplementaryKind, dict[str, Text]] = {
    "HABIT": {"D": Text("short-term", "短线投资"), "B": Text("swing", "波段操作"), "I": Text("value", "价值投资")},
    "VALUE": {
        "G": Text("golden client", "黄金客户"),
        "S": Text("star of tomorrow", "明日之星"),
        "M": Text("keep the volume", "维护型"),
        "U": Text("free", "自由型"),
    },
    "STYLE": {
        "F": Text("risk-averse", "风险规避型"),
        "Y": Text("dependent", "依赖型"),
        "L": Text("independent", "独立决策型"),
        "Z": Text("highly autonomous", "高度自主决策型"),
    },
    "PREFERENCE": {
        "V": Text("blue-chip value", "绩优价值股"),
        "C": Text("growth", "成长股"),
        "J": Text("funds", "基金"),
        "T": Text("themes", "概念题材股"),
        "Q": Text("warrants", "权证"),
        "X": Text("initial offerings", "新股认购"),
    },
    "BEHAVIOUR": {
        "PRESERVER": Text("passive preserver", "被动守护型"),
        "FOLLOWER": Text("friendly follower", "紧跟潮流"),
        "INDIVIDUALIST": Text("independent individualist", "独立思考型"),
        "ACCUMULATOR": Text("active accumulator", "积极进取型"),
    },
}
FACTORS = ("wealth", "income", "profession", "background", "resources")
"""Total wealth, income, profession, background, other resources: 0 to 2 each [K5]."""


class UnknownCode(Invalid):
    """The code is none of that classification's; codes carry their classification's name: `HABIT:D` [K3]."""

    title = Text("Unknown code", "未知分类代码")


def check_codes(kind: SupplementaryKind, codes: Sequence[str]) -> list[str]:
    """The codes of one entry, namespaced: one, of preferences up to six different ones, the first being primary.

    Raises: UnknownCode.
    """
    bare = [code.removeprefix(f"{kind}:") for code in codes]
    if not bare or len(set(bare)) < len(bare) or (kind != "PREFERENCE" and len(bare) > 1):
        raise UnknownCode(Text(f"{kind} takes one code, PREFERENCE several different ones", f"{kind} 的代码数量有误"))
    for code in bare:
        if code not in CODES[kind]:
            allowed = ", ".join(f"{kind}:{known}" for known in CODES[kind])
            raise UnknownCode(Text(f"{code!r} is none of {allowed}", f"{code!r} 不在 {allowed} 之内"))
    return [f"{kind}:{code}" for code in bare]


class SupplementaryPolicy(PolicyBody, frozen=True):
    """Numbers of suggestions and guardrails."""

    swing_from_days: Days
    swing_to_days: Days
    future_high_from: Days
    contacts_per_month_averse: Days
    order_wording: tuple[str, ...] = ()
    short_term_kinds: tuple[str, ...] = ("index_future", "chinext", "warrant", "margin")


def parse(body: dict[str, Any]) -> SupplementaryPolicy:
    """A policy from its body.

    Raises: PolicyInvalid.
    """
    policy = typed(SupplementaryPolicy, body)
    if policy.swing_from_days > policy.swing_to_days or policy.future_high_from > 2 * len(FACTORS):
        raise PolicyInvalid(
            "the swing band must rise, and the five factors reach 10 at most",
            errors=(
                FieldError("/body/swing_to_days", "not below swing_from_days"),
                FieldError("/body/future_high_from", "10 at most"),
            ),
        )
    return msgspec.structs.replace(policy, order_wording=tuple(word.lower() for word in policy.order_wording))


class Dealing(NamedTuple):
    """A trade as a suggestion needs it."""

    day: date
    symbol: str
    side: str
    quantity: Decimal
    kind: str | None = None


def holding_days(dealings: Iterable[Dealing], today: date) -> list[int]:
    """How long each lot was held, first in first out; lots still held count up to today.

    Sales of what was bought before the first known trade say nothing and are left out.
    """
    lots: defaultdict[str, deque[tuple[date, Decimal]]] = defaultdict(deque)
    held: list[int] = []
    for dealing in sorted(dealings, key=lambda d: d[:4]):
        queue, left = lots[dealing.symbol], dealing.quantity
        if dealing.side == "buy":
            queue.append((dealing.day, left))
            continue
        while queue and left > 0:
            bought, quantity = queue.popleft()
            held.append((dealing.day - bought).days)
            if quantity > left:
                queue.appendleft((bought, quantity - left))
            left -= quantity
    return held + [(today - bought).days for queue in lots.values() for bought, _ in queue]


def suggest_habit(days: Sequence[int], kinds: Collection[str | None], policy: SupplementaryPolicy) -> str | None:
    """The habit [K4]: D for whoever trades warrants, ChiNext and the like (`kinds` of the instruments traded); else by the
    median holding: short of the swing band D, inside it B, beyond it I; no trades: none."""
    if any(kind in policy.short_term_kinds for kind in kinds):
        return "HABIT:D"
    if not days:
        return None
    middle = median(days)
    code = "D" if middle < policy.swing_from_days else "B" if middle <= policy.swing_to_days else "I"
    return f"HABIT:{code}"


def suggest_value(current_high: bool, scores: Mapping[str, int] | None, policy: SupplementaryPolicy) -> str | None:
    """Client value by the present and the future, none while the five factors are not scored [K5]."""
    if scores is None:
        return None
    future_high = sum(scores.values()) >= policy.future_high_from
    names: dict[tuple[bool, bool], Literal["G", "S", "M", "U"]] = {
        (True, True): "G",
        (False, True): "S",
        (True, False): "M",
        (False, False): "U",
    }
    return f"VALUE:{names[current_high, future_high]}"


def guardrails_of(codes: Iterable[str], policy: SupplementaryPolicy) -> list[str]:
    """What the codes in force forbid or limit."""
    rails = {
        "STYLE:F": f"CONTACTS_PER_MONTH:{policy.contacts_per_month_averse}",
        "STYLE:Y": "NO_DISCRETION",
        "STYLE:L": "ADVISER_ONLY",
    }
    return [rails[code] for code in codes if code in rails]


def offers_discretion(text: str, policy: SupplementaryPolicy) -> bool:
    """Whether a text about a dependent client (依赖型) speaks of dealing on the client's behalf (全权委托)."""
    lower = text.lower()
    return any(word in lower for word in policy.order_wording)
