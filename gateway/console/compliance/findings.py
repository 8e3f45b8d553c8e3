"""Findings of all services as one list, newest first: what each service suspects or missed, with what leads to it; also a file."""

from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from typing import Annotated, Any, Literal, NamedTuple
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from chassis.clock import business_date
from contracts.fields import BusinessDate, text_of
from gateway.console.compliance.pages import Watcher
from gateway.console.export import file_of
from gateway.console.frame import AtDesk, rows_of
from gateway.console.render import render
from gateway.console.views import views_of

routes = APIRouter(include_in_schema=False)
Row = Mapping[str, Any]
COLUMNS = ("found_at", "service", "kind", "client_id", "concerned", "state", "note")
SPAN = timedelta(days=92)


class Found(NamedTuple):
    """One finding, whichever service's."""

    found_at: str
    kind: str
    client_id: str | None
    concerned: str
    state: str
    note: str
    href: str


class Source(NamedTuple):
    """Where a service tells findings, and how a row of them reads. The address may name the span `{since}` to `{until}`."""

    service: str
    path: str
    read: Callable[[Row], Found]


def _client(client: str | None) -> str:
    return f"/clients/{quote(client, safe='')}?purpose=review" if client else ""


SOURCES = (
    Source(
        "callbacks", "/v1/callbacks/findings",
        lambda row: Found(
            row["raised_at"], row["kind"], row["client_id"], ", ".join(row["concerned"]), "", row["notes"] or "",
            f"/callbacks/{row['task_id']}" if row["task_id"] else _client(row["client_id"]),
        ),
    ),
    Source(
        "callbacks", "/v1/callbacks/alarms?limit=200",
        lambda row: Found(row["raised_at"], row["kind"], row["client_id"], str(row["told_to"] or ""), str(row["step"]), "", _client(row["client_id"])),
    ),
    Source(
        "suitability", "/v1/suitability/findings?limit=200",
        lambda row: Found(row["found_on"], row["pattern"], row["client_id"], row["subject"], row["state"], row["note"] or "", _client(row["client_id"])),
    ),
    Source(
        "suitability", "/v1/suitability/mismatches?limit=200",
        lambda row: Found(
            row["trade_date"], "above_the_level", row["client_id"], row["symbol"], str(row["confirmation"] or ""), row["reason"], _client(row["client_id"])
        ),
    ),
    Source(
        "suitability", "/v1/suitability/drifts?limit=200",
        lambda row: Found(row["found_on"], "fits_no_more", row["client_id"], row["product"], row["state"], row["cause"], _client(row["client_id"])),
    ),
    Source(
        "relationships", "/v1/relationships/contacts/flagged?since={since}&until={until}&limit=200",
        lambda row: Found(
            row["entered_at"], ", ".join(row["flags"]), row["client_id"], row["person"] or "", "", row["words"] or "",
            f"/clients/{quote(row['client_id'], safe='')}/team?purpose=review",
        ),
    ),
    Source(
        "complaints", "/v1/complaints/cases?kind=conduct&limit=200",
        lambda row: Found(row["received_at"], "conduct", row["client_id"], row["owner"] or "", row["state"], row["words"] or "", f"/complaints/{row['case_id']}"),
    ),
    Source(
        "complaints", "/v1/complaints/alarms?limit=100",
        lambda row: Found(
            row["opened_on"], "cluster", None, f"{row['dimension']} {row['value']}", "reviewed" if row["reviewed_by"] else "open", row["root_cause"] or "",
            f"/complaints/{row['group_case_id']}" if row["group_case_id"] else "/complaints/supervision",
        ),
    ),
    Source(
        "products", "/v1/products/reports/over-ceiling?limit=200&on={until}",
        lambda row: Found(row["until"], "over_ceiling", row["client_id"], row["rate"], "", "", _client(row["client_id"])),
    ),
    Source("messaging", "/v1/messaging/alerts", lambda row: Found(row["at"], row["kind"], None, row["subject"], row["state"], row["words"], "")),
)  # fmt: skip


@routes.get("/compliance/findings", dependencies=[Watcher])
async def show_findings(
    request: Request, desk: AtDesk, service: Annotated[list[Annotated[str, text_of(40)]] | None, Query()] = None,
    kind: Annotated[str, text_of(64)] = "", since: BusinessDate | None = None, format: Literal["", "csv", "xlsx"] = "",
) -> Response:  # fmt: skip
    """Those the visitor may see, of the services chosen, since a day (a quarter back without one)."""
    today = await desk.today()
    first = since or today - SPAN
    rows, missing, more = await found_of(desk, first, today)
    chosen = [one for one in dict.fromkeys(source.service for source in SOURCES) if one in (service or [])]
    shown = [
        row
        for row in rows
        if (not chosen or row["service"] in chosen) and (not kind or kind in row["kind"])
    ]  # fmt: skip
    query = urlencode([("service", one) for one in chosen] + [("kind", kind), ("since", str(first))])
    if format:
        return file_of("findings", format, desk.language, COLUMNS, shown)
    return render(
        request, "compliance/findings.html", rows=shown[:SHOWN], total=len(shown), columns=COLUMNS, missing=missing, more=more,
        services=list(dict.fromkeys(source.service for source in SOURCES)), chosen=chosen, kind=kind, since=first,
        query=query, **await views_of(desk, "/compliance/findings", query),
    )  # fmt: skip


SHOWN = 300


def _day(said: str) -> date:
    """The business day of a day or an instant."""
    return date.fromisoformat(said) if len(said) == len("2026-01-01") else business_date(datetime.fromisoformat(said))


async def found_of(desk: AtDesk, since: date, until: date) -> tuple[list[dict[str, Any]], list[str], list[str]]:
    """Every service's findings of a span, newest first; which services did not answer, and which have more than they gave."""
    span = {"since": since, "until": until}
    parts = await desk.all(*(source.path.format(**span) for source in SOURCES), purpose="review")
    rows, missing, more = [], set[str](), set[str]()
    for source, part in zip(SOURCES, parts, strict=True):
        if part.status >= 500:
            missing.add(source.service)
        if part.found and isinstance(part.data, dict) and part.data.get("next"):
            more.add(source.service)
        for row in rows_of(part):
            one = source.read({"until": str(until)} | row)
            if _day(one.found_at) >= since:
                rows.append(one._asdict() | {"service": source.service})
    rows.sort(key=lambda row: (row["found_at"], row["service"], row["kind"]), reverse=True)
    return rows, sorted(missing), sorted(more)
