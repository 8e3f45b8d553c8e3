"""What happened with a client, out of what each service tells: one line for each, newest first [WB13]. Pure."""

from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime
from typing import Any, NamedTuple

from chassis.clock import SHANGHAI
from chassis.clock import at as clock_at

Row = Mapping[str, Any]
KINDS = ("contact", "callback", "complaint", "message", "standing", "points", "product", "suitability", "team")


class Moment(NamedTuple):
    """One line: when (of a date the day alone is known), of which kind, what, with which particulars, and where it leads."""

    at: datetime
    whole_day: bool
    kind: str
    what: str
    particulars: tuple[str, ...] = ()
    href: str = ""

    @property
    def day(self) -> date:
        """Its day in Shanghai."""
        return self.at.astimezone(SHANGHAI).date()


def moment(kind: str, when: str | None, what: str, *particulars: Any, href: str = "") -> Iterable[Moment]:
    """A line, where it is known when."""
    if not when:
        return
    whole_day = len(when) == len("2026-11-29")
    at = clock_at(date.fromisoformat(when), 0) if whole_day else datetime.fromisoformat(when)
    yield Moment(at, whole_day, kind, what, tuple(str(one) for one in particulars if one not in (None, "")), href)


def of_contact(row: Row) -> Iterable[Moment]:
    """A contact of whichever service, once: in or out."""
    way = "contact came in" if row["direction"] == "in" else "contact went out"
    yield from moment("contact", row["at"], way, row["channel"], *row["topics"], row["outcome"], row["person"])


def of_visit(row: Row) -> Iterable[Moment]:
    """A visit planned, and made."""
    yield from moment("contact", row["begun_at"], "visit planned", row["purpose"], row["person"], row["state"])
    yield from moment("contact", row["made_at"], "visit made", row["purpose"], row["person"])


def of_task(row: Row) -> Iterable[Moment]:
    """A callback that became owed, and what it stands at."""
    href = f"/callbacks/{row['task_id']}"
    yield from moment(
        "callback", row["created_on"], "callback owed", row["topic"], row["state"], row["outcome"], href=href
    )


def of_case(row: Row) -> Iterable[Moment]:
    """A complaint taken in, and closed."""
    href = f"/complaints/{row['case_id']}"
    yield from moment(
        "complaint", row["received_at"], "complaint received", row["category"], row["severity"], row["state"], href=href
    )
    yield from moment("complaint", row["closed_at"], "complaint closed", row["outcome"], href=href)


def of_message(row: Row) -> Iterable[Moment]:
    """A message: when it was handed over, else when it was asked for."""
    when = row["handed_at"] or row["asked_at"]
    yield from moment("message", when, "message", row["kind"], row["channel"], row["state"], row["why"])


def of_reply(row: Row) -> Iterable[Moment]:
    """What the client answered by SMS."""
    yield from moment("message", row["at"], "reply", row["command"])


def of_tier(row: Row) -> Iterable[Moment]:
    """A tier from a day on."""
    yield from moment("standing", row["from"], "tier", row["tier"], f"because {row['reason']}")


def of_class(row: Row) -> Iterable[Moment]:
    """A class from a day on."""
    yield from moment("standing", row["from"], "class", row["code"])


def of_entry(row: Row) -> Iterable[Moment]:
    """Points posted."""
    yield from moment("points", row["posted_on"], "points posted", row["kind"], row["points"])


def of_subscription(row: Row) -> Iterable[Moment]:
    """A subscription made, and ended."""
    yield from moment("product", row["made_at"], "subscribed", row["code"], row["state"])
    if row["ended_by"]:
        yield from moment("product", row["until"], "subscription ended", row["code"], row["ended_by"])


def of_decision(row: Row) -> Iterable[Moment]:
    """Whether a product may be bought, as it was answered."""
    yield from moment("suitability", row["decided_at"], "purchase asked", row["product"], f"answer {row['outcome']}")


def of_submission(row: Row) -> Iterable[Moment]:
    """A questionnaire handed in."""
    yield from moment("suitability", row["submitted_at"], "questionnaire handed in", row["level"], row["state"])


def of_assignment(row: Row) -> Iterable[Moment]:
    """Somebody began, or ceased, to look after the client."""
    role = f"role {row['role']}"
    yield from moment("team", row["since"], "looks after", row["person"], role)
    yield from moment("team", row["until"], "looks after no more", row["person"], role)


class Source(NamedTuple):
    """A list of a service, what of it is the list, and how a row of it reads; `paged` ones are read on while they go on."""

    kind: str
    path: str
    read: Callable[[Row], Iterable[Moment]]
    member: str = "items"
    paged: bool = False


SOURCES = (
    Source("contact", "/v1/relationships/clients/{}/contacts", of_contact, paged=True),
    Source("contact", "/v1/relationships/clients/{}/visits", of_visit, paged=True),
    Source("callback", "/v1/callbacks/clients/{}/tasks", of_task, paged=True),
    Source("complaint", "/v1/complaints/clients/{}", of_case, "cases"),
    Source("message", "/v1/messaging/clients/{}/messages", of_message, paged=True),
    Source("message", "/v1/messaging/clients/{}/replies", of_reply),
    Source("standing", "/v1/classification/clients/{}/history", of_tier, "tiers"),
    Source("standing", "/v1/classification/clients/{}/history", of_class, "classes"),
    Source("points", "/v1/points/clients/{}/entries", of_entry, paged=True),
    Source("product", "/v1/products/clients/{}/subscriptions", of_subscription, paged=True),
    Source("suitability", "/v1/suitability/clients/{}/decisions", of_decision),
    Source("suitability", "/v1/suitability/clients/{}/submissions", of_submission),
    Source("team", "/v1/relationships/clients/{}/assignments", of_assignment),
)


def rows_in(data: Any, member: str) -> list[Row]:
    """The rows of an answer: a list as it is, or that member of an object."""
    found: list[Row] = data.get(member, []) if isinstance(data, dict) else data
    return found


def newest_first(moments: Iterable[Moment]) -> list[Moment]:
    """In the order of a timeline; of one instant in a fixed order, whatever answered first."""
    return sorted(moments, key=lambda one: (one.at, one.kind, one.what, one.particulars), reverse=True)
