"""The lanes side by side: interleaved in one run, checked sums, medians and ratios."""

from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import median

from bench.ground import Ground
from bench.lanes.lane import LaneResult, Task
from bench.services import service_named
from bench.trades import Expected, make, publish

LANES = ("message", "batch", "ours", "limit")


class WrongSums(Exception):
    """A lane lost or doubled something: its speed means nothing."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """How many events each lane reads, and how often. Slow lanes read fewer: a prefix of the same trades."""

    message: int = 2_000
    batch: int = 60_000
    ours: int = 400_000
    limit: int = 400_000
    rounds: int = 3


@dataclass(slots=True)
class Throughput:
    """All outcomes by lane."""

    outcomes: dict[str, list[LaneResult]] = field(default_factory=lambda: {lane: [] for lane in LANES})

    def rate(self, lane: str) -> float:
        """Median events a second."""
        return median(o.events / o.seconds for o in self.outcomes[lane])

    def client_us(self, lane: str) -> float:
        """Median microseconds of client CPU an event."""
        return median(o.client_cpu / o.events * 1e6 for o in self.outcomes[lane])

    def database_us(self, lane: str) -> float:
        """Median microseconds of the database's CPU an event."""
        return median(o.database_cpu / o.events * 1e6 for o in self.outcomes[lane])

    def against(self, lane: str) -> float:
        """The median of ours against another lane in the same round."""
        pairs = zip(self.outcomes["ours"], self.outcomes[lane], strict=True)
        return median((ours.events / ours.seconds) / (other.events / other.seconds) for ours, other in pairs)


def check(lane: str, outcome: LaneResult, expected: Expected) -> None:
    """Nothing lost, nothing doubled.

    Raises: WrongSums.
    """
    found = [outcome.entries, outcome.ledger_points, outcome.balance_points, outcome.told]
    wanted = [expected.entries, expected.points, expected.points, expected.entries]
    if lane == "limit":
        found, wanted = found[:1], wanted[:1]
    if found != wanted:
        raise WrongSums(f"{lane}: entries, ledger, balances, told are {found}, not {wanted}")


async def prepare(ground: Ground, sizes: Sizes) -> dict[str, Expected]:
    """Publish each lane's trades under a prefix of its own; what each must come to."""
    services = [service_named(name) for name in ("points", "classification")]
    topics = sorted({topic for one in services for topic in (*one.topics, one.own_topic)})
    await ground.make_template("template", services)
    trades = list(make(max(sizes.message, sizes.batch, sizes.ours, sizes.limit)))
    expected: dict[str, Expected] = {}
    for events in {sizes.message, sizes.batch, sizes.ours, sizes.limit}:
        prefix = prefix_of(ground, events)
        await ground.topics(prefix, topics)
        await publish(ground.servers, f"{prefix}.broker.trades", trades[:events])
    for lane in LANES:
        expected[lane] = Expected.of(trades[: getattr(sizes, lane)])
    return expected


def prefix_of(ground: Ground, events: int) -> str:
    """The topics with so many trades in them."""
    return f"{ground.run}-{events}"


async def one(ground: Ground, lane: str, round_number: int, events: int, **options: str) -> LaneResult:
    """One lane once, on a database of its own, which is gone afterwards."""
    name = f"{lane}_{round_number}"
    url = await ground.make(name, "template" if lane == "ours" else None)
    try:
        task = Task(ground.servers, prefix_of(ground, events), url, events, f"{ground.run}-{name}", options)
        return await ground.lane(lane, task)
    finally:
        await ground.drop(name)


async def measure(
    ground: Ground, sizes: Sizes, expected: dict[str, Expected], say: Callable[[str], None]
) -> Throughput:
    """Every lane in every round, the order turned round each time.

    Raises: WrongSums.
    """
    found = Throughput()
    for round_number in range(sizes.rounds):
        for lane in LANES if round_number % 2 == 0 else LANES[::-1]:
            outcome = await one(ground, lane, round_number, getattr(sizes, lane))
            check(lane, outcome, expected[lane])
            found.outcomes[lane].append(outcome)
            say(
                f"  round {round_number + 1} {lane:8} {outcome.events / outcome.seconds:10,.0f} events/s"
                f"  client {outcome.client_cpu / outcome.events * 1e6:8.1f} us"
                f"  database {outcome.database_cpu / outcome.events * 1e6:8.1f} us"
            )
    return found
