"""`POST /v1/events`: CloudEvents from the broker's systems, single or in a batch, all of them durable or none."""

import base64
import binascii
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from urllib.parse import unquote_to_bytes

import msgspec

from chassis.bus.record import Outgoing
from chassis.calendars import current
from chassis.clock import business_date, end_of
from chassis.errors import FieldError, Invalid, Text, TooLarge
from chassis.http.problems import Malformed, UnsupportedMediaType
from chassis.http.readable import UNREADABLE, unreadable_places
from chassis.uow import UnitOfWork
from contracts import broker
from contracts.ahead import AHEAD, far_ahead
from contracts.base import Event, Registry, encode
from contracts.checking import field_errors
from contracts.personal import PersonalEvent
from gateway.client_search import find_callers, note_clients, renew
from gateway.clock import close_messages, first_day_not_over, note_closed
from gateway.timeline import require_real

LARGEST_BATCH = 1000
LARGEST_EVENT_BYTES = 65_536
STRUCTURED, BATCH = "application/cloudevents+json", "application/cloudevents-batch+json"
NUL = "\0"
REGISTRY = Registry(broker.EVENTS)


class Envelope(msgspec.Struct, frozen=True):
    """A CloudEvent 1.0 as JSON; what an event does not carry stays None, extensions are let by."""

    specversion: str
    id: str
    source: str
    type: str
    time: datetime | None = None
    datacontenttype: str = "application/json"
    data: msgspec.Raw = msgspec.Raw()
    data_base64: str | None = None
    traceparent: str | None = None


@dataclass(frozen=True, slots=True)
class Fact:
    """An event that was found good, with its envelope."""

    envelope: Envelope
    event: Event


async def ingest(uow: UnitOfWork, headers: Mapping[str, str], body: bytes, currency: str) -> list[Fact]:
    """Put the request's events on the gateway's log; durable when the unit of work has committed.

    Raises: Malformed, UnsupportedMediaType, TooLarge, Invalid (a pointer to each bad field; nothing is kept),
    SimulatedHome.
    """
    envelopes, in_batch = _envelopes(headers, body)
    facts: list[Fact] = []
    errors: list[FieldError] = []
    begins = (await current(uow.sql)).first
    for index, envelope in enumerate(envelopes):
        where = f"/{index}" if in_batch else ""
        found = _check(envelope, currency, uow.now, begins)
        if isinstance(found, Fact):
            facts.append(found)
        else:
            errors += [FieldError(where + error.pointer, error.detail) for error in found]
    if errors:
        raise Invalid(errors=tuple(errors[:100]), errors_found=len(errors))
    await require_real(uow)
    facts = await taken_in(uow, facts)
    for fact in facts:
        if isinstance(fact.event, broker.BrokerDayClosed):
            await note_closed(uow, fact.event.business_date)
    uow.publish(message for fact in facts for message in _messages(uow, fact))
    return facts


async def taken_in(uow: UnitOfWork, facts: Sequence[Fact]) -> list[Fact]:
    """The facts as the log may hold them: only declared members, personal ones encrypted; clients can be found."""
    await renew(uow, [fact.event for fact in facts])
    sealed = await uow.database.keyring.seal_events(await find_callers(uow, [fact.event for fact in facts]))
    await note_clients(uow, [(fact.event, fact.envelope.time or uow.now, fact.envelope.id) for fact in facts])
    return [Fact(fact.envelope, event) for fact, event in zip(facts, sealed, strict=True)]


def _envelopes(headers: Mapping[str, str], body: bytes) -> tuple[Sequence[Envelope], bool]:
    media = headers.get("content-type", "").partition(";")[0].strip().lower()
    try:
        if media == BATCH:
            raw = msgspec.json.decode(body, type=list[msgspec.Raw])
            if len(raw) > LARGEST_BATCH:
                raise TooLarge(Text(f"at most {LARGEST_BATCH} events in a batch", f"每批至多 {LARGEST_BATCH} 个事件"))
            return [_read(one, f"/{index}") for index, one in enumerate(raw)], True
        if media == STRUCTURED:
            return [_read(body, "")], False
    except msgspec.ValidationError as error:
        raise Invalid(errors=(FieldError("", str(error)),)) from None
    except RecursionError:
        raise Malformed(Text("nested too deeply", "嵌套过深")) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Malformed(Text(f"not valid JSON: {error}", f"不是有效的 JSON：{error}")) from None
    if "ce-specversion" in headers:
        return [_of_headers(headers, media, body)], False
    raise UnsupportedMediaType(
        Text(f"send {STRUCTURED}, {BATCH}, or ce- headers with application/json",
             f"请使用 {STRUCTURED}、{BATCH}，或带 ce- 头的 application/json")
    )  # fmt: skip


