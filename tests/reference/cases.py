"""The cases of the complaints replay [C1, C4, C6, C7] by the fixed mapping of the published complaints.

Choices where the texts are silent:
- Case ids are derived in a way the texts leave open: that column is left out here.
- `due_on` of an ordinary case received at 09:00 is the end of the same working day, else of the next one; of a
  referral, no reply date being given, 15 natural days after the day of receipt, working or not.
- A complaint never sent (there is none) would stay `accepted`, its dispatch missed.
- Two rows with one complaint id: the one received earlier stays, then the earlier row.
"""

from dataclasses import astuple, dataclass
from datetime import date, timedelta
from pathlib import Path

from .exports import Row
from .facts import rows_of
from .workdays import on_or_after

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


@dataclass(frozen=True)
class Case:
    """One row of `export cases`, without its id."""

    external_ref: str
    received_on: str
    source: str
    channel: str
    flow: str
    severity: str
    state: str
    owner: str
    branch_id: str
    dispatch_met: str
    due_on: str


def case_of(row: dict[str, str]) -> Case:
    """The case of one published complaint."""
    received_on = date.fromisoformat(row["received_on"])
    referred = row["submitted_via"] in ("Referral", "Web Referral")
    # Sent before received (by the published dates) is dispatched on receipt.
    sent = row["sent_to_company_on"]
    met = bool(sent) and date.fromisoformat(sent) <= received_on
    due_on = received_on + timedelta(days=15) if referred else on_or_after(received_on)
    return Case(
        external_ref=row["complaint_id"],
        received_on=received_on.isoformat(),
        source="regulator" if referred else "client",
        channel=CHANNELS[row["submitted_via"]],
        flow="centre",
        severity="major" if referred else "ordinary",
        state="dispatched" if sent else "accepted",
        owner=f"HQ-CS-{int(row['complaint_id']) % 10}",
        branch_id=f"US-{row['state']}" if row["state"] else "HQ",
        dispatch_met="true" if met else "false",
        due_on=due_on.isoformat(),
    )


def case_rows(folder: Path) -> list[Row]:
    """`cases`: one row per published complaint, sorted by external_ref as text."""
    cases: dict[str, Case] = {}
    for row in sorted(rows_of(folder / "complaints.csv.gz"), key=lambda row: row["received_on"]):
        cases.setdefault(row["complaint_id"], case_of(row))
    return [astuple(cases[reference]) for reference in sorted(cases)]
