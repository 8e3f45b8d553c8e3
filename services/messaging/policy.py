"""What messaging's policies may say: typed bodies, checked when read (`policy.toml`, `templates.toml`)."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from datetime import time, timedelta
from decimal import Decimal
from functools import cache, cached_property
from math import inf
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args

import msgspec

from chassis.errors import FieldError
from chassis.policy import PolicyBody, PolicyBook, PolicyInvalid, PolicyTable, typed
from contracts.classification import TIERS
from contracts.messaging import Channel, MessageClass
from services.messaging.rules import sms_parts
from services.messaging.words import Forbidden

Body = TypeVar("Body")
Positive = Annotated[int, msgspec.Meta(ge=1, le=1_000_000)]
Code = Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
GroupCode = Annotated[str, msgspec.Meta(pattern=r"^[A-Z][A-Z0-9_]{0,63}$")]
Words = Annotated[str, msgspec.Meta(min_length=1, max_length=2000)]
Way = Literal["own", "cloud", "email", "wecom", "app"]
FieldType = Literal["text", "date", "number", "money", "code", "security"]
OWN_RECORD = ("name", "branch", "manager", "manager_phone", "contact", "hotline", "package")
"""What is filled in from the client's own record and the firm's."""
WECOM_BYTES = 2048
TEMPLATES = Path(__file__).with_name("templates.toml")
DAY_MINUTES = 24 * 60
LINES = ("SMS1", "SMS2", "SMS3")
"""The SMS products whose lines the desk writes [MS17]."""
_BLANK = re.compile(r"\{(\w+)\}")
_SECURITY = re.compile(r"(?<!\d)(?:[036]\d{5}|[48]\d{5})(?!\d)|\.(?:SH|SZ|BJ)\b", re.I)


class Cap(PolicyBody, frozen=True):
    """At most so many messages to a number in so many minutes, rolling [MS10]."""

    count: Positive
    minutes: Positive

    @property
    def span(self) -> timedelta:
        """The minutes as a span."""
        return timedelta(minutes=self.minutes)


class WayTerms(PolicyBody, frozen=True):
    """A way messages go: the client's channel it reaches, how fast its provider takes them, and how many of all classes an
    address may get by it [MS15]; of staff `staff_caps` alone. `template_ceiling`: of one template its provider takes so many to a
    number and day, which the caps of no class may exceed [MS10]."""

    channel: Channel
    per_second: Positive
    at_once: Positive
    caps: tuple[Cap, ...] = ()
    staff_caps: tuple[Cap, ...] = ()
    template_ceiling: Positive | None = None


class ClassTerms(PolicyBody, frozen=True):
    """What holds for a content class [MS3, MS4, MS8 to MS10]."""

    ways: tuple[Way, ...]
    lifetime_minutes: Positive
    quiet: bool = True
    stoppable: bool = False
    consent: bool = False
    marketing_hours: bool = False
    optional: bool = False
    second_provider: bool = False
    caps: tuple[Cap, ...] = ()

    @property
    def most_a_day(self) -> float:
        """How many messages a number gets in a day at the most."""
        return min((cap.count * -(-DAY_MINUTES // cap.minutes) for cap in self.caps), default=inf)


class Sending(PolicyBody, frozen=True, dict=True):
    """What may go where and when."""

    hotline: Words
    quiet: tuple[str, str]
    marketing_hours: tuple[str, str]
    retry_minutes: tuple[Positive, ...]
    receipt_hours: Positive
    merge_minutes: Positive
    shared_clients: Positive
    unknown_client_minutes: Positive
    ways: dict[str, WayTerms]
    classes: dict[str, ClassTerms]
    optional: Cap
    packages: dict[str, dict[str, Words]]
    education_days: Positive = 7
    member_hours: Positive = 24
    contact_wait_minutes: Positive = 60
    stuck_minutes: Positive = 15
    registered_channels: tuple[Channel, ...] = ()

    @cached_property
    def quiet_hours(self) -> tuple[time, time]:
        """When messages rest."""
        return time.fromisoformat(self.quiet[0]), time.fromisoformat(self.quiet[1])

    @cached_property
    def marketing_span(self) -> tuple[time, time]:
        """When marketing may go, on working days."""
        return time.fromisoformat(self.marketing_hours[0]), time.fromisoformat(self.marketing_hours[1])

    @cached_property
    def longest_cap(self) -> timedelta:
        """How far back what was sent counts."""
        caps = [cap for terms in self.classes.values() for cap in terms.caps]
        caps += [cap for way in self.ways.values() for cap in (*way.caps, *way.staff_caps)]
        return max(cap.span for cap in (*caps, self.optional))


class Variable(PolicyBody, frozen=True):
    """A variable of a template: its type and its longest value [MS6]."""

    type: FieldType
    longest: Annotated[int, msgspec.Meta(ge=1, le=4000)]


class Wording(PolicyBody, frozen=True):
    """The words of a template in one language."""

    subject: Words
    body: Words

    def filled(self, fields: Mapping[str, str]) -> tuple[str, str]:
        """Subject and body with the fields in place of their blanks; what stands in a field is never read as a blank.

        Raises: KeyError, naming a field that is not given: a message with a hole in it is not sent.
        """
        return tuple(_BLANK.sub(lambda blank: fields[blank[1]], text) for text in (self.subject, self.body))  # type: ignore[return-value]

    @property
    def blanks_of_body(self) -> set[str]:
        """The names its text has blanks for: what a provider that fills templates itself is given."""
        return set(_BLANK.findall(self.body))

    @property
    def blanks(self) -> set[str]:
        """The names it has blanks for."""
        return {name for text in (self.subject, self.body) for name in _BLANK.findall(text)}


class Template(PolicyBody, frozen=True):
    """A kind of message [MS6]: its class [MS3], ways in order of preference, variables, words in both languages.

    `passed`: forbidden words that compliance lets pass here, each with its reason [MS16]. `ordered`: its words are those of
    a mailing, which one person orders and another releases: they are judged there, and how long each SMS is when it goes.
    `needs`: what of the client's own record has to be known first; until then it waits.
    """

    message_class: MessageClass
    ways: tuple[Way, ...]
    zh: Wording
    en: Wording
    fields: dict[Code, Variable] = msgspec.field(default_factory=dict)
    mergeable: bool = False
    ordered: bool = False
    needs: tuple[Literal["manager"], ...] = ()
    passed: dict[str, Words] = msgspec.field(default_factory=dict)

    @property
    def goes_by_sms(self) -> bool:
        """Whether it may go by SMS."""
        return not {"own", "cloud"}.isdisjoint(self.ways)

    def in_language(self, language: str) -> Wording:
        """Its words for `zh-CN` or, for anything else, English."""
        return self.zh if language.startswith("zh") else self.en


class WordLists(PolicyBody, frozen=True, dict=True):
    """Words that no message says [MS16]."""

    never: tuple[Words, ...]
    banned: tuple[Words, ...]
    ratings: tuple[Words, ...]

    @cached_property
    def forbidden(self) -> Forbidden:
        """What no message says, as one automaton."""
        return Forbidden((*self.never, *self.banned))

    @cached_property
    def rated(self) -> Forbidden:
        """What NOTICE does not say [MS4]."""
        return Forbidden(self.ratings)


class Templates(PolicyBody, frozen=True, dict=True):
    """Every kind of message and the words none may say, as one set: each holds against the other."""

    max_parts: Positive
    signature_units: Positive
    lengths: dict[str, Positive]
    words: WordLists
    kinds: dict[Code, Template]

    def longest(self, template: Template, language: str) -> str:
        """The longest text it can make."""
        longest = {name: "国" * size for name, size in self.lengths.items()}
        longest |= {name: "国" * variable.longest for name, variable in template.fields.items()}
        _, body = template.in_language(language).filled(longest)
        return body

    def parts(self, template: Template, language: str) -> int:
        """The parts of the longest SMS it can make [MS12]."""
        return sms_parts("国" * self.signature_units + self.longest(template, language))


class Signature(PolicyBody, frozen=True):
    """A registered signature (签名) of a way [MS5]."""

    way: Way
    text: Annotated[str, msgspec.Meta(min_length=2, max_length=20)]
    state: Literal["draft", "filed", "approved", "refused"]


class Filing(PolicyBody, frozen=True):
    """A template as a provider knows it [MS6]."""

    kind: Code
    way: Way
    code: Words
    state: Literal["draft", "filed", "approved", "refused"]


class Filings(PolicyBody, frozen=True):
    """What carriers and clouds have registered."""

    signatures: tuple[Signature, ...]
    templates: tuple[Filing, ...]
    templates_filed: tuple[Way, ...] = ()

    def signature(self, way: str) -> str | None:
        """The approved signature of a way; None where there is none."""
        return next((one.text for one in self.signatures if one.way == way and one.state == "approved"), None)

    def code(self, kind: str, way: str) -> str | None:
        """The provider's code of an approved template."""
        found = (one.code for one in self.templates if (one.kind, one.way, one.state) == (kind, way, "approved"))
        return next(found, None)

    def allows(self, kind: str, way: str) -> bool:
        """Whether a way that files templates has this one approved."""
        return way not in self.templates_filed or self.code(kind, way) is not None


