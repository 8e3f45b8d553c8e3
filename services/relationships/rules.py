"""What follows from what is known of a client: sets, scores, validity, checks at entry [CI1 to CI9]. Pure."""

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Literal

from chassis.clock import months_after
from chassis.errors import Text

SetCode = Literal["P", "N", "G", "C", "L"]
State = Literal["stated", "unknown", "refused"]
INCLUDES: Mapping[SetCode, str] = {"P": "P", "N": "PN", "G": "PNG", "C": "PNGC", "L": "PNL"}
"""Which indicators a set asks for: sets are cumulative [CI1]."""
ENTERED = frozenset("CTHM")
"""Sources of people; the others fill themselves [CI5]."""
DECISIVE_BY_EVIDENCE = frozenset({"CI-P08", "CI-P09", "CI-P10"})
"""The client's own word beats the staff's of a day for these only with evidence [CI2, B13]."""
LONGEST_DAYS = {"DIAMOND": 10, "PLATINUM": 21, "GOLD": 45, "SILVER": 135, "NORMAL": 547}
"""The longest interval between contacts by tier: 1.5 times the ideal one [A7a, RE4]."""
QUOTA_DAYS = 31
"""For so many days a quota for new issues counts [A27]."""
HALF, TENTH, NOTHING = Decimal("0.5"), Decimal("0.1"), Decimal(0)


@dataclass(frozen=True, slots=True)
class Indicator:
    """One of the hundred: `field` is what its encryption is bound to, `form` what a value has to look like."""

    code: str
    zh: str
    en: str
    source: str
    owner: str
    weight: int
    valid: str
    set: str
    personal: bool
    field: str
    form: str

    @property
    def entered(self) -> bool:
        """Whether people fill it [CI5]."""
        return not ENTERED.isdisjoint(self.source)

    def valid_until(self, day: date, own: date | None, tier: str) -> date | None:
        """The last day on which a value stated on a day counts; None: for ever [CI3].

        What systems alone fill is as true as the stream that tells it: it does not age.
        """
        match self.valid:
            case "ever":
                return None
            case "own":
                return own
            case _ if not self.entered:
                return None
            case "tier":
                return day + timedelta(days=LONGEST_DAYS[tier])
        number = int(self.valid[:-1])
        return months_after(day, number) if self.valid[-1] == "m" else day + timedelta(days=number)


@dataclass(frozen=True, slots=True)
class Scores:
    """Completeness in percent, one decimal [CI5]."""

    whole: Decimal
    entered: Decimal


def required(indicators: Iterable[Indicator], of: SetCode) -> list[Indicator]:
    """The indicators a set asks for."""
    return [one for one in indicators if one.set in INCLUDES[of]]


def scores(indicators: Iterable[Indicator], of: SetCode, counted: Mapping[str, Decimal]) -> Scores:
    """Both scores of a client: `counted` says of each indicator filled which share of its weight counts (1, or ½)."""
    asked = required(indicators, of)
    return Scores(_share(asked, counted), _share([one for one in asked if one.entered], counted))


def _share(asked: Sequence[Indicator], counted: Mapping[str, Decimal]) -> Decimal:
    weights = sum(one.weight for one in asked)
    return percent(sum((one.weight * counted.get(one.code, NOTHING) for one in asked), NOTHING), weights)


def percent(part: Decimal, whole: int) -> Decimal:
    """A share in percent, one decimal, half up; of nothing nothing."""
    return (100 * part / whole).quantize(TENTH, ROUND_HALF_UP) if whole else NOTHING.quantize(TENTH)


def set_of(*, opened: bool, lost: bool, core: bool, tier: str) -> SetCode:
    """Which set is asked of a client [CI1]."""
    if not opened:
        return "P"
    if lost:
        return "L"
    if core or tier in ("PLATINUM", "DIAMOND"):
        return "C"
    return "G" if tier == "GOLD" else "N"


@dataclass(frozen=True, slots=True)
class Known:
    """What is known under an indicator on a day: `source` who said it, `until` the last day it counts."""

    code: str
    state: State
    source: str
    day: date
    until: date | None

    def share(self, on: date) -> Decimal:
        """Which share of the weight counts on a day: 1, ½ of what is said to be unknown or refused, or nothing [CI3]."""
        if self.until is not None and self.until < on:
            return NOTHING
        return Decimal(1) if self.state == "stated" else HALF


