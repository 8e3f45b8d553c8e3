"""The fixed mapping of published complaints to facts, on the same machinery as the bank's data.

Received 09:00, its order sent 10:00 and never before receipt; nothing else is invented: what was published of outcomes
stays an attribute. Every day is closed, from the first receipt to the end of the month of the latest date in the file.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from hashlib import sha256
from pathlib import Path

from careline.platform import Platform
from careline.replay.files import CsvFile, Days, UnreadableData
from careline.replay.progress import Progress
from careline.replay.source import CLOSED, KINDS, RECEIVED, DataSet, Fact
from careline.replay.summary import print_speed
from careline.session import say
from chassis.clock import at, month_end
from chassis.staff import HQ
from contracts.base import encode
from contracts.broker import ComplaintReceived

COMPLAINTS, NARRATIVES = "complaints.csv.gz", "complaint_narratives.csv.gz"
SYSTEM = "cfpb"
CHANNELS = {
    "Web": "web_form",
    "Phone": "hotline",
    "Postal mail": "post",
    "Fax": "fax",
    "Email": "centre_mailbox",
    "Referral": "regulator_transfer",
    "Web Referral": "regulator_transfer",
    "": "not_recorded",
}
REFERRALS = ("Referral", "Web Referral")
ATTRIBUTES = (
    "product", "sub_product", "issue", "sub_issue", "company", "company_response", "timely", "disputed", "tags",
    "source", "quirk",
)  # fmt: skip
COLUMNS = ("complaint_id", "received_on", "state", "submitted_via", "sent_to_company_on", *ATTRIBUTES)
AGENTS = 10
LONGEST_WORDS = 20_000


@dataclass(frozen=True, slots=True)
class Complaints(DataSet):
    """The complaints of a folder, and the branches they concern."""

    concerned: frozenset[str] = field(default=frozenset())

    @property
    def branches(self) -> set[str]:
        """The branches named in the file: seats are said for each."""
        return set(self.concerned)

    @property
    def last_close(self) -> date:
        """The last day there is to close."""
        return self.facts[-1].day


def read_complaints(folder: Path) -> Complaints:
    """Read and check the complaints; nothing is said unless all of it can be.

    Raises: UnreadableData.
    """
    if not folder.is_dir():
        raise UnreadableData(f"{folder}: there is no such folder")
    file, days = CsvFile(folder / COMPLAINTS), Days()
    told = CsvFile(folder / NARRATIVES) if (folder / NARRATIVES).exists() else None
    narratives = {row[0]: row[1] for row in told.rows("complaint_id", "narrative")} if told else {}
    facts: list[Fact] = []
    branches, latest = set(), date.min
    for row in file.rows(*COLUMNS):
        event, day, last = _received(file, days, row, narratives)
        facts.append(Fact(day, KINDS.index(RECEIVED), file.line, event.key, event.identity, encode(event)))
        branches.add(event.branch_id or HQ)
        latest = max(latest, last)
    if not facts:
        raise UnreadableData(f"{file.path}: there is no complaint in it")
    facts += _closes(min(fact.day for fact in facts), month_end(latest))
    facts.sort()
    digest = sha256(f"{file.digest} {told.digest if told else ''}".encode()).hexdigest()
    return Complaints(folder, None, f"complaints/{digest}", facts, frozenset(branches))


def _received(
    file: CsvFile, days: Days, row: tuple[str, ...], narratives: dict[str, str]
) -> tuple[ComplaintReceived, date, date]:
    """The fact of a row, the day it was received, the latest date in it."""
    complaint, received, state, via, sent, *rest = row
    if via not in CHANNELS:
        raise file.wrong(f"submitted_via {via[:40]!r} is none of {', '.join(filter(None, CHANNELS))}")
    if not complaint.isdecimal():
        raise file.wrong(f"complaint_id {complaint[:40]!r} is not a number")
    day = days.read(file, received, "received_on")
    sent_on = days.read(file, sent, "sent_to_company_on") if sent else None
    received_at: datetime = at(day, 9)
    attributes = {name: text for name, text in zip(ATTRIBUTES, rest, strict=True) if text}
    referred = via in REFERRALS
    event = ComplaintReceived(
        system=SYSTEM,
        external_ref=file.name(complaint, "complaint_id"),
        branch_id=f"US-{state}" if state else HQ,
        received_at=received_at,
        dispatched_at=max(at(sent_on, 10), received_at) if sent_on else None,
        source="regulator" if referred else "client",
        channel=CHANNELS[via],  # type: ignore[arg-type]
        severity="major" if referred else "ordinary",
        owner=f"HQ-CS-{int(complaint) % AGENTS}",
        category=attributes.get("issue", "")[:200],
        product=attributes.get("product", "")[:200] or None,
        words=narratives.get(complaint, "")[:LONGEST_WORDS],
        attributes=attributes,
    )
    return event, day, max(day, sent_on or day)


def _closes(first: date, last: date) -> Iterator[Fact]:
    rank = KINDS.index(CLOSED)
    for number in range((last - first).days + 1):
        day = first + timedelta(days=number)
        yield Fact(day, rank, 0, "", day.isoformat(), f'{{"business_date":"{day}"}}'.encode())


async def print_complaints(platform: Platform, data: Complaints, progress: Progress) -> None:
    """Dispatch met and missed, crossed with the published `timely` flag, from what the service holds now."""
    async with platform.databases["complaints"].reading() as sql:
        rows = await sql.fetch(
            """SELECT coalesce(dispatch_met, false) AS met, coalesce(attributes->>'timely', '') AS timely, count(*)
               FROM cases WHERE system = $1 GROUP BY 1, 2""",
            SYSTEM,
        )
        odd = await sql.fetch(
            """SELECT flag, count(*) FROM cases CROSS JOIN LATERAL string_to_table(attributes->>'quirk', ';') AS flag
               WHERE system = $1 GROUP BY 1 ORDER BY 1""",
            SYSTEM,
        )
        alarms = await sql.fetchval("SELECT count(*) FROM alarms")
    counts = Counter({(row["met"], row["timely"]): row["count"] for row in rows})
    answers = sorted({timely for _, timely in counts}, reverse=True)
    say(f"{'dispatch':10} " + " ".join(f"{'timely ' + (one or '-'):>12}" for one in answers) + f" {'all':>12}")
    for met, label in ((True, "met"), (False, "missed")):
        cells = [counts[met, one] for one in answers]
        say(f"{label:10} " + " ".join(f"{cell:>12,}" for cell in (*cells, sum(cells))))
    for row in odd:
        say(f"kept: {row['flag'].strip()} {row['count']:,}")
    say(f"{counts.total():,} cases, {alarms:,} alarms of the radar, read from {data.folder}")
    print_speed(progress)
