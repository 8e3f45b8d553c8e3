"""One client, three products, two schemes, staff and time, in any order: no PASS that a reference of its own forbids.

The reference keeps plain lists and knows nothing of the service's code: what was assessed, what a class says, who is a
professional investor, what was confirmed, what trades say. It is asked after every step. Hypothesis chooses the steps and what is in them.
"""

import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import count
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from chassis.clock import at
from contracts import broker
from contracts.base import Quantity
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
    bought,
    client,
    in_scheme,
    opened,
    professional,
    sheet,
    today,
)
from tests.world import World

EXAMPLES, STEPS = int(os.environ.get("EXAMPLES", "3")), 30
"""More of them: `make machine EXAMPLES=1000`."""
A_WORLD = 30
"""So many histories follow each other in a world: each takes some two months, and a world begins eight years ago."""
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
"""What the three products are at first: S is known from trades alone, until staff enter it."""
FLOORS = {
    SEED_FIRM: {"bond": 1, "stock": 2, "fund:equity": 3, "warrant": 4, "derivative": 4},
    C5R5_FIRM: {"bond": 1, "stock": 2, "fund:equity": 3, "warrant": 4, "derivative": 5},
}
ISSUERS = {SEED_FIRM: {"R3": 3, "R5": 4}, C5R5_FIRM: {"R3": 3, "R5": 5}}
"""By the firm's scheme: the rank of a level held, of a class set for a product, of what a kind and an issuer's class need."""
UNKNOWN = "no-such-kind"


@dataclass
class Level:
    """An assessment: when the answers were given (day, place in it), from when until when it counts, and the level."""

    answered: tuple[date, int]
    since: date
    until: date
    code: str
    sheet: bool
    approved: bool = False
    looked_at: bool = False
    suspended: bool = False
    id: str | None = None
    submission: str | None = None


@dataclass
class Product:
    """What is said of a product: by staff (`entered`), or else by the trade that settled last."""

    kind: str
    issuer: str | None = None
    settled: datetime | None = None
    entered: bool = True
    suspended: bool = False
    own: tuple[str, int | None] | None = None
    """A class of its own: its level, and what compliance waived for it, in the scheme of then."""