def gaps(indicators: Iterable[Indicator], of: SetCode, counted: Mapping[str, Decimal], sources: str) -> list[Indicator]:
    """What is missing and can be asked by somebody of these sources, the heaviest first [CI7]."""
    missing = [
        one
        for one in required(indicators, of)
        if not counted.get(one.code) and not set(sources).isdisjoint(ENTERED & set(one.source))
    ]
    return sorted(missing, key=lambda one: (-one.weight, one.code))


@dataclass(frozen=True, slots=True)
class Doubt:
    """A check that a value did not pass: it can be entered all the same, with a reason [CI9]."""

    check: str
    code: str
    text: Text


_FACTORS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_LETTERS = "10X98765432"
_MOBILE = re.compile(r"1[3-9][0-9]{9}")
_PHONE = re.compile(r"\+?[0-9][0-9 ()-]{4,28}[0-9]")
_EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s.]+(\.[^@\s.]+)+")


def id_checksum_holds(number: str) -> bool:
    """Whether an identity number has a birth date in it and, of 18 digits, the last follows from the others."""
    if not re.fullmatch(r"[0-9]{15}|[0-9]{17}[0-9Xx]", number) or birth_date_of(number) is None:
        return False
    if len(number) == 15:
        return True
    total = sum(int(digit) * factor for digit, factor in zip(number, _FACTORS, strict=False))
    return number[-1].upper() == _LETTERS[total % 11]


def birth_date_of(number: str) -> date | None:
    """The birth date in an identity number of 18 digits, or of 15, which were given to nobody born after 1999."""
    text = "19" + number[6:12] if len(number) == 15 else number[6:14]
    try:
        return datetime.strptime(text, "%Y%m%d").date()  # noqa: DTZ007 - a date has no zone
    except ValueError:
        return None


def doubts(given: Mapping[str, str], known: Mapping[str, str], *, trades_derivatives: bool) -> list[Doubt]:
    """What is doubtful in values entered, beside those known before [CI9]. `known` has the latest of the others."""
    every = {**known, **given}
    found = [
        doubt
        for code, check in _ALONE.items()
        if code in given and (doubt := check(code, given[code])) is not None
    ]  # fmt: skip
    number, born = every.get("CI-P05", ""), every.get("CI-P04", "")
    if {"CI-P04", "CI-P05"} & given.keys() and number and born and id_checksum_holds(number):
        said = birth_date_of(number)
        if said is not None and said.isoformat() != born:
            found.append(
                Doubt("birth_date", "CI-P04", Text(f"the id number says {said}", f"与证件号码中的 {said} 不符"))
            )
    if given.get("CI-P23") == "0" and trades_derivatives:
        found.append(Doubt("experience", "CI-P23", Text("they may trade derivatives", "客户已开通衍生品业务")))
    return found


def _id_number(code: str, value: str) -> Doubt | None:
    if id_checksum_holds(value):
        return None
    return Doubt("id_number", code, Text("no identity number of 15 or 18 digits", "不是有效的15位或18位身份证号"))


def _matching(check: str, pattern: re.Pattern[str], text: Text) -> Callable[[str, str], Doubt | None]:
    return lambda code, value: None if pattern.fullmatch(value.strip()) else Doubt(check, code, text)


_NO_PHONE = Text("no phone number", "不是有效的电话号码")
_ALONE: Mapping[str, Callable[[str, str], Doubt | None]] = {
    "CI-P05": _id_number,
    "CI-P08": _matching("mobile", _MOBILE, Text("no mobile number", "不是有效的手机号码")),
    "CI-P10": _matching("email", _EMAIL, Text("no e-mail address", "不是有效的电子邮箱")),
    "CI-P11": _matching("phone", _PHONE, _NO_PHONE),
    "CI-P16": _matching("phone", _PHONE, _NO_PHONE),
}


def own_word_decides(code: str, source: str, evidence: bool) -> bool:
    """Whether a value is the client's own, which beats the staff's of the same day [CI2]."""
    return source == "C" and (code not in DECISIVE_BY_EVIDENCE or evidence)


def unpassed(found: Iterable[Doubt], passed: Collection[str]) -> list[Doubt]:
    """The doubts nobody gave a reason to pass."""
    return [one for one in found if one.check not in passed]
