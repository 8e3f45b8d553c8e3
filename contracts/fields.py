"""The types of fields, one each, for every way in: events, REST bodies, queries, paths, cursors and files.

A type holds once what its JSON Schema says and what its reader refuses. In an event's class it is read by
`reader` and `convert` of this module, in a pydantic model or a route's parameter by pydantic; both publish the same
pattern, lengths, description and example, and both refuse what that pattern refuses.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from operator import attrgetter
from types import NoneType, UnionType
from typing import Annotated, Any, ClassVar, Self, TypeVar, Union, get_args, get_origin, get_type_hints
from uuid import UUID

import msgspec
from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

FIRST_DAY, LAST_DAY = date(1990, 1, 1), date(2099, 12, 31)
_YEAR = r"(199[0-9]|20[0-9][0-9])"
_FIRST_INSTANT, _END = datetime(1990, 1, 1), datetime(2100, 1, 1)  # noqa: DTZ001 - in the offset of what is read
LARGEST_AMOUNT = Decimal(10) ** 15
MOST_DECIMALS = 40
Kind = TypeVar("Kind", bound=msgspec.Struct)
Check = Callable[[Any], None]


# --- decimal amounts ---------------------------------------------------------------------------------------------


class Amount(Decimal):
    """A decimal amount, below 10^15 in size, at most 40 decimals; travels as a string, never as a float."""

    __slots__ = ()

    body: ClassVar[str] = r"-?[0-9]{1,15}(\.[0-9]{1,40}|(\.[0-9]{1,20})?[eE]-(0?[0-9]|1[0-9]|20))?"
    example: ClassVar[str] = "-12.5"
    said: ClassVar[str] = "a decimal amount as a string"
    refused: ClassVar[str] = "is not a decimal number"

    @classmethod
    def schema(cls) -> dict[str, Any]:
        """The JSON Schema of the string."""
        return {
            "type": "string",
            "format": "decimal",
            "pattern": f"^{cls.body}$",
            "description": cls.said,
            "examples": [cls.example],
        }

    @classmethod
    def read(cls, value: Any) -> Self:
        """The amount a string says. Raises: ValueError for anything else."""
        if not isinstance(value, str):
            raise ValueError(f"expected a decimal string, got {type(value).__name__}")
        if not _compiled(cls.body).fullmatch(value):
            if _compiled(Amount.body).fullmatch(value):
                if value.startswith("-"):
                    raise ValueError(f"{value[:40]!r} is negative")
                raise ValueError(f"{value[:40]!r} {cls.refused}")
            if _compiled(r"-?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?").fullmatch(value):
                raise ValueError(f"{value[:40]!r} is outside the allowed range of +-10^15 with at most 40 decimals")
            raise ValueError(f"{value[:40]!r} is not a decimal number")
        return cls(value)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        def read(value: Any) -> Decimal:
            if isinstance(value, Decimal):
                value = plain(value)
            try:
                return cls.read(value)
            except ValueError as error:
                raise PydanticCustomError("field", "{reason}", {"reason": str(error)}) from None

        return core_schema.no_info_plain_validator_function(
            read, serialization=core_schema.plain_serializer_function_ser_schema(plain, when_used="json")
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return cls.schema()


class Quantity(Amount):
    """A decimal amount of zero or more: what a broker's system counts, with the decimals it has."""

    __slots__ = ()

    body: ClassVar[str] = Amount.body.removeprefix("-?")
    example: ClassVar[str] = "1416.25"
    said: ClassVar[str] = "a decimal amount of zero or more as a string"


class Rate(Quantity):
    """A rate of zero or more, with at most four decimals in plain notation."""

    __slots__ = ()

    body: ClassVar[str] = r"[0-9]{1,6}(\.[0-9]{1,4})?"
    example: ClassVar[str] = "0.25"
    said: ClassVar[str] = "a rate as a decimal string with at most four decimals"
    refused: ClassVar[str] = "is no rate: at most four decimals in plain notation"


