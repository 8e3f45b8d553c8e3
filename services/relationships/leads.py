"""Who leads a branch's pool of clients at every instant, and who has left, as the roster says [RE1, A9]."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime

from chassis.clock import business_date, start_of
from chassis.policy import Versions
from chassis.staff import HQ, Roster
from services.relationships.ownership import HEADQUARTERS, Leads
from services.relationships.policy import Owners

BEGINNING = start_of(date(1990, 1, 1))


def left(roster: Roster) -> Mapping[str, datetime]:
    """From which instant on each leaver is gone: 00:00 of their first day away, as last said."""
    return {
        staff_id: start_of(versions[-1][1].left_on)
        for staff_id, versions in roster.people.items()
        if versions[-1][1].left_on is not None
    }


class Pools:
    """The leads of pools over time, each branch worked out once: the holder of the pool's seat, away or not, else whom the
    branch names for an empty seat, else headquarters."""

    def __init__(self, roster: Roster, terms: Versions[Owners]) -> None:
        self.roster, self.terms = roster, terms
        self._known: dict[str | None, Leads] = {}

    def of(self, branch_id: str | None) -> Leads:
        """The leads of a branch's pool."""
        if branch_id not in self._known:
            self._known[branch_id] = self._leads(branch_id)
        return self._known[branch_id]

    def over(self, branches: Sequence[tuple[datetime, str | None]]) -> Leads:
        """The leads of a client's pool, whose branch changes at these instants."""
        found: list[tuple[datetime, str]] = []
        for n, (since, branch_id) in enumerate(branches):
            until = branches[n + 1][0] if n + 1 < len(branches) else None
            leads = self.of(branch_id)
            first = next((person for begin, person in reversed(leads) if begin <= since), leads[0][1])
            found += [(since, first), *((b, p) for b, p in leads if since < b and (until is None or b < until))]
        return found

    def lead_at(self, branch_id: str | None, at: datetime) -> str:
        """Who leads a branch's pool at an instant."""
        terms = self.terms.on(business_date(at)).body
        if branch_id is not None:
            if seated := self.roster.seated(branch_id, terms.pool_seat, at):
                return seated[0]
            place = self.roster.branch(branch_id, at)
            named = place.seat_deputies.get(terms.pool_seat) if place is not None else None
            if named is not None and not self.roster.has_left(named, at):
                return named
        seated = self.roster.seated(HQ, terms.headquarters_seat, at)
        return seated[0] if seated else HEADQUARTERS

    def _leads(self, branch_id: str | None) -> Leads:
        """The lead at each instant at which anything it follows from changes."""
        seats = {(branch_id, one.body.pool_seat) for one in self.terms.all}
        seats |= {(HQ, one.body.headquarters_seat) for one in self.terms.all}
        places = self.roster.places.get(branch_id or "", ())
        named = {deputy for _, place in places for deputy in place.seat_deputies.values()}
        instants = {BEGINNING, *(start_of(day) for day in self.terms.starts()), *(since for since, _ in places)}
        for staff_id, versions in self.roster.people.items():
            held = [seat for _, one in versions for seat in one.seats if (seat.unit, seat.seat) in seats]
            if held or staff_id in named:
                instants |= {since for since, _ in versions}
                instants |= {at for seat in held for at in (seat.since, seat.until) if at is not None}
                instants |= {start_of(one.left_on) for _, one in versions if one.left_on is not None}
        found: list[tuple[datetime, str]] = []
        for at in sorted(instants):
            person = self.lead_at(branch_id, at)
            if not found or found[-1][1] != person:
                found.append((at, person))
        return found
