"""One client, three products, two schemes, staff and time, in any order: no PASS that a reference of its own forbids.

The reference keeps plain lists and knows nothing of the service's code: what was assessed, what a class says, who is a
professional investor, what was confirmed. It is asked after every step. Hypothesis chooses the steps and what is in them.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import date
from itertools import count
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.chassis.audit.conftest import superuser
from tests.suitability.conftest import (
    COMPLIANCE,
    DAY,
    HIGH,
    HQ,
    LOW,
    MEDIUM,
    VERY_LOW,
    Desk,
    assessed,
    client,
    in_scheme,
    opened,
    professional,
    sheet,
    today,
)
from tests.world import World

EXAMPLES, STEPS = 3, 30
SHEETS = {1: VERY_LOW, 2: LOW, 3: MEDIUM, 4: HIGH}
SEED = ("VERY_LOW", "LOW", "MEDIUM", "HIGH")
SEED_FIRM, C5R5_FIRM = "SEED-2010-12Q", "C5R5"
C5R5 = ("C1", "C2", "C3", "C4", "C5")
OWN = {
    SEED_FIRM: {code: rank for rank, code in enumerate(SEED, 1)},
    C5R5_FIRM: {code: rank for rank, code in enumerate(C5R5, 1)},
}
HELD = {
    SEED_FIRM: OWN[SEED_FIRM] | {"C1": 1, "C2": 2, "C3": 3, "C4": 3, "C5": 4},
    C5R5_FIRM: OWN[C5R5_FIRM] | {"VERY_LOW": 1, "LOW": 2, "MEDIUM": 3, "HIGH": 4},
}
NEEDED = {SEED_FIRM: HELD[SEED_FIRM] | {"C4": 4}, C5R5_FIRM: HELD[C5R5_FIRM] | {"HIGH": 5}}
KINDS = {"S": "stock", "F": "fund:equity", "W": "warrant"}
FLOORS = {SEED_FIRM: {"S": 2, "F": 3, "W": 4}, C5R5_FIRM: {"S": 2, "F": 3, "W": 4}}
"""By the firm's scheme: the rank of a level held, of a class set for a product, of what a kind needs."""


@dataclass
class Level:
    """An assessment: when the answers were given (day, place in it), from when until when it counts, and the level."""

    answered: tuple[date, int]
    since: date
    until: date
    code: str
    sheet: bool
    approved: bool = False


@dataclass
class Reference:
    """What is so, as the rules say it."""

    day: date
    levels: list[Level] = field(default_factory=list)
    waiting: Level | None = None
    professional: str | None = None
    scheme: str = SEED_FIRM
    classes: dict[str, str] = field(default_factory=dict)
    suspended: set[str] = field(default_factory=set)
    confirmed: dict[str, tuple[str, int, int, date]] = field(default_factory=dict)
    """By product the newest: the firm's scheme, the rank it asked for and the one held then, and its last day."""
    steps: int = 0

    def rank(self, level: Level) -> int:
        """What a level held is worth in the firm's scheme of today."""
        return HELD[self.scheme][level.code]

    def needed(self, code: str) -> int:
        """What a product asks for: a class of the firm's own scheme as it is, another's never below the kind."""
        floor = FLOORS[self.scheme][code]
        if code not in self.classes:
            return floor
        wanted = NEEDED[self.scheme][self.classes[code]]
        return wanted if self.classes[code] in OWN[self.scheme] else max(wanted, floor)

    def newest(self, day: date) -> Level | None:
        """The level in force at the end of a day."""
        begun = [level for level in self.levels if level.since <= day]
        found = max(begun, key=lambda level: level.answered, default=None)
        return found if found and found.until >= day else None

    def lowest(self, since: date) -> int | None:
        """The lowest level in force from a day until now, of today's each."""
        held = [self.newest(since + DAY * n) for n in range((self.day - since).days + 1)]
        for level in self.levels:
            newer = (one for one in self.levels if one.answered[0] > level.answered[0])
            if since < level.since <= self.day and not any(one.since <= level.since for one in newer):
                held.append(level)
        return min((self.rank(level) for level in held if level), default=None)

    def forbids(self, code: str) -> bool:
        """Whether nobody may let the client buy it."""
        if code in self.suspended:
            return True
        if self.professional:
            return False
        held, needed = self.newest(self.day), self.needed(code)
        if held is None or (needed > self.rank(held) and not self.insisted(code, needed, self.rank(held))):
            return True
        fresh = held.sheet and not held.approved and held.answered[0] == self.day
        lowest = self.lowest(self.day - DAY)
        return fresh and lowest is not None and self.rank(held) > lowest and needed > lowest  # a rise

    def insisted(self, code: str, needed: int, held: int) -> bool:
        """Whether a confirmation of the product still holds."""
        scheme, asked, had, until = self.confirmed.get(code, ("", 0, 0, date.min))
        return scheme == self.scheme and until >= self.day and needed <= asked and held >= had


