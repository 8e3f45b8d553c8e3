"""Two schemes of levels: what a client holds rounds down, what a product needs rounds up, one is answered in [Q6]."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from contracts import annex4
from contracts import suitability as contract
from services.suitability.levels import CROSSWALK, SCHEMES, held_in, needed_in
from services.suitability.policy import Policies, Policy
from services.suitability.questionnaires.library import shipped
from services.suitability.questionnaires.proof import Unprovable, prove
from services.suitability.questionnaires.template import Band
from services.suitability.situations import Classed, needed_of
from tests.suitability.conftest import (
    COMPLIANCE,
    DAY,
    HQ,
    LOW,
    SECOND_HQ,
    Desk,
    assessed,
    client,
    in_scheme,
    opened,
    today,
)
from tests.world import World

ME = client("c-1")
SEED, C5R5 = "SEED-2010-12Q", "C5R5"


def firm(scheme: str) -> Policy:
    """The shipped policy of a firm that compares in a scheme."""
    shipped_one = Policies.suitability.shipped[0]
    return Policies.suitability.parse({**shipped_one.written, "scheme": scheme})


def needed(
    kind: str, scheme: str, level: str, policy: Policy, issuer: str | None = None, waived: str | None = None
) -> int | None:
    return needed_of(Classed(kind, issuer, [scheme, level, waived], None), policy)


@pytest.mark.parametrize("theirs", SCHEMES)
@pytest.mark.parametrize("ours", SCHEMES)
def test_q6_nobody_is_covered_by_translation_who_was_not_before(ours: str, theirs: str) -> None:
    """Every client's level of one scheme against every product's of the other, in a firm of either."""
    for held in SCHEMES[theirs].levels:
        for product in SCHEMES[ours].levels:
            in_ours = held_in(theirs, held.rank, ours) >= product.rank
            in_theirs = held.rank >= needed_in(ours, product.rank, theirs)
            highest = held.rank == len(SCHEMES[theirs].levels)
            assert in_ours == in_theirs or highest, (held.code, product.code)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_q6_a_class_is_below_its_kinds_only_as_far_as_that_was_waived_in_the_firms_scheme(scheme: str) -> None:
    policy = firm(scheme)
    for kind, floor in policy.rank_of_kind.items():
        for other in SCHEMES.values():
            for level in other.levels:
                assert (needed(kind, other.code, level.code, policy) or 0) >= floor
                for waived in other.levels:
                    found = needed(kind, other.code, level.code, policy, waived=waived.code)
                    agreed = other.code == scheme and waived.rank >= floor
                    assert found == level.rank if agreed else (found or 0) >= floor


@pytest.mark.parametrize(
    ("ours", "kind", "scheme", "level", "found"),
    [
        (SEED, "warrant", C5R5, "C4", "HIGH"),
        (SEED, "warrant", C5R5, "C5", "HIGH"),
        (SEED, "stock", C5R5, "C3", "MEDIUM"),
        (SEED, "stock", C5R5, "C1", "LOW"),
        (C5R5, "derivative", SEED, "HIGH", "C5"),
        (C5R5, "warrant", SEED, "HIGH", "C5"),
        (C5R5, "stock", SEED, "MEDIUM", "C3"),
    ],
)
def test_q6_classes_of_the_other_scheme(ours: str, kind: str, scheme: str, level: str, found: str) -> None:
    policy = firm(ours)
    rank = needed(kind, scheme, level, policy)
    assert rank is not None
    assert policy.own_scheme.level(rank).code == found


async def test_q6_a_warrant_classed_in_the_other_scheme_asks_for_the_highest(world: World, desk: Desk) -> None:
    day = await today(world) - DAY * 50
    await world.publish(opened("c-1"), assessed("c-1", "MEDIUM", day - DAY * 60))
    await world.close(day)
    await desk.keep("W1", kind="warrant")
    body = {"effective_on": str(day + DAY), "scheme": C5R5, "level": "C4", "reason": "committee"}
    await desk.approve(COMPLIANCE, await desk.post(HQ, "/products/W1/classes", body, 202))
    assert (await desk.get(HQ, "/products/W1"))["level_needed"] == "HIGH"
    assert (await desk.decide(ME, "c-1", "W1"))["outcome"] == "CONFIRM"


async def test_q6_a_derivative_classed_high_is_not_open_to_c4(world: World, desk: Desk) -> None:
    day = await today(world) - DAY * 50
    await world.publish(opened("c-1"), assessed("c-1", "C4", day - DAY * 60, C5R5))
    await world.close(day)
    await desk.keep("D1", kind="derivative")
    body = {"effective_on": str(day + DAY), "scheme": SEED, "level": "HIGH", "reason": "committee"}
    await desk.approve(COMPLIANCE, await desk.post(HQ, "/products/D1/classes", body, 202))
    await in_scheme(world, desk, scheme=C5R5)
    assert (await desk.get(HQ, "/products/D1"))["level_needed"] == "C5"
    assert (await desk.decide(ME, "c-1", "D1"))["outcome"] == "CONFIRM"


async def test_q4_a_confirmation_does_not_outlive_the_scheme_of_its_warning(world: World, desk: Desk) -> None:
    day = await today(world) - DAY * 50
    await world.publish(opened("c-1"), assessed("c-1", "LOW", day - DAY * 60))
    await world.close(day)
    await desk.keep("FUND", kind="fund:equity")
    asked = await desk.decide(ME, "c-1", "FUND")
    given = {"warning_version": "W1", "signature": "s-1"}
    await desk.post(ME, f"/decisions/{asked['decision_id']}/confirmation", given)
    assert (await desk.decide(ME, "c-1", "FUND"))["outcome"] == "PASS"
    await desk.keep("FUND2", kind="fund:equity")
    begun = await desk.decide(ME, "c-1", "FUND2")
    await in_scheme(world, desk, scheme=C5R5)
    changed = await desk.post(ME, f"/decisions/{begun['decision_id']}/confirmation", given, 409)
    assert changed["type"].endswith("nothing-to-confirm"), "the warning names levels of the scheme before"
    assert (await desk.decide(ME, "c-1", "FUND"))["outcome"] == "CONFIRM"
    screened = await desk.post(
        HQ, "/screenings", {"clients": ["c-1"], "products": ["FUND"], "initiator": "client"}, 200
    )
    assert [one[2] for one in screened["answers"]] == ["CONFIRM"]
    await in_scheme(world, desk, scheme=SEED)
    assert (await desk.decide(ME, "c-1", "FUND"))["outcome"] == "PASS", (
        "for its thirty days, in the words it was given in"
    )


def test_q6_others_translate_levels_as_it_is_done_here() -> None:
    """Whoever hears of a level compares it in the firm's first scheme."""
    crosswalk = CROSSWALK[C5R5, SEED]
    assert {own.code: SCHEMES[SEED].level(crosswalk[own.rank]).code for own in SCHEMES[C5R5].levels} == contract.HELD
    assert SCHEMES[SEED].codes == contract.LEVELS
    words = [annex4.risk_word(code) for code in (*contract.LEVELS, *contract.HELD, "OTHER")]
    assert " ".join(words) == "极低 低 一般 高 极低 低 一般 一般 高 OTHER"


