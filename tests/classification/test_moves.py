"""Clients move between branches: what a close ranks and classes by is the branch of its day, whenever that is heard."""

import random
from collections.abc import Sequence
from datetime import date, timedelta
from typing import NamedTuple

import pytest

from chassis.clock import at
from contracts.base import Event
from contracts.broker import ClientOpened, ClientUpdated
from services.classification.policies import as_body
from services.classification.policy import Policies
from tests.classification.conftest import Fresh
from tests.classification.facts import CLIENT, day, opened, trade, valued
from tests.classification.test_groups_history import LAST, SEEDS, check, close_all, facts_of
from tests.world import World


class Move(NamedTuple):
    """A client is with another branch from a day on."""

    client: str
    on: date
    branch: str


def moves_of(seed: int, facts: Sequence[Event]) -> list[Move]:
    """A few moves of each client, on different days after the opening."""
    dice = random.Random(seed)
    moves = []
    for event in facts:
        if isinstance(event, ClientOpened):
            left = (LAST - event.opened_on).days
            days = sorted(
                {event.opened_on + timedelta(days=1 + dice.randrange(left)) for _ in range(dice.randrange(4))}
            )
            moves += [Move(event.client_id, day, f"B{dice.randrange(3)}") for day in days]
    return moves


async def say(world: World, said: Sequence[Event | Move]) -> None:
    """Publish facts and moves in the order given; a move is known by its time, whatever its id."""
    for one in said:
        if isinstance(one, Move):
            update = ClientUpdated(client_id=one.client, branch_id=one.branch)
            await world.publish(update, at=at(one.on, 10))
        else:
            await world.publish(one)


@pytest.mark.parametrize("seed", SEEDS)
async def test_ranks_follow_the_branch_of_the_day_in_whatever_order_it_is_heard(world: World, seed: int) -> None:
    """V2: profile changes late and early, shuffled among all other facts, leave what on time would have left."""
    facts = facts_of(seed)
    moves = moves_of(seed, facts)
    said: list[Event | Move] = [*facts, *moves]
    dice = random.Random(seed + 10)
    dice.shuffle(said)
    late = [one for one in said if dice.random() < (0.5 if isinstance(one, Move) else 0.1)]
    await say(world, [one for one in said if one not in late])
    await close_all(world)
    for part in (late[: len(late) // 2], late[len(late) // 2 :]):
        await say(world, part)
        await world.settle()
        await world.close(LAST)
    await check(world, facts, {(client, on): branch for client, on, branch in moves})


async def test_a_branchs_policy_classes_who_was_there_on_the_day(fresh_world: Fresh) -> None:
    """a.3: the same classes in every order: on time, the moves after the closes, the moves before the opening."""
    body = as_body(Policies().classes.on(day(0)).body) | {"turnover_threshold": "0.01"}
    there, back = Move(CLIENT, day(20), "B2"), Move(CLIENT, day(50), "B1")
    known = [opened(), valued(day(0), "600000"), trade("t", day(0), "0", amount="60000")]
    orders: list[list[Event | Move | date]] = [
        [*known, there, back],
        [*known, day(62), back, there],
        [*known, day(40), there, day(62), back],
        [back, there, *known],
    ]
    for order in orders:
        async with fresh_world() as world:
            async with world.database("classification").unit_of_work() as uow:
                await uow.sql.execute(
                    """INSERT INTO policy_versions
                           (name, scope, version, effective_on, body, reason, state, made_by, made_at, checked_at)
                       VALUES ('classes', 'B2', 1, '2024-01-15', $1, 'r', 'published', 'm', now(), now())""",
                    body,
                )
            await world.close(day(0))
            for one in order:
                if isinstance(one, date):
                    await world.close(one)
                else:
                    await say(world, [one])
            await world.settle()
            await world.close(day(62))
            months = await world.rows("classification", "SELECT code, policy FROM months ORDER BY month_end")
            assert [tuple(month.values()) for month in months] == [("D", "classes/B2/1"), ("C", "classes/shipped-1")]
