"""Templates as data: the shipped ones exactly as documented, the proof, the imported form, answers, contradictions."""

import json
from itertools import product
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.suitability.questionnaires.answers import check, sent_by_caller
from services.suitability.questionnaires.contradictions import Profile, found
from services.suitability.questionnaires.foreign import read_form
from services.suitability.questionnaires.library import shipped, shipped_codes
from services.suitability.questionnaires.proof import Unprovable, outcomes, outcomes_of, prove
from services.suitability.questionnaires.scoring import points_of, score
from services.suitability.questionnaires.template import Band, Bilingual, Option, Question, Template

SEED = shipped("SEED-2010-12Q")
FORM = Path(__file__).parent / "mifid_form.json"


def sheet(letters: str) -> dict[str, list[str]]:
    return {str(number): [letter] for number, letter in enumerate(letters, 1)}


# The vectors of 4.6 [Q1].
@pytest.mark.parametrize(
    ("letters", "total", "level"),
    [
        ("AAAAAAAAAAAA", 14, "VERY_LOW"),
        ("EAAAAAAAAAAA", 18, "VERY_LOW"),
        ("EBAAAAAAAAAA", 19, "LOW"),
        ("EDEDCBAAAAAA", 35, "LOW"),
        ("EDEDCCAAAAAA", 36, "MEDIUM"),
        ("EDEDCDCCAAAA", 45, "MEDIUM"),
        ("EDEDCDCCBAAA", 46, "HIGH"),
        ("BBBBBBBBBBBB", 30, "LOW"),
        ("CCCCCCCCCCCC", 46, "HIGH"),
        ("EDEDCDCCEDCE", 60, "HIGH"),
    ],
)
def test_the_seeds_vectors(letters: str, total: int, level: str) -> None:
    result = score(SEED, sheet(letters))
    assert (result.total, result.level) == (total, level)


def test_question_9_scores_its_highest_option_q1() -> None:
    question = SEED.question("9")
    assert question is not None
    assert question.multiple
    assert points_of(question, ["A", "C"]) == 3
    assert points_of(question, ["A", "B", "C", "D", "E"]) == 5


def test_the_seeds_scores_are_the_printed_ones() -> None:
    printed = ["12345", "1235", "01235", "2345", "135", "2345", "135", "135", "12345", "2345", "135", "12345"]
    for question, scores in zip(SEED.questions, printed, strict=True):
        assert [option.score for option in question.options] == [int(digit) for digit in scores]
        assert [option.code for option in question.options] == list("ABCDE"[: len(scores)])
    assert [question.code for question in SEED.questions if question.multiple] == ["9"]


def test_all_80_352_000_answer_sheets_of_the_seed() -> None:
    proof = prove(SEED)
    assert proof.sheets == 80_352_000
    assert (proof.lowest, proof.highest) == (14, 60)
    assert proof.by_level == {"VERY_LOW": 1_015, "LOW": 27_186_965, "MEDIUM": 48_584_380, "HIGH": 4_579_640}
    assert proof.unreachable == ()


def test_with_question_9_single_there_are_12_960_000_sheets() -> None:
    questions = [msgspec.structs.replace(question, multiple=False) for question in SEED.questions]
    proof = prove(msgspec.structs.replace(SEED, questions=questions))
    assert proof.sheets == 12_960_000
    assert list(proof.by_level.values()) == [673, 5_548_762, 6_928_752, 481_813]


@pytest.mark.parametrize("code", shipped_codes())
def test_every_shipped_template_can_be_published(code: str) -> None:
    proof = prove(shipped(code))
    assert all(sheets > 0 for sheets in proof.by_level.values())


def test_a_gate_forces_the_lowest_level_q6() -> None:
    template = shipped("C5R5")
    best = {question.code: [question.options[-1].code] for question in template.questions}
    assert score(template, best).level == "C5"
    gated = score(template, best | {"tolerance": ["A"]})
    assert (gated.band_level, gated.level, gated.gates) == ("C5", "C1", ("toleranceA",))


@st.composite
def questions(draw: st.DrawFn, number: int) -> Question:
    options = draw(st.lists(st.tuples(st.integers(-3, 9), st.booleans()), min_size=2, max_size=4))
    return Question(
        code=str(number),
        text=Bilingual("问", "Q"),
        options=[
            Option(code="ABCD"[i], text=Bilingual("选", "O"), score=points, gate=gate)
            for i, (points, gate) in enumerate(options)
        ],
        multiple=draw(st.booleans()),
        scored_by=draw(st.sampled_from(["highest", "sum"])),
    )


@settings(deadline=None)
@given(st.data())
def test_counting_sheets_equals_walking_them(data: st.DataObject) -> None:
    asked = [data.draw(questions(number)) for number in range(3)]
    template = Template(
        code="T", scheme="C5R5", title=Bilingual("题", "T"), questions=asked, bands=[Band("C1", -999, 999)]
    )
    walked: dict[tuple[int, bool], int] = {}
    choices = []
    for question in asked:
        codes = [option.code for option in question.options]
        sets = [[c for c, on in zip(codes, bits, strict=True) if on] for bits in product([0, 1], repeat=len(codes))]
        choices.append([chosen for chosen in sets if chosen and (question.multiple or len(chosen) == 1)])
    for chosen in product(*choices):
        answers = {question.code: list(options) for question, options in zip(asked, chosen, strict=True)}
        result = score(template, answers)
        key = (result.total, bool(result.gates))
        walked[key] = walked.get(key, 0) + 1
    assert dict(outcomes(template)) == walked
    assert sum(outcomes_of(asked[0]).values()) == len(choices[0])


