"""The tables that the business changes: the client information set [CI1]."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from chassis.errors import FieldError
from chassis.policy import PolicyBody, PolicyBook, PolicyInvalid, PolicyTable, typed
from services.relationships.rules import Indicator

FILE = Path(__file__).with_name("policy.toml")
Percent = Annotated[int, msgspec.Meta(ge=0, le=100)]
Days = Annotated[int, msgspec.Meta(ge=1, le=3660)]
_VALID = re.compile(r"ever|own|tier|[1-9][0-9]{0,3}[md]")
_SOURCE = re.compile(r"[SECTHM]{1,6}")


class IndicatorBody(PolicyBody, frozen=True):
    """One indicator as it is written."""

    code: Annotated[str, msgspec.Meta(pattern=r"^CI-[PASC][0-9]{2}$")]
    zh: Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
    en: Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
    source: str
    owner: Literal["OPS", "CM", "SYS", "CC", "ADV", "CMP"]
    weight: Annotated[int, msgspec.Meta(ge=1, le=3)]
    valid: str
    set: Literal["P", "N", "G", "C", "L"]
    personal: bool = False
    field: str = ""
    form: Literal["", "id_number", "mobile", "phone", "email", "date", "years"] = ""


class InformationBody(PolicyBody, frozen=True):
    """A version as it is written."""

    unknown_months: Annotated[int, msgspec.Meta(ge=1, le=120)]
    gaps_shown: Annotated[int, msgspec.Meta(ge=1, le=50)]
    notice_days: Days
    target_core: Percent
    target_gold: Percent
    target_other: Percent
    indicators: Annotated[list[IndicatorBody], msgspec.Meta(min_length=1, max_length=500)]


@dataclass(frozen=True, slots=True)
class Information:
    """One version of the set: for how long "unknown" and "refused" count, how many gaps a form shows, the targets."""

    indicators: Mapping[str, Indicator]
    unknown_months: int
    gaps_shown: int
    notice_days: int
    targets: Mapping[str, int]


def parse(body: dict[str, Any]) -> Information:
    """Read one version.

    Raises: PolicyInvalid when a code is there twice, or a source, a validity or a target is none.
    """
    given = typed(InformationBody, body)
    if problems := tuple(_problems(given)):
        raise PolicyInvalid(f"{problems[0].pointer}: {problems[0].detail}", errors=problems)
    return Information(
        {
            one.code: Indicator(
                one.code, one.zh, one.en, one.source, one.owner, one.weight, one.valid, one.set,
                one.personal, one.field or one.code, one.form,
            )
            for one in given.indicators
        },
        given.unknown_months, given.gaps_shown, given.notice_days,
        {"C": given.target_core, "G": given.target_gold, "N": given.target_other},
    )  # fmt: skip


def _problems(given: InformationBody) -> Iterator[FieldError]:
    counts = Counter(one.code for one in given.indicators)
    for n, one in enumerate(given.indicators):
        if counts[one.code] > 1:
            yield FieldError(f"/body/indicators/{n}/code", f"{one.code} is there {counts[one.code]} times")
        if not _SOURCE.fullmatch(one.source) or len(set(one.source)) < len(one.source):
            yield FieldError(f"/body/indicators/{n}/source", "letters of S, E, C, T, H and M, each once")
        if not _VALID.fullmatch(one.valid):
            yield FieldError(f"/body/indicators/{n}/valid", "ever, own, tier, or a number of months (24m) or days (7d)")
        if one.field and not one.personal:
            yield FieldError(f"/body/indicators/{n}/field", "only of what is personal")
    if not given.target_other <= given.target_gold <= given.target_core:
        yield FieldError("/body/target_core", "a better tier is not asked for less")


class Policies(PolicyBook):
    """The tables of relationships."""

    information = PolicyTable(FILE, parse)