class Home:
    """The platform and the reference, moved together."""

    def __init__(self, world: World, desk: Desk, data: st.DataObject, name: str, day: date) -> None:
        self.world, self.desk, self.data, self.reference = world, desk, data, Reference(day)
        self.name, self.me, self.own = name, client(name), f"/clients/{name}"

    def choose(self, among: Any) -> Any:
        return self.data.draw(st.sampled_from(list(among)))

    def code(self, product: str) -> str:
        """Products of its own: another example's classes are no business of this one."""
        return f"{product}-{self.name}"

    def level(self, code: str, answered: date, sheet: bool) -> Level:
        until = answered.replace(year=answered.year + 1)
        return Level((answered, self.reference.steps), answered, until, code, sheet)

    async def answer(self) -> None:
        """A questionnaire: it counts at once, or waits, or both when the level falls; older answers wait no more."""
        rank, reference = self.choose(SHEETS), self.reference
        answer = await self.desk.call(self.me, "POST", f"{self.own}/submissions", sheet(SHEETS[rank]))
        if reference.scheme != SEED_FIRM:
            assert answer.json()["type"].endswith("scheme-not-in-force"), answer.text
            return
        if answer.status_code == 409:  # answered as often as one may
            return
        level = self.level(SEED[rank - 1], reference.day, sheet=True)
        lowest = reference.lowest(reference.day - DAY * 30)
        suspicious = lowest is not None and rank - lowest >= 2
        held = reference.newest(reference.day)
        counts = not suspicious or (held is not None and rank < reference.rank(held))
        assert answer.json()["state"] == ("accepted" if counts else "in_review")
        reference.waiting = level if suspicious else None
        if counts:
            reference.levels.append(level)

    async def elsewhere(self) -> None:
        """An assessment made elsewhere, in either scheme, some days ago perhaps."""
        reference, code = self.reference, self.choose((*SEED, *C5R5))
        answered = reference.day - DAY * self.choose((0, 0, 1, 5, 370))
        if any(not level.sheet and level.since == answered for level in reference.levels):
            return
        scheme = C5R5_FIRM if code in C5R5 else SEED_FIRM
        await self.world.publish(assessed(self.name, code, answered, scheme))
        await self.world.settle()
        level = self.level(code, answered, sheet=False)
        reference.levels.append(level)
        if reference.waiting and reference.waiting.answered[0] <= answered:
            reference.waiting = None

    async def review(self) -> None:
        """Somebody approves the answers that wait."""
        waiting = [one for one in (await self.desk.get(COMPLIANCE, "/reviews"))["items"] if one["submission_id"]]
        waiting = [one for one in waiting if one["client_id"] == self.name]
        reference = self.reference
        assert len(waiting) == (reference.waiting is not None)
        if reference.waiting is None:
            return
        path = f"/reviews/{waiting[0]['review_id']}/decision"
        await self.desk.post(COMPLIANCE, path, {"approve": True, "note": "looked"}, 200)
        reference.waiting.approved = True
        if reference.waiting not in reference.levels:
            reference.waiting.since = reference.day
            reference.levels.append(reference.waiting)
        reference.waiting = None

    async def classify(self) -> None:
        """A class of a product's own, in either scheme."""
        reference, code, level = self.reference, self.choose(KINDS), self.choose((*SEED, *C5R5))
        scheme = C5R5_FIRM if level in C5R5 else SEED_FIRM
        body = {"effective_on": str(self.reference.day), "scheme": scheme, "level": level, "reason": "committee"}
        asked = await self.desk.call(HQ, "POST", f"/products/{self.code(code)}/classes", body)
        if scheme != reference.scheme and NEEDED[reference.scheme][level] < FLOORS[reference.scheme][code]:
            assert asked.status_code == 422
            return
        await self.desk.approve(COMPLIANCE, asked.json())
        reference.classes[code] = level

    async def shelve(self) -> None:
        """Off the shelf, or on again."""
        code = self.choose(KINDS)
        state = "on_shelf" if code in self.reference.suspended else "suspended"
        await self.desk.keep(self.code(code), kind=KINDS[code], state=state)
        self.reference.suspended ^= {code}

    async def status(self) -> None:
        """A professional investor, or ordinary again."""
        if self.reference.professional:
            path = f"/professionals/{self.reference.professional}/end"
            await self.desk.post(self.me, path, {"reason": "ordinary again"}, 200)
            self.reference.professional = None
        else:
            self.reference.professional = await professional(self.desk, self.name)

    async def confirm(self) -> None:
        """The client insists on a product above their level, after the time to think it over."""
        code, reference = self.choose(KINDS), self.reference
        asked = await self.desk.decide(self.me, self.name, self.code(code))
        if asked["outcome"] != "CONFIRM":
            return
        held = reference.newest(reference.day)
        assert held is not None
        assert reference.rank(held) > 1  # the lowest level is never sold above it
        async with superuser(self.world, "suitability") as sql:
            await sql.execute(
                "UPDATE decisions SET not_before = decided_at WHERE decision_id = $1", asked["decision_id"]
            )
        answers = [{"question": one["code"], "answer": one["expects"]} for one in asked["warning"]["questions"]]
        given = {"warning_version": asked["warning"]["version"], "signature": "s-1", "answers": answers}
        await self.desk.post(self.me, f"/decisions/{asked['decision_id']}/confirmation", given)
        until = reference.day + DAY * 30
        reference.confirmed[code] = reference.scheme, reference.needed(code), reference.rank(held), until

    async def move(self) -> None:
        """The firm goes over to the other scheme from tomorrow on, by two persons, and tomorrow comes."""
        reference = self.reference
        scheme = SEED_FIRM if reference.scheme == C5R5_FIRM else C5R5_FIRM
        reference.day = await in_scheme(self.world, self.desk, scheme=scheme)
        reference.scheme = scheme

    async def wait(self) -> None:
        """Days pass."""
        days = self.choose((1, 1, 2, 20, 40))
        await self.world.close(self.reference.day + DAY * (days - 1))
        self.reference.day += DAY * days

    async def check(self, done: str) -> None:
        for code in KINDS:
            decision = await self.desk.decide(self.me, self.name, self.code(code))
            passes, reasons = decision["outcome"] == "PASS", [one["code"] for one in decision["reasons"]]
            assert passes != self.reference.forbids(code), (done, code, reasons, self.reference)
        code, initiator = self.choose(KINDS), self.choose(("staff", "campaign"))
        sold = await self.desk.decide(COMPLIANCE, self.name, self.code(code), initiator=initiator)
        assert sold["outcome"] != "CONFIRM", (done, code, sold)
        assert not (sold["outcome"] == "PASS" and self.reference.forbids(code)), (done, code, sold, self.reference)


