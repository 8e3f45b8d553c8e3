"""The calendar that comes with the platform: 2009 to 2026, from the State Council's notices and the exchange's.

`days.csv` names the notice behind each row. Its facts agree with two public data sets, which the tests compare day
by day: chinese_calendar 1.11 (working days) and exchange_calendars 4.13, exchange XSHG (trading days, whole range).
"""

from functools import cache
from pathlib import Path

from chassis.calendar.calendar import Calendar
from chassis.calendar.rows import rows_in_csv

VERSION = "shipped-2009-2026"


@cache
def shipped() -> Calendar:
    """The shipped calendar; made once."""
    return Calendar.from_rows(VERSION, rows_in_csv(Path(__file__).with_name("days.csv")))