async def test_q4_the_first_high_risk_is_the_first_whatever_the_scheme_of_then(world: World, desk: Desk) -> None:
    day = await today(world) - DAY * 50
    for name in ("c-1", "c-2"):
        await world.publish(opened(name), assessed(name, "MEDIUM", day - DAY * 60))
    await world.close(day)
    await desk.keep("W1", kind="warrant")
    await desk.keep("D1", kind="derivative")
    await in_scheme(world, desk, first_high_risk_cooling_minutes=0)
    asked = await desk.decide(ME, "c-1", "W1")
    answers = [{"question": one["code"], "answer": one["expects"]} for one in asked["warning"]["questions"]]
    given = {"warning_version": "W1", "signature": "s-1", "answers": answers}
    await desk.post(ME, f"/decisions/{asked['decision_id']}/confirmation", given)
    # HIGH, the fourth of four levels, was of high risk: so it is where only the fifth of five is.
    high = {SEED: "HIGH", C5R5: "C5"}
    await in_scheme(world, desk, scheme=C5R5, high_risk=high, cooling_minutes=[0], first_high_risk_cooling_minutes=60)
    for name, minutes in (("c-1", 0), ("c-2", 60)):
        found = await desk.decide(client(name), name, "D1")
        waits = datetime.fromisoformat(found["not_before"]) - datetime.fromisoformat(found["decided_at"])
        assert waits == timedelta(minutes=minutes), name


def body_of(template: dict[str, Any], letter: int = 0) -> dict[str, Any]:
    answers = [{"question": q["code"], "options": [q["options"][letter]["code"]]} for q in template["questions"]]
    return {"template": template["code"], "version": 1, "answers": answers, "channel": "web", "signature": "s"}