class Money(Quantity):
    """Money of the platform's one currency: zero or more, at most two decimals, plain notation."""

    __slots__ = ()

    body: ClassVar[str] = r"[0-9]{1,15}(\.[0-9]{1,2})?"
    example: ClassVar[str] = "1250.00"
    said: ClassVar[str] = "money as a decimal string with at most two decimals"
    refused: ClassVar[str] = "is no amount of money: at most two decimals in plain notation"


def plain(amount: Decimal) -> str:
    """The amount in plain notation, with the decimals it has."""
    text = str(amount)
    return f"{amount:f}" if "E" in text else text


@cache
def _compiled(body: str) -> re.Pattern[str]:
    return re.compile(body)


# --- texts and times ---------------------------------------------------------------------------------------------


class Rule:
    """What one kind of field says in its JSON Schema and refuses when it is read; annotates the type it holds for."""

    textual = False
    """Whether it refuses nothing in data without escapes, slashes and characters other than printable ASCII."""

    def __init__(self, said: str, example: Any, **schema: Any) -> None:
        self.schema = {**schema, "description": said, "examples": [example]}
        self.meta = msgspec.Meta(extra_json_schema=self.schema)

    def check(self, value: Any) -> None:
        """Refuse a value. Raises: ValueError."""
        raise NotImplementedError

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        def check(value: Any) -> Any:
            try:
                self.check(value)
            except ValueError as error:
                raise PydanticCustomError("field", "{reason}", {"reason": str(error)}) from None
            return value

        form = None if isinstance(self, TextRule) else self.schema.get("pattern")
        inner = handler(source)
        if form is not None:  # pydantic reads more as a date than its text: numbers, seconds since 1970
            inner = core_schema.chain_schema([core_schema.no_info_plain_validator_function(_formed(form)), inner])
        return core_schema.no_info_after_validator_function(check, inner)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        inner = schema
        while inner["type"] in ("function-after", "chain"):
            inner = inner["schema"] if inner["type"] == "function-after" else inner["steps"][-1]
        return handler(inner) | self.schema


def _formed(form: str) -> Callable[[Any], Any]:
    """A check that a value is of its type already, or a text of this form."""

    def check(value: Any) -> Any:
        if isinstance(value, date | UUID) or (isinstance(value, str) and _compiled(form[1:-1]).fullmatch(value)):
            return value
        raise PydanticCustomError("field", "{reason}", {"reason": f"should match {form}"})

    return check


class TextRule(Rule):
    """A text that matches `body` (a regular expression of Python and ECMA alike) as a whole, of so many characters."""

    def __init__(self, body: str, shortest: int, longest: int, said: str, example: str, *, plainly: bool) -> None:
        super().__init__(said, example, pattern=f"^{body}$")
        self.meta = msgspec.Meta(min_length=shortest or None, max_length=longest, extra_json_schema=self.schema)
        self.schema = self.schema | ({"minLength": shortest} if shortest else {}) | {"maxLength": longest}
        self.pattern = re.compile(body)
        self.shortest, self.longest, self.textual = shortest, longest, plainly

    def check(self, value: str) -> None:
        """Refuse a text of another length or form."""
        if not self.shortest <= len(value) <= self.longest:
            raise ValueError(f"should have {self.shortest} to {self.longest} characters")
        if not self.pattern.fullmatch(value):
            raise ValueError(f"{value[:40]!a} is not {self.schema['description']}")


_UNSEEN = r"\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff"
_LINE = rf"[^{_UNSEEN}]*"


@cache
def text_of(longest: int, shortest: int = 0, said: str = "a text without NUL", example: str = "") -> TextRule:
    """A text of so many characters, for `Annotated[str, text_of(400, 5)]` where no type below fits."""
    example = example or ("text" if shortest <= 4 else "as agreed")
    return TextRule(r"[^\x00]*", shortest, longest, said, example, plainly=True)


class IdRule(Rule):
    """A UUID; what is none its type refuses."""

    textual = True

    def check(self, value: UUID) -> None:
        """Every UUID is one."""