@pytest.mark.parametrize(
    ("bands", "problem"),
    [
        ([(1, 14, 18), (2, 20, 35), (3, 36, 45), (4, 46, 60)], "gap: a total of 19"),
        ([(1, 14, 18), (2, 18, 35), (3, 36, 45), (4, 46, 60)], "overlap: a total of 18 lies in VERY_LOW and LOW"),
        ([(1, 15, 18), (2, 19, 35), (3, 36, 45), (4, 46, 60)], "gap: a total of 14"),
        ([(1, 14, 18), (2, 19, 35), (3, 36, 45), (4, 46, 59)], "gap: a total of 60"),
        ([(1, 14, 18), (3, 19, 35), (2, 36, 45), (4, 46, 60)], "never mean a lower level"),
        ([(1, 14, 18), (2, 19, 45), (4, 46, 60)], "no band leads to MEDIUM"),
        ([(1, 18, 14), (2, 19, 35), (3, 36, 45), (4, 46, 60)], "is empty"),
    ],
)
def test_bands_that_are_not_total_and_disjoint_are_refused_with_a_counter_example(
    bands: list[tuple[int, int, int]], problem: str
) -> None:
    levels = ("VERY_LOW", "LOW", "MEDIUM", "HIGH")
    wrong = [Band(levels[rank - 1], lowest, highest) for rank, lowest, highest in bands]
    with pytest.raises(Unprovable, match=problem):
        prove(msgspec.structs.replace(SEED, bands=wrong))


def test_the_mifid_form_is_imported_as_a_draft_and_refused_with_reasons() -> None:
    draft = read_form(json.loads(FORM.read_text()), "MIFID-25Q", "C5R5")
    assert len(draft.questions) == 25
    with pytest.raises(Unprovable) as refused:
        prove(draft)
    details = [problem.detail for problem in refused.value.problems]
    options = sum(len(question.options) for question in draft.questions)
    assert sum("has no score" in detail for detail in details) == options
    assert "there are no level bands" in details
    assert sum(p.pointer.endswith("/zh") for p in refused.value.problems) == options + 25


def answers(letters: str) -> list[dict[str, object]]:
    return [{"question": str(number), "options": [letter]} for number, letter in enumerate(letters, 1)]


@pytest.mark.parametrize(
    ("sent", "pointer"),
    [
        (answers("AAAAAAAAAAA"), "/answers"),
        ([*answers("AAAAAAAAAAAA"), {"question": "1", "options": ["B"]}], "/answers/12/question"),
        ([*answers("AAAAAAAAAAAA"), {"question": "13", "options": ["A"]}], "/answers/12/question"),
        ([{"question": "1", "options": ["F"]}, *answers("AAAAAAAAAAAA")[1:]], "/answers/0/options/0"),
        ([{"question": "1", "options": ["A", "B"]}, *answers("AAAAAAAAAAAA")[1:]], "/answers/0/options"),
        ([{"question": "1", "options": []}, *answers("AAAAAAAAAAAA")[1:]], "/answers/0/options"),
        (
            [*answers("AAAAAAAA"), {"question": "9", "options": ["A", "A"]}, *answers("AAAAAAAAAAAA")[9:]],
            "/answers/8/options/1",
        ),
    ],
)
def test_bad_answers_get_a_pointer_each(sent: list[dict[str, object]], pointer: str) -> None:
    _, problems = check(SEED, sent)
    assert [problem.pointer for problem in problems] == [pointer]


def test_a_draft_may_be_incomplete() -> None:
    kept, problems = check(SEED, answers("AB"), complete=False)
    assert problems == ()
    assert kept == {"1": ["A"], "2": ["B"]}


def test_scores_sent_by_the_caller_are_found() -> None:
    body = {"answers": [{"question": "1", "options": ["A"], "score": 5}], "level": "HIGH", "total": 60}
    assert sent_by_caller(body) == ["/level", "/total", "/answers/0/score"]


def test_answers_that_contradict_each_other_or_the_profile() -> None:
    template = shipped("C5R5")
    best = {question.code: [question.options[-1].code] for question in template.questions}
    assert found(template, best, Profile(experience_years=12)) == ()
    clash = found(template, best | {"tolerance": ["A"]}, Profile())
    assert [(rule.code, rule.severity) for rule in clash] == [("no-loss-large-loss", "refuse")]
    assert [rule.code for rule in found(template, best, Profile(experience_years=1))] == ["years-unproven"]
    assert [rule.code for rule in found(template, best, Profile(age=70))] == ["elderly-large-loss"]
    assert found(template, best, Profile(age=69)) == ()