def parse_sending(body: dict[str, Any]) -> Sending:
    """The terms of sending. Raises: PolicyInvalid."""
    found = typed(Sending, body)
    problems = []
    for name, span in (("quiet", found.quiet), ("marketing_hours", found.marketing_hours)):
        try:
            begin, end = map(time.fromisoformat, span)
        except ValueError:
            problems.append(FieldError(f"/body/{name}", "not times of day"))
            continue
        if begin == end or (name == "marketing_hours" and begin > end):
            problems.append(FieldError(f"/body/{name}", "ends before it begins"))
    for name, given, known in (
        ("ways", found.ways.keys(), set(get_args(Way))),
        ("classes", found.classes.keys(), set(get_args(MessageClass))),
    ):
        if wrong := given - known:
            problems.append(FieldError(f"/body/{name}", f"nobody knows {', '.join(sorted(wrong))}"))
    if missing := set(get_args(MessageClass)) - found.classes.keys():
        problems.append(FieldError("/body/classes", f"without {', '.join(sorted(missing))}"))
    for name, terms in found.classes.items():
        if absent := set(terms.ways) - found.ways.keys():
            problems.append(FieldError(f"/body/classes/{name}/ways", f"no way is {', '.join(sorted(absent))}"))
        ceilings = [found.ways[way].template_ceiling for way in terms.ways if way in found.ways]
        if (ceiling := min(filter(None, ceilings), default=None)) is not None and terms.most_a_day > ceiling:
            why = f"a provider takes {ceiling} of one template to a number and day [MS10]"
            problems.append(FieldError(f"/body/classes/{name}/caps", why))
    for tier in TIERS:
        if not all(found.packages.get(tier, {}).get(language) for language in ("zh-CN", "en")):
            problems.append(FieldError(f"/body/packages/{tier}", "has no name in zh-CN and en"))
    if any("cloud" in terms.ways for name, terms in found.classes.items() if name in ("MARKETING", "SUBSCRIBED")):
        problems.append(FieldError("/body/classes", "the clouds take no finance content but notices and codes [MS4]"))
    return _without(problems, found)


