"""The worked example of `docs/clocks.md`, sentence by sentence, and as known on an earlier day."""

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

from chassis.calendar import shipped
from chassis.clocks import (
    Extension,
    Ladder,
    NaturalTime,
    Pause,
    Promise,
    Resume,
    Start,
    Stop,
    WorkingDays,
    WorkingTime,
    explain,
    planned,
    read,
)

CALENDAR = shipped()
SHANGHAI = timezone(timedelta(hours=8))


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"2026-{text}").replace(tzinfo=SHANGHAI)


LEDGER = [
    Start(number=1, effective=at("09-29 16:10"), recorded=at("09-29 16:10"), reason="重大投诉"),
    Pause(
        number=2,
        effective=at("09-30 10:00"),
        recorded=at("09-30 10:00"),
        reason="等待客户材料",
        expected_end=at("10-08 10:00"),
    ),
    Resume(number=3, effective=at("10-08 09:30"), recorded=at("10-08 15:00"), reason="客户回复"),
    Stop(number=4, effective=at("10-10 11:00"), recorded=at("10-10 11:00")),
]


def test_every_step_of_the_sum_is_told_in_english() -> None:
    assert [(line.kind, line.sentence.en) for line in explain(LEDGER, WorkingDays(3), CALENDAR)] == [
        ("start", "The clock starts at 2026-09-29 16:10 (重大投诉)"),
        ("sum", "Day 0 is 2026-09-29 (Tue)"),
        ("sum", "Working day 1: 2026-09-30 (Wed)"),
        ("sum", "2026-10-01 to 2026-10-07: National Day, not counted"),
        ("sum", "Working day 2: 2026-10-08 (Thu)"),
        ("sum", "Working day 3: 2026-10-09 (Fri)"),
        ("sum", "The limit ends at 2026-10-09 17:30"),
        ("pause", "Pause at 2026-09-30 10:00, expected until 2026-10-08 10:00; 21 h 30 min remain (等待客户材料)"),
        ("resume", "The pause ends at 2026-10-08 09:30 (客户回复); recorded 2026-10-08 15:00"),
        ("sum", "2026-10-08 (Thu): 7 h of working time, together 7 h of 21 h 30 min"),
        ("sum", "2026-10-09 (Fri): 7 h 30 min of working time, together 14 h 30 min of 21 h 30 min"),
        (
            "sum",
            "2026-10-10 (Sat), National Day make-up workday: 7 h of working time, together 21 h 30 min of 21 h 30 min",
        ),
        ("sum", "This ends at 2026-10-10 17:00"),
        ("sum", "Rounded up to the end of the working day: 2026-10-10 17:30"),
        ("stop", "The clock stops at 2026-10-10 11:00"),
    ]


def test_every_step_of_the_sum_is_told_in_chinese() -> None:
    told = [line.sentence.zh for line in explain(LEDGER, WorkingDays(3), CALENDAR)]
    assert told[:4] == [
        "2026-09-29 16:10 开始计时（重大投诉）",
        "2026-09-29（周二）为第0日，不计入",
        "第1个工作日：2026-09-30（周三）",
        "2026-10-01 至 2026-10-07：国庆节，不计入",
    ]
    assert told[7:9] == [
        "2026-09-30 10:00 暂停，预计至 2026-10-08 10:00，剩余 21小时30分（等待客户材料）",
        "2026-10-08 09:30 恢复计时（客户回复）；2026-10-08 15:00 补记",
    ]
    assert told[11] == "2026-10-10（周六），国庆节调休：工作时间 7小时，累计 21小时30分，共需 21小时30分"
    assert told[13:] == ["顺延至该工作日结束：2026-10-10 17:30", "2026-10-10 11:00 停止计时"]


def test_the_guide_for_compliance_tells_the_same_sentences() -> None:
    guide = (Path(__file__).parents[3] / "docs" / "clocks.md").read_text(encoding="utf-8")
    plain = [replace(entry, reason="") for entry in LEDGER[:-1]]
    rows = [
        f"| {line.kind} | {line.sentence.en} | {line.sentence.zh} |"
        for line in explain(plain, WorkingDays(3), CALENDAR)
    ]
    assert "\n".join(rows) in guide


def test_the_guide_for_compliance_gives_the_dates_of_the_ladder() -> None:
    guide = (Path(__file__).parents[3] / "docs" / "clocks.md").read_text(encoding="utf-8")
    steps = [{"share": 75}, {"share": 100}, {"working_minutes": 240}, {"working_days": 1}, {"working_days": 2}]
    ladder = Ladder.from_rows(steps)
    falls = [
        when.astimezone(SHANGHAI) for when in planned(ladder, read(LEDGER[:-1], WorkingDays(3), CALENDAR), CALENDAR)
    ]
    assert len(falls) == 5
    assert all(f"{when:%a %Y-%m-%d %H:%M}" in guide for when in falls)


def test_as_known_before_the_reply_was_recorded_the_clock_was_paused() -> None:
    lines = explain(LEDGER, WorkingDays(3), CALENDAR, known_at=at("10-08 14:00"))
    assert lines[-1].kind == "pause"
    assert (lines[-1].due, lines[-1].remaining) == (None, timedelta(hours=21, minutes=30))


def test_a_missed_due_a_promise_and_an_extension_are_told() -> None:
    start = at("11-20 10:00")
    promise = Promise(number=2, effective=at("11-23 09:00"), recorded=at("11-23 09:00"), due=at("11-24 12:00"))
    longer = Extension(
        number=3, effective=at("11-24 09:00"), recorded=at("11-24 09:00"), by=WorkingTime(timedelta(hours=1))
    )
    lines = explain([Start(number=1, effective=start, recorded=start), promise, longer], WorkingDays(0), CALENDAR)
    assert [(line.kind, line.sentence.en) for line in lines[3:]] == [
        ("missed", "The due 2026-11-20 17:30 had passed: a breach"),
        ("promise", "At 2026-11-23 09:00 a result was promised for 2026-11-24 12:00"),
        ("extension", "Extended at 2026-11-24 09:00, now due 2026-11-24 14:00"),
    ]
    assert lines[-1].due == at("11-24 14:00")


def test_natural_time_and_a_start_on_a_day_off_are_told() -> None:
    start = [Start(number=1, effective=at("11-21 23:45"), recorded=at("11-21 23:45"))]
    natural = explain(start, NaturalTime(timedelta(minutes=30)), CALENDAR)
    assert natural[-1].sentence.en == "2026-11-21 23:45 + 30 min = 2026-11-22 00:15"
    working = explain(start, WorkingTime(timedelta(hours=2)), CALENDAR)
    assert [line.sentence.en for line in working[1:]] == [
        "2026-11-21 to 2026-11-22: weekend, not counted",
        "2026-11-23 (Mon): 2 h of working time, together 2 h of 2 h",
        "This ends at 2026-11-23 11:00",
    ]