@pytest.mark.parametrize(
    ("firm_of", "kind", "answered", "others"),
    [
        ({"scheme": SEED}, "individual", [SEED], [C5R5]),
        ({"scheme": C5R5}, "individual", [C5R5], [SEED]),
        ({"scheme": SEED}, "institution", [SEED], ["C5R5-ORG"]),
        ({"scheme": SEED, "schemes": {"institution": C5R5}}, "institution", ["C5R5-ORG"], [SEED]),
        ({"scheme": SEED, "schemes": {"institution": C5R5}}, "individual", [SEED], [C5R5]),
    ],
)
async def test_q6_one_scheme_for_each_kind_of_client(
    world: World, desk: Desk, firm_of: dict[str, Any], kind: str, answered: list[str], others: list[str]
) -> None:
    await world.publish(opened("c-1", kind=kind))
    await world.close(await today(world) - DAY * 50)
    await in_scheme(world, desk, **firm_of)
    for code in (*answered, *others):
        body = body_of(await desk.get(ME, f"/templates/{code}/1"))  # any may be read
        draft = await desk.call(
            ME, "PUT", "/clients/c-1/draft", {k: body[k] for k in ("template", "version", "answers")}
        )
        handed_in = await desk.call(ME, "POST", "/clients/c-1/submissions", body)
        if code in answered:
            assert (draft.status_code, handed_in.status_code) == (200, 201)
        else:
            for refused in (draft, handed_in):
                assert (refused.status_code, refused.json()["type"]) == (409, "/problems/scheme-not-in-force")
    assert await world.value("suitability", "SELECT count(*) FROM submissions") == len(answered)


def test_a_level_that_no_sheet_reaches_is_no_level() -> None:
    import msgspec

    template = shipped(SEED)
    bands = [Band("VERY_LOW", 1, 2), Band("LOW", 3, 4), Band("MEDIUM", 5, 6), Band("HIGH", 7, 60)]
    with pytest.raises(Unprovable, match="no answer sheet leads to VERY_LOW, LOW, MEDIUM"):
        prove(msgspec.structs.replace(template, bands=bands))


async def test_a_scheduled_publication_is_taken_back(world: World, desk: Desk) -> None:
    await world.publish(opened("c-1"))
    await world.close(await today(world) - DAY * 50)
    day = await world.value("suitability", "SELECT through + 1 FROM closed_days")
    template = await desk.get(HQ, "/templates/SEED-2010-12Q/1")
    await desk.post(
        HQ, "/templates", {k: v for k, v in template.items() if k not in {"version", "state", "effective_on"}}
    )
    path = "/templates/SEED-2010-12Q/2"
    await desk.post(SECOND_HQ, f"{path}/review", None, 200)
    await desk.post(SECOND_HQ, f"{path}/review", None, 409)
    await desk.post(HQ, f"{path}/publish", {"effective_on": str(day + DAY)}, 200)
    reason = {"reason": "a question is wrong"}
    assert (await desk.post(HQ, f"{path}/withdrawal", reason, 200))["state"] == "reviewed"
    await world.close(day + DAY)
    assert (await desk.submit("c-1", LOW))["state"] == "accepted"  # version 1 still counts
    await desk.post(HQ, f"{path}/publish", {"effective_on": str(day + DAY * 2)}, 200)
    await desk.post(HQ, f"{path}/withdrawal", reason, 409)  # it is in force
    actions = await world.rows("suitability", "SELECT action FROM audit WHERE object = 'template/SEED-2010-12Q/2'")
    assert [row["action"] for row in actions].count("withdraw template") == 1


@pytest.mark.parametrize(
    ("wrong", "pointer"),
    [
        ({"scheme": "C9"}, "/body/scheme"),
        ({"schemes": {"institution": "C9"}}, "/body/schemes/institution"),
        ({"schemes": {"fund": C5R5}}, "/body"),
        (
            {"kinds": {"bond": {"needs": {SEED: "C1", C5R5: "C1"}, "zh": "债", "en": "b"}}},
            f"/body/kinds/bond/needs/{SEED}",
        ),
        ({"issuer": {"R1": {SEED: "LOW"}}}, f"/body/issuer/R1/{C5R5}"),
        ({"cooling_minutes": []}, "/body/cooling_minutes"),
        ({"cooling_minutes": "0"}, "/body/cooling_minutes"),
        ({"warning": {"version": "W", "zh": "{x}", "en": "x"}}, "/body/warning"),
        ({"validity_month": 12}, "/body/validity_month"),
        ({"kinds": []}, "/body/kinds"),
    ],
)
async def test_a_policy_that_does_not_hold_together_is_refused_where_it_is_wrong(
    world: World, desk: Desk, wrong: dict[str, Any], pointer: str
) -> None:
    body = (await desk.get(HQ, "/policies/suitability/in-force"))["body"] | wrong
    draft = {"effective_on": str(await today(world) + DAY), "body": body, "reason": "to see"}
    refused = await desk.post(HQ, "/policies/suitability", draft, 422)
    assert refused["errors"][0]["pointer"] == pointer


async def test_two_versions_of_a_day_are_one_too_many(world: World, desk: Desk) -> None:
    body = (await desk.get(HQ, "/policies/suitability/in-force"))["body"]
    draft = {"effective_on": str(await today(world) + DAY), "body": body, "reason": "to see"}
    first, second = [await desk.post(HQ, "/policies/suitability", draft) for _ in range(2)]
    await desk.post(COMPLIANCE, f"/policies/suitability/{first['version']}/publication", None, 200)
    taken = await desk.post(COMPLIANCE, f"/policies/suitability/{second['version']}/publication", None, 409)
    assert taken["type"].endswith("day-taken")