class NumberRule(Rule):
    """A whole number from `lowest` to `highest`; msgspec checks it itself."""

    textual = True

    def __init__(self, lowest: int, highest: int, said: str) -> None:
        super().__init__(said, max(lowest, 1))
        self.lowest, self.highest = lowest, highest
        self.meta = msgspec.Meta(ge=lowest, le=highest, extra_json_schema=self.schema)
        self.schema = self.schema | {"minimum": lowest, "maximum": highest}

    def check(self, value: int) -> None:
        """Refuse other numbers."""
        if not self.lowest <= value <= self.highest:
            raise ValueError(f"should be {self.lowest} to {self.highest}")


class DateRule(Rule):
    """A date from `first` to 2099."""

    def __init__(self, first: date, said: str, example: str, years: str) -> None:
        super().__init__(said, example, format="date", pattern=f"^{years}-[0-9]{{2}}-[0-9]{{2}}$")
        self.first = first

    def check(self, value: date) -> None:
        """Refuse other years."""
        if not self.first <= value <= LAST_DAY:
            raise ValueError(f"{value.isoformat()} lies outside {self.first} to {LAST_DAY}")


class InstantRule(Rule):
    """A moment with its offset from UTC, in the years 1990 to 2099."""

    def __init__(self, said: str, example: str, **schema: Any) -> None:
        super().__init__(said, example, **schema)
        self.meta = msgspec.Meta(tz=True, extra_json_schema=self.schema)

    def check(self, value: datetime) -> None:
        """Refuse a moment without offset, and other years."""
        if value.tzinfo is None:
            raise ValueError(f"{value.isoformat()} has no UTC offset")
        if not _FIRST_INSTANT <= value.replace(tzinfo=None) < _END:
            raise ValueError(f"{value.isoformat()} lies outside {FIRST_DAY} to {LAST_DAY}")


def number_of(lowest: int, highest: int, said: str = "a whole number") -> NumberRule:
    """A whole number in a range of its own, for `Annotated[int, number_of(0, 100)]`."""
    return NumberRule(lowest, highest, said)


def form_of(body: str, longest: int, said: str, example: str) -> TextRule:
    """A text of a form of its own, from one to so many characters, for `Annotated[str, form_of(...)]`."""
    return TextRule(body, 1, longest, said, example, plainly=False)


_ID = IdRule(
    "a UUID",
    "01890a5d-ac96-774b-bcce-b302099a8057",
    format="uuid",
    pattern="^([0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|[0-9a-fA-F]{32})$",
)
_COUNT = NumberRule(0, 2**31 - 1, "a whole number of zero or more")
_POSITIVE = NumberRule(1, 2**31 - 1, "a whole number of one or more")
_YEARS = NumberRule(0, 150, "whole years")
_SECONDS = NumberRule(0, 86_400, "whole seconds of at most a day")
_NUMBER = NumberRule(0, 2**53 - 1, "a large whole number of zero or more")
_IDENTIFIER = TextRule(rf"[^/{_UNSEEN}]*", 1, 64, "an identifier: no slash, no control characters", "c-1", plainly=True)
_LABEL = TextRule(_LINE, 1, 200, "one line of text: no control characters", "by recorded line", plainly=True)
_CODE = TextRule(_LINE, 1, 64, "a code: no control characters", "standard", plainly=True)
_PHONE = TextRule(r"\+?[-0-9 ().#*/,;extEXT转分机]*", 3, 40, "a phone number", "13800000000", plainly=False)
_EMAIL = TextRule(rf"[^@\s{_UNSEEN}]+@[^@\s{_UNSEEN}]+", 3, 200, "an e-mail address", "name@example.com", plainly=False)
_ID_NUMBER = TextRule(r"[-0-9A-Za-z()（）*]*", 4, 40, "the number of an identity document", "E12345678", plainly=False)
_TEXT64, _TEXT200, _TEXT400, _TEXT500, _TEXT2000, _TEXT20000 = map(text_of, (64, 200, 400, 500, 2000, 20_000))
_DATE = DateRule(FIRST_DAY, "a business date", "2024-03-04", _YEAR)
_BIRTH_DATE = DateRule(date(1900, 1, 1), "a date of birth", "1980-05-17", "(19|20)[0-9]{2}")
_INSTANT = InstantRule(
    "a moment with its UTC offset",
    "2024-03-04T09:30:00+08:00",
    format="date-time",
    pattern=rf"^{_YEAR}-[0-9]{{2}}-[0-9]{{2}}[Tt ][0-9]{{2}}:[0-9]{{2}}:[0-9]{{2}}(\.[0-9]+)?([Zz]|[-+][0-9]{{2}}:?[0-9]{{2}})$",
)
_CURRENCY = TextRule("[A-Z]{3}", 3, 3, "a currency, ISO 4217", "CNY", plainly=False)
_MONTH = TextRule(rf"{_YEAR}-(0[1-9]|1[0-2])", 7, 7, "a month", "2024-03", plainly=False)

