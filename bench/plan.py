"""How much of everything a run measures."""

from dataclasses import dataclass

from bench.throughput import Sizes


@dataclass(frozen=True, slots=True)
class Plan:
    """Sizes of every section."""

    lanes: Sizes
    visible_rates: tuple[int, ...]
    visible_seconds: float
    hop_seconds: float
    hop_rounds: int
    burst_events: int
    retiered_clients: int
    retiering_rounds: int
    month_ends: tuple[int, ...]
    late_clients: int
    history_entries: int
    deadlines: int = 100_000


FULL = Plan(
    lanes=Sizes(message=4_000, batch=200_000, ours=1_000_000, limit=1_000_000, rounds=5),
    visible_rates=(1_000, 5_000),
    visible_seconds=60,
    hop_seconds=10,
    hop_rounds=3,
    burst_events=1_000_000,
    retiered_clients=1_000_000,
    retiering_rounds=5,
    month_ends=(100_000, 1_000_000),
    late_clients=100_000,
    history_entries=300_000,
)
QUICK = Plan(
    lanes=Sizes(message=1_000, batch=50_000, ours=240_000, limit=240_000, rounds=3),
    visible_rates=(1_000, 5_000),
    visible_seconds=15,
    hop_seconds=4,
    hop_rounds=3,
    burst_events=200_000,
    retiered_clients=1_000_000,
    retiering_rounds=2,
    month_ends=(100_000,),
    late_clients=20_000,
    history_entries=100_000,
)