@dataclass
class Reference:
    """What is so, as the rules say it."""

    day: date
    levels: list[Level] = field(default_factory=list)
    waiting: list[Level] = field(default_factory=list)
    """Of whose answers a review is open."""
    professional: str | None = None
    scheme: str = SEED_FIRM
    products: dict[str, Product] = field(default_factory=dict)
    imported: set[date] = field(default_factory=set)
    trades: list[tuple[str, date]] = field(default_factory=list)
    confirmed: dict[str, tuple[str, int, int, date]] = field(default_factory=dict)
    """By product the newest: the firm's scheme, the rank it asked for and the one held then, and its last day."""
    steps: int = 0

    def rank(self, level: Level) -> int:
        """What a level held is worth in the firm's scheme of today."""
        return HELD[self.scheme][level.code]

    def needed(self, code: str) -> int | None:
        """What a product asks for, None for nothing that could be compared: its own class, never below its kind unless compliance
        waived as much in this scheme, else its kind; and what its issuer says, if that is more."""
        product = self.products[code]
        found = floor = FLOORS[self.scheme].get(product.kind)
        if product.own:
            level, waived = product.own
            found = NEEDED[self.scheme][level]
            agreed = waived is not None and level in OWN[self.scheme] and (floor or 0) <= waived
            found = found if agreed else max(found, floor or 0)
        if found is None or product.issuer is None:
            return found
        return max(found, ISSUERS[self.scheme][product.issuer])

    def newest(self, day: date) -> Level | None:
        """The level in force at the end of a day."""
        begun = [level for level in self.levels if level.since <= day and not level.suspended]
        found = max(begun, key=lambda level: level.answered, default=None)
        return found if found and found.until >= day else None

    def before(self, level: Level) -> Level | None:
        """The level in force when the answers of one were given, itself left out."""
        others = [one for one in self.levels if not one.suspended and one.answered < level.answered]
        begun = [one for one in others if one.since <= level.answered[0]]
        found = max(begun, key=lambda one: one.answered, default=None)
        return found if found and found.until >= level.answered[0] else None

    def lowest(self, since: date, until: date | None = None) -> int | None:
        """The lowest level in force from a day until another (None: today), of each day's last, and of the last day each."""
        until = until or self.day
        held = [self.newest(since + DAY * n) for n in range((until - since).days + 1)]
        counting = [level for level in self.levels if not level.suspended]
        for level in counting:
            newer = (one for one in counting if one.answered[0] > level.answered[0])
            if since < level.since <= until and not any(one.since <= level.since for one in newer):
                held.append(level)
        return min((self.rank(level) for level in held if level), default=None)

    def forbids(self, code: str) -> bool:
        """Whether nobody may let the client buy it."""
        held, needed = self.newest(self.day), self.needed(code)
        if needed is None or self.products[code].suspended:
            return True
        if self.professional:
            return False
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

    def __init__(self, world: World, desk: Desk, dice: Random, name: str, day: date) -> None:
        self.world, self.desk, self.dice, self.reference = world, desk, dice, Reference(day)
        self.name, self.me, self.own = name, client(name), f"/clients/{name}"

    def choose(self, among: Any) -> Any:
        return self.dice.choice(list(among))

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
        reference.waiting = [one for one in reference.waiting if one.suspended] + ([level] if suspicious else [])
        level.id, level.submission = answer.json()["assessment_id"], answer.json()["submission_id"]
        if counts:
            reference.levels.append(level)

    async def elsewhere(self) -> None:
        """An assessment made elsewhere, in either scheme, some days ago perhaps."""
        reference, code = self.reference, self.choose((*SEED, *C5R5))
        answered = reference.day - DAY * self.choose((0, 0, 1, 5, 20, 370))
        if answered in reference.imported:
            return
        reference.imported.add(answered)
        scheme = C5R5_FIRM if code in C5R5 else SEED_FIRM
        await self.world.publish(assessed(self.name, code, answered, scheme))
        await self.world.settle()
        level = self.level(code, answered, sheet=False)
        reference.levels.append(level)
        reference.waiting = [one for one in reference.waiting if one.suspended or one.answered[0] > answered]
        # Answers that it shows to have risen too fast count no more until somebody has looked at them.
        risen = []
        for one in reference.levels:
            since = one.answered[0] - DAY * 30
            if (
                one.sheet
                and not one.suspended
                and not one.looked_at
                and answered <= one.answered[0] <= answered + DAY * 31
            ):
                lowest, rank = reference.lowest(since, one.answered[0]), SEED.index(one.code) + 1
                if lowest is None or rank - lowest < 2:
                    continue
                held = reference.before(one)
                if held is None or rank >= reference.rank(held):
                    risen.append(one)
                elif one not in reference.waiting:  # it fell, and would have counted while somebody looks at it
                    reference.waiting.append(one)
        for one in risen:
            one.suspended = True

    async def review(self) -> None:
        """Somebody approves or rejects what waits: answers, or a level that rose before a purchase or by what came late."""
        found = await self.desk.get(COMPLIANCE, "/reviews?limit=200")
        waiting = [one for one in found["items"] if one["client_id"] == self.name]
        reference = self.reference
        assert sum(one["submission_id"] is not None for one in waiting) == len(reference.waiting)
        if not waiting:
            return
        review, approve = self.choose(waiting), self.choose((True, True, False))
        path, note = f"/reviews/{review['review_id']}/decision", {"approve": approve, "note": "looked"}
        done = await self.desk.post(COMPLIANCE, path, note, 200)
        if review["submission_id"]:
            [level] = [one for one in reference.waiting if one.submission == review["submission_id"]]
            reference.waiting.remove(level)
        else:
            [level] = [one for one in reference.levels if one.id == review["assessment_id"]]
        level.looked_at, level.approved = True, approve
        if not approve:
            reference.levels = [one for one in reference.levels if one is not level]
        elif level not in reference.levels:
            level.since, level.id = reference.day, done["assessment_id"]
            reference.levels.append(level)
        level.suspended = False

    async def classify(self) -> None:
        """A class of a product's own, in either scheme."""
        reference, code, level = self.reference, self.choose(KINDS), self.choose((*SEED, *C5R5))
        scheme = C5R5_FIRM if level in C5R5 else SEED_FIRM
        body = {"effective_on": str(self.reference.day), "scheme": scheme, "level": level, "reason": "committee"}
        asked = await self.desk.call(HQ, "POST", f"/products/{self.code(code)}/classes", body)
        floor = FLOORS[reference.scheme].get(reference.products[code].kind, 0)
        below = NEEDED[reference.scheme][level] < floor
        if scheme != reference.scheme and below:
            assert asked.status_code == 422
            return
        await self.desk.approve(COMPLIANCE, asked.json())
        reference.products[code].own = level, floor if below else None

    async def retype(self) -> None:
        """Staff say that a product is of another kind: of less by compliance."""
        code = self.choose(KINDS)
        known = self.reference.products[code]
        kind = self.choose(one for one in (*FLOORS[SEED_FIRM], UNKNOWN) if one != known.kind)
        await self.desk.keep(self.code(code), kind=kind, state="suspended" if known.suspended else "on_shelf")
        known.kind, known.issuer, known.entered = kind, None, True

    async def trade(self) -> None:
        """A trade settles, or is heard days late: what it says of a product that staff have not entered counts, by the latest."""
        reference, code = self.reference, self.choose(KINDS)
        kind, issuer = self.choose(("stock", "fund:equity", "warrant")), self.choose((None, None, "R3", "R5"))
        day, side = reference.day - DAY * self.choose((0, 0, 1, 5)), self.choose(("buy", "buy", "sell"))
        settled, trade_id = at(day, 10) + timedelta(minutes=reference.steps), f"t-{reference.steps}"
        await self.world.publish(bought(self.name, trade_id, day, self.code(code), kind, side, settled, issuer))
        await self.world.settle()
        reference.trades.append((trade_id, day))
        known = reference.products[code]
        if not known.entered and (known.settled is None or settled > known.settled):
            known.kind, known.issuer, known.settled = kind, issuer, settled

    async def cancel(self) -> None:
        """A trade is cancelled, whole or in part: what it said of its product stays said."""
        if self.reference.trades:
            trade_id, day = self.choose(self.reference.trades)
            gone = broker.TradeCancelled(
                trade_id=trade_id, client_id=self.name, cancelled_at=at(day, 16),
                remaining_commission=Quantity(self.choose(("0", "0.5"))),
            )  # fmt: skip
            await self.world.publish(gone)
            await self.world.settle()

    async def shelve(self) -> None:
        """Off the shelf, or on again."""
        code = self.choose(KINDS)
        known = self.reference.products[code]
        await self.desk.keep(self.code(code), kind=known.kind, state="on_shelf" if known.suspended else "suspended")
        known.suspended, known.issuer, known.entered = not known.suspended, None, True

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
        held, needed = reference.newest(reference.day), reference.needed(code)
        assert held is not None
        assert needed is not None
        assert reference.rank(held) > 1  # the lowest level is never sold above it
        async with superuser(self.world, "suitability") as sql:
            await sql.execute(
                "UPDATE decisions SET not_before = decided_at WHERE decision_id = $1", asked["decision_id"]
            )
        answers = [{"question": one["code"], "answer": one["expects"]} for one in asked["warning"]["questions"]]
        given = {"warning_version": asked["warning"]["version"], "signature": "s-1", "answers": answers}
        await self.desk.post(self.me, f"/decisions/{asked['decision_id']}/confirmation", given)
        until = reference.day + DAY * 30
        reference.confirmed[code] = reference.scheme, needed, reference.rank(held), until

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