def _read(raw: bytes | msgspec.Raw, where: str) -> Envelope:
    try:
        return msgspec.json.decode(raw, type=Envelope)
    except msgspec.ValidationError as error:
        found = field_errors(Envelope, msgspec.json.decode(raw)) or [("", str(error))]
        raise Invalid(errors=tuple(FieldError(where + pointer, detail) for pointer, detail in found)) from None


def _of_headers(headers: Mapping[str, str], media: str, body: bytes) -> Envelope:
    try:
        given: dict[str, Any] = {
            name.removeprefix("ce-"): unquote_to_bytes(value.encode("latin-1")).decode()
            for name, value in headers.items()
            if name.startswith("ce-")
        }
    except UnicodeDecodeError:
        raise Malformed(Text("a ce- header is not UTF-8", "ce- 请求头不是 UTF-8")) from None
    try:
        envelope = msgspec.convert(given, Envelope)
    except msgspec.ValidationError as error:
        raise Invalid(errors=(FieldError("header#", str(error)),)) from None
    return msgspec.structs.replace(
        envelope, datacontenttype=media, data=msgspec.Raw(body), traceparent=headers.get("traceparent")
    )


def _check(envelope: Envelope, currency: str, now: datetime, begins: date) -> Fact | list[FieldError]:
    if errors := list(_check_envelope(envelope, now)):
        return errors
    try:
        data = base64.b64decode(envelope.data_base64, validate=True) if envelope.data_base64 else bytes(envelope.data)
    except binascii.Error:
        return [FieldError("/data_base64", "not base64")]
    if len(data) > LARGEST_EVENT_BYTES:
        return [FieldError("/data", f"more than {LARGEST_EVENT_BYTES} bytes")]
    try:
        event = REGISTRY.decode(envelope.type, data)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        return [FieldError("/data" + pointer, detail) for pointer, detail in _data_errors(envelope.type, data, error)]
    if b"\\u" in data and (places := list(unreadable_places(msgspec.json.decode(data), "/data"))):
        return [FieldError(place, UNREADABLE) for place in places]
    found = list(_check_event(event, currency, now, begins))
    return found or Fact(envelope, event)


def _check_envelope(envelope: Envelope, now: datetime) -> Iterable[FieldError]:
    if envelope.specversion != "1.0":
        yield FieldError("/specversion", "should be 1.0")
    for name in ("id", "source"):
        if not 0 < len(getattr(envelope, name)) <= 200 or NUL in getattr(envelope, name):
            yield FieldError(f"/{name}", "should have 1 to 200 characters, none of them NUL")
    if not REGISTRY.knows(envelope.type):
        yield FieldError("/type", f"unknown event type {envelope.type[:80]!r}")
    if envelope.time is not None and envelope.time.tzinfo is None:
        yield FieldError("/time", f"{envelope.time.isoformat()} has no UTC offset")
    elif envelope.time is not None and envelope.time > now + AHEAD:
        yield FieldError("/time", f"{envelope.time.isoformat()} is more than a day ahead")
    if not bytes(envelope.data) and envelope.data_base64 is None:
        yield FieldError("/data", "Field required")


def _data_errors(type_name: str, data: bytes, error: Exception) -> list[tuple[str, str]]:
    try:
        raw = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return [("", f"not valid JSON: {error}")]
    return field_errors(REGISTRY.kinds[type_name], raw) or [("", str(error))]


def _check_event(event: Event, currency: str, now: datetime, begins: date) -> Iterable[FieldError]:
    if isinstance(event, PersonalEvent) and event.sealed:
        yield FieldError("/data/sealed", "is written here, not sent in")
    given = getattr(event, "currency", currency)
    if given != currency:
        yield FieldError("/data/currency", f"this platform's one currency is {currency}, not {given}")
    if isinstance(event, broker.BrokerDayClosed):
        if event.business_date > first_day_not_over(now):
            yield FieldError("/data/business_date", f"{event.business_date} is later than today")
        return
    for name, when in far_ahead(type(event), event, now):
        yield FieldError(f"/data/{name}", f"{when.isoformat()} is more than a day ahead")
    # What clients ask of a broker starts clocks of working time: before the calendar's first day there is none to start.
    if event.topic == broker.SERVICE and (at := event.happened_at) is not None:
        day = business_date(at) if isinstance(at, datetime) else at
        if day < begins:
            yield FieldError("/data", f"{day} lies before {begins}, where the calendar begins")


def _messages(uow: UnitOfWork, fact: Fact) -> Iterable[Outgoing]:
    envelope, event = fact.envelope, fact.event
    if isinstance(event, broker.BrokerDayClosed):
        at = envelope.time or min(uow.now, end_of(event.business_date))
        yield from close_messages(uow, event.business_date, envelope.id, envelope.source, at)
        return
    yield Outgoing(
        event.topic, uow.partition_of(event.key), event.key, event.type, envelope.id, envelope.source,
        envelope.time or uow.now, encode(event), envelope.traceparent,
    )  # fmt: skip
