"""Instants, dates and amounts of time as people here write them, in zh-CN and en."""

from datetime import date, datetime, timedelta

from chassis.clock import SHANGHAI
from chassis.errors import Text

_WEEKDAYS = (
    ("Mon", "周一"),
    ("Tue", "周二"),
    ("Wed", "周三"),
    ("Thu", "周四"),
    ("Fri", "周五"),
    ("Sat", "周六"),
    ("Sun", "周日"),
)


def moment(instant: datetime, as_end: bool = False) -> str:
    """`2026-09-30 17:30` in Shanghai; seconds only when there are any. As an end, midnight is 24:00 of the day."""
    local = instant.astimezone(SHANGHAI)
    if as_end and not (local.hour or local.minute or local.second or local.microsecond):
        return f"{local.date() - timedelta(days=1)} 24:00"
    return f"{local:%Y-%m-%d %H:%M:%S}" if local.second else f"{local:%Y-%m-%d %H:%M}"


def weekday(day: date) -> Text:
    """`2026-09-30 (Wed)`, `2026-09-30（周三）`."""
    en, zh = _WEEKDAYS[day.weekday()]
    return Text(f"{day} ({en})", f"{day}（{zh}）")


def span(amount: timedelta) -> Text:
    """`7 h 30 min`, `7小时30分`."""
    minutes, seconds = divmod(int(amount.total_seconds()), 60)
    hours, minutes = divmod(minutes, 60)
    parts = [(hours, " h", "小时"), (minutes, " min", "分"), (seconds, " s", "秒")]
    shown = [part for part in parts if part[0]] or [(0, " min", "分")]
    return Text(" ".join(f"{n}{en}" for n, en, _ in shown), "".join(f"{n}{zh}" for n, _, zh in shown))