@pytest.mark.parametrize("part", range(-(-EXAMPLES // A_WORLD)))
@given(number=st.integers(0, 2**64 - 1))
@settings(
    max_examples=min(EXAMPLES, A_WORLD), deadline=None, derandomize=True, database=None, phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip
async def test_no_pass_that_the_reference_forbids(world: World, desk: Desk, part: int, number: int) -> None:
    """A number is a history: what a step chooses hangs on what is there, and the firm's scheme on the history before."""
    dice = Random(f"{part}/{number}")
    name = f"c-{next(numbers)}"
    through = await world.value("suitability", "SELECT through FROM closed_days")
    day = through + DAY if through else await today(world) - DAY * 3000
    home = Home(world, desk, dice, name, day)
    await world.publish(opened(name))
    if through:
        await world.settle()
    else:
        await world.close(day - DAY)
    home.reference.scheme = (await desk.get(HQ, "/policies/suitability/in-force"))["body"]["scheme"]
    for code, kind in KINDS.items():
        home.reference.products[code] = Product(kind, entered=code != "S")
        if code != "S":
            await desk.keep(home.code(code), kind=kind)
    settled = at(day - DAY * 10, 9)
    await world.publish(bought(name, "t-0", day - DAY * 10, home.code("S"), "stock", settled_at=settled))
    await world.settle()
    home.reference.products["S"].settled = settled
    steps: dict[Callable[[], Awaitable[None]], int] = {
        home.answer: 6, home.elsewhere: 4, home.review: 3, home.classify: 3, home.confirm: 4, home.shelve: 1, home.status: 1,
        home.wait: 6, home.move: 2, home.retype: 2, home.trade: 3, home.cancel: 1,
    }  # fmt: skip
    often = [step for step, weight in steps.items() for _ in range(weight)]
    for step in dice.choices(often, k=STEPS):
        home.reference.steps += 1
        await step()
        await home.check(step.__name__)