def parse_templates(body: dict[str, Any]) -> Templates:
    """The set of templates; kinds it does not name are as shipped. Raises: PolicyInvalid, pointing at each that does not hold."""
    found = typed(Templates, body)
    problems = [
        FieldError(f"/body/kinds/{kind}/{place}", why)
        for kind, template in found.kinds.items()
        for place, why in _wrong(found, template)
    ]
    if missing := set(OWN_RECORD) - found.lengths.keys():
        problems.append(FieldError("/body/lengths", f"without {', '.join(sorted(missing))}"))
    return _without(problems, msgspec.structs.replace(found, kinds=_shipped_kinds() | found.kinds))


@cache
def _shipped_kinds() -> dict[str, Template]:
    shipped = tomllib.loads(TEMPLATES.read_text("utf-8"), parse_float=str)["templates"][-1]["kinds"]
    return typed(dict[Code, Template], shipped)


def _wrong(book: Templates, template: Template) -> Iterator[tuple[str, str]]:
    """What does not hold in a template: blanks, forbidden words, a security in a notice, variables of marketing, length."""
    if template.message_class == "MARKETING" and template.fields and not template.ordered:
        yield "fields", "marketing has no variables but the client's form of address [MS6]"
    if template.message_class == "NOTICE" and any(one.type == "security" for one in template.fields.values()):
        yield "fields", "a notice names no security [MS4]"
    for word in template.passed:
        if book.words.forbidden.hits(word) and any(word == never for never in book.words.never):
            yield "passed", f"{word!r} promises a return and is never passed [MS16]"
    for language, place in (("zh-CN", "zh"), ("en", "en")):
        wording = template.in_language(language)
        if unknown := wording.blanks - set(OWN_RECORD) - template.fields.keys():
            yield place, f"no variable fills {', '.join(sorted(unknown))}"
            continue
        for why in wrong_words(book, template, f"{wording.subject}\n{wording.body}"):
            yield place, why
        if template.goes_by_sms and not template.ordered and (parts := book.parts(template, language)) > book.max_parts:
            yield place, f"{parts} parts of an SMS at the longest, {book.max_parts} are the most [MS12]"
        if "wecom" in template.ways and (size := len(book.longest(template, language).encode())) > WECOM_BYTES:
            yield place, f"{size} bytes at the longest, {WECOM_BYTES} are the most: WeCom cuts the rest [MS15]"