numbers = count(1)


@given(data=st.data())
@settings(
    max_examples=EXAMPLES, deadline=None, derandomize=True, database=None, phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)  # fmt: skip
async def test_no_pass_that_the_reference_forbids(world: World, desk: Desk, data: st.DataObject) -> None:
    name = f"c-{next(numbers)}"
    through = await world.value("suitability", "SELECT through FROM closed_days")
    day = through + DAY if through else await today(world) - DAY * 3000
    home = Home(world, desk, data, name, day)
    await world.publish(opened(name))
    if through:
        await world.settle()
    else:
        await world.close(day - DAY)
    home.reference.scheme = (await desk.get(HQ, "/policies/suitability/in-force"))["body"]["scheme"]
    for code, kind in KINDS.items():
        await desk.keep(home.code(code), kind=kind)
    steps: dict[Callable[[], Awaitable[None]], int] = {
        home.answer: 6, home.elsewhere: 4, home.review: 3, home.classify: 3, home.confirm: 4, home.shelve: 1, home.status: 1,
        home.wait: 6, home.move: 2,
    }  # fmt: skip
    often = [step for step, weight in steps.items() for _ in range(weight)]
    for step in data.draw(st.lists(st.sampled_from(often), min_size=STEPS, max_size=STEPS)):
        home.reference.steps += 1
        await step()
        await home.check(step.__name__)