Id = Annotated[UUID, _ID.meta, _ID]
Count = Annotated[int, _COUNT.meta, _COUNT]
Positive = Annotated[int, _POSITIVE.meta, _POSITIVE]
Years = Annotated[int, _YEARS.meta, _YEARS]
Seconds = Annotated[int, _SECONDS.meta, _SECONDS]
Number = Annotated[int, _NUMBER.meta, _NUMBER]
Identifier = Annotated[str, _IDENTIFIER.meta, _IDENTIFIER]
Code = Annotated[str, _CODE.meta, _CODE]
Label = Annotated[str, _LABEL.meta, _LABEL]
Phone = Annotated[str, _PHONE.meta, _PHONE]
Email = Annotated[str, _EMAIL.meta, _EMAIL]
IdNumber = Annotated[str, _ID_NUMBER.meta, _ID_NUMBER]
Currency = Annotated[str, _CURRENCY.meta, _CURRENCY]
Month = Annotated[str, _MONTH.meta, _MONTH]
Text64 = Annotated[str, _TEXT64.meta, _TEXT64]
Text200 = Annotated[str, _TEXT200.meta, _TEXT200]
Text400 = Annotated[str, _TEXT400.meta, _TEXT400]
Text500 = Annotated[str, _TEXT500.meta, _TEXT500]
Text2000 = Annotated[str, _TEXT2000.meta, _TEXT2000]
Text20000 = Annotated[str, _TEXT20000.meta, _TEXT20000]
BirthDate = Annotated[date, _BIRTH_DATE.meta, _BIRTH_DATE]
BusinessDate = Annotated[date, _DATE.meta, _DATE]
Instant = Annotated[datetime, _INSTANT.meta, _INSTANT]


# --- reading events ----------------------------------------------------------------------------------------------


def reader(kind: type[Kind]) -> Callable[[bytes], Kind]:
    """What reads JSON bytes as `kind`, rules of its fields included.

    The reader raises msgspec.ValidationError with the place of the field, or another of msgspec's errors.
    """
    decode = msgspec.json.Decoder(kind, dec_hook=decode_custom).decode
    every = _checks(kind, _any)
    dated = _dated(kind)
    years = attrgetter(*(f"{name}.year" for name in dated)) if len(dated) > 1 else None
    year = attrgetter(f"{dated[0]}.year") if len(dated) == 1 else None
    rest = _fields(kind, _not_textual, without=dated)

    def read(data: bytes) -> Kind:
        event = decode(data)
        # Most data is printable ASCII without slashes: no text in it can break its rule.
        if 0x2F in data or 0x5C in data or 0x7F in data or not data.isascii():  # a byte is found faster than bytes
            _run(every, event)
            return event
        if year is not None:
            if not 1990 <= year(event) <= 2099:
                _run(every, event)
        elif years is not None:
            for one in years(event):
                if not 1990 <= one <= 2099:
                    _run(every, event)
        if rest is not None:
            _run(rest, event)
        return event

    return read


def _dated(kind: type[msgspec.Struct]) -> list[str]:
    """The fields that always hold a business date or an instant."""
    hints = get_type_hints(kind, include_extras=True)
    return [name for name in kind.__struct_fields__ if any(rule in (_DATE, _INSTANT) for rule in rules_of(hints[name]))]


def convert(data: Any, kind: Any) -> Any:
    """Values already parsed as `kind`, rules included. Raises: msgspec.ValidationError."""
    found = msgspec.convert(data, kind, dec_hook=decode_custom)
    _run(_checks(kind, _any), found)
    return found