def wrong_words(book: Templates, template: Template, text: str) -> Iterator[str]:
    """What a text says that no message of the template says: forbidden words [MS16], in a notice a security or a rating
    [MS4]."""
    if hits := [word for word in book.words.forbidden.hits(text) if word not in template.passed]:
        yield f"forbidden words: {', '.join(hits)} [MS16]"
    if template.message_class == "NOTICE":
        if rated := book.words.rated.hits(text):
            yield f"a notice names no rating: {', '.join(rated)} [MS4]"
        if _SECURITY.search(text):
            yield "a notice names no security [MS4]"


def parse_filings(body: dict[str, Any]) -> Filings:
    """What is registered. Raises: PolicyInvalid."""
    found = typed(Filings, body)
    seen: set[str] = set()
    problems = []
    for number, one in enumerate(found.signatures):
        if one.state == "approved" and one.way in seen:
            problems.append(FieldError(f"/body/signatures/{number}", "another signature of this way is approved"))
        seen |= {one.way} if one.state == "approved" else set()
        if set(one.text) & set("【】[]"):
            problems.append(FieldError(f"/body/signatures/{number}/text", "without its brackets"))
    return _without(problems, found)


def _without(problems: list[FieldError], found: Body) -> Body:
    if problems:
        first = problems[0]
        raise PolicyInvalid(f"{first.pointer}: {first.detail}", errors=tuple(problems), understood=found)
    return found


class MailingColumn(PolicyBody, frozen=True):
    """A column (栏目) clients may get, and who gets it: by class, group and product [B15, A28].

    `channels`: those it may go by, the best first. `education`: investors' education, whose mailings each name their audience
    [MS18]. `on_request`: only to those who subscribed. `product`: each mailing names
    the product's risk level, and only clients assessed for it get it. `entitlement`: the lines of an SMS product, which the desk of
    headquarters writes for those who have it that day, as products tells [MS17].
    """

    code: Code
    zh: Words
    en: Words
    channels: tuple[Channel, ...]
    tier_from: Literal["NORMAL", "SILVER", "GOLD", "PLATINUM", "DIAMOND"] = "NORMAL"
    groups: tuple[GroupCode, ...] = ()
    not_groups: tuple[GroupCode, ...] = ()
    on_request: bool = True
    product: bool = False
    marketing: bool = True
    education: bool = False
    entitlement: Literal["SMS1", "SMS2", "SMS3"] | None = None

    @property
    def kind(self) -> str:
        """The template of its messages, and so their class: what the client ordered, what concerns them, or all else."""
        if self.entitlement:
            return f"{self.entitlement.lower()}_line"
        if self.education:
            return "education"
        if not self.marketing:
            return "notice"
        return "news" if self.on_request else "promotion"


class Lines(PolicyBody, frozen=True):
    """When facts make a line [MS17]: how far a holding moved, how many trading days before a warrant's expiry; and for how long a
    word on a holding is good."""

    moved_percent: Decimal
    warrant_days: Annotated[int, msgspec.Meta(ge=0, le=60)]
    holding_days: Annotated[int, msgspec.Meta(ge=1, le=60)]


def parse_lines(body: dict[str, Any]) -> Lines:
    """The terms of lines. Raises: PolicyInvalid."""
    found = typed(Lines, body)
    wrong = [] if 0 < found.moved_percent <= 100 else [FieldError("/body/moved_percent", "above 0 and at most 100")]
    return _without(wrong, found)


def securities(text: str) -> list[str]:
    """The codes of securities that a text names, in order, each once."""
    return list(dict.fromkeys(re.findall(r"(?<!\d)(?:[036]\d{5}|[48]\d{5})(?!\d)", text)))


class _Columns(PolicyBody, frozen=True):
    rows: list[MailingColumn]


def parse_columns(body: dict[str, Any]) -> Mapping[str, MailingColumn]:
    """The columns by code. Raises: PolicyInvalid: two of one code, one without a channel."""
    found: dict[str, MailingColumn] = {}
    problems = []
    for place, column in enumerate(typed(_Columns, body).rows):
        if not column.channels:
            problems.append(FieldError(f"/body/rows/{place}/channels", "by which channels?"))
        if column.code in found:
            problems.append(FieldError(f"/body/rows/{place}/code", "another column has this code"))
        found[column.code] = column
    return _without(problems, found)


class Policies(PolicyBook):
    """The tables of messaging. Which class a template has, and which words may pass in it, compliance says [MS3, MS16]."""

    columns = PolicyTable(Path(__file__).with_name("policy.toml"), parse_columns)

    sending = PolicyTable(Path(__file__).with_name("policy.toml"), parse_sending)
    lines = PolicyTable(Path(__file__).with_name("policy.toml"), parse_lines)
    filings = PolicyTable(Path(__file__).with_name("policy.toml"), parse_filings)
    templates = PolicyTable(TEMPLATES, parse_templates, by_compliance=True)