def decode_custom(kind: type, value: Any) -> Any:
    """msgspec's hook for amounts."""
    # Nearly every amount is a few digits with at most one point inside: nothing in it can be out of range.
    if (
        (kind is Quantity or kind is Amount)
        and type(value) is str
        and len(value) <= 15
        and value.isascii()
        and value.replace(".", "", 1).isdecimal()
        and value[0] != "." != value[-1]
    ):
        return kind(value)
    if issubclass(kind, Amount):
        return kind.read(value)
    raise NotImplementedError(f"no reader for {kind}")


def encode_custom(value: Any) -> Any:
    """msgspec's hook for writing amounts: plain notation."""
    if isinstance(value, Decimal):
        return plain(value)
    raise NotImplementedError(f"no writer for {type(value)}")


def schema_custom(kind: type) -> dict[str, Any]:
    """msgspec's hook for the JSON Schema of amounts."""
    if issubclass(kind, Amount):
        return kind.schema()
    raise NotImplementedError(f"no schema for {kind}")


class _Wrong(ValueError):
    """A value that breaks its rule, and the path to it."""

    def __init__(self, reason: str, path: str = "") -> None:
        super().__init__(reason)
        self.path = path


def _run(check: Check | None, value: Any) -> None:
    if check is None:
        return
    try:
        check(value)
    except _Wrong as wrong:
        raise msgspec.ValidationError(f"{wrong} - at `${wrong.path}`" if wrong.path else str(wrong)) from None
    except ValueError as wrong:
        raise msgspec.ValidationError(str(wrong)) from None


def _any(_: Rule) -> bool:
    return True


def _not_textual(rule: Rule) -> bool:
    return not rule.textual


@cache
def _checks(kind: Any, wanted: Callable[[Rule], bool]) -> Check | None:
    """What the wanted rules inside a type refuse; None when there are none."""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Annotated:
        rules = [part.check for part in arguments[1:] if isinstance(part, Rule) and wanted(part)]
        return rules[0] if rules else _checks(arguments[0], wanted)
    if origin in (Union, UnionType):
        inner = [found for part in arguments if part is not NoneType and (found := _checks(part, wanted))]
        return inner[0] if inner else None
    if origin in (list, tuple, set, frozenset):
        items = _checks(arguments[0], wanted)
        return _each(items) if items else None
    if origin is dict:
        keys, values = (_checks(part, wanted) for part in arguments)
        return _entries(keys, values) if keys or values else None
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return _fields(kind, wanted)
    return None


def _each(check: Check) -> Check:
    def run(values: Any) -> None:
        for index, value in enumerate(values):
            with_path(check, value, f"[{index}]")

    return run


def _entries(keys: Check | None, values: Check | None) -> Check:
    def run(entries: Any) -> None:
        for key, value in entries.items():
            if keys:
                with_path(keys, key, f".{key}")
            if values and value is not None:
                with_path(values, value, f".{key}")

    return run


def _fields(kind: type[msgspec.Struct], wanted: Callable[[Rule], bool], without: Sequence[str] = ()) -> Check | None:
    hints = get_type_hints(kind, include_extras=True)
    found = [(name, _checks(hints[name], wanted)) for name in kind.__struct_fields__ if name not in without]
    checks = [(name, check) for name, check in found if check]

    def run(value: Any) -> None:
        for name, check in checks:
            inner = getattr(value, name)
            if inner is not None:
                try:
                    check(inner)
                except ValueError as wrong:
                    raise _Wrong(str(wrong), f".{name}{getattr(wrong, 'path', '')}") from None

    return run if checks else None


def with_path(check: Check, value: Any, step: str) -> None:
    """Run a check; what it refuses is said with the step that leads to it."""
    try:
        check(value)
    except ValueError as wrong:
        raise _Wrong(str(wrong), step + getattr(wrong, "path", "")) from None


def rules_of(kind: Any) -> Iterator[Rule]:
    """The rules a type names itself: for the tests that walk every field."""
    for part in get_args(kind)[1:] if get_origin(kind) is Annotated else ():
        if isinstance(part, Rule):
            yield part
