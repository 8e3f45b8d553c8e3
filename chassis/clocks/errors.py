"""What the clock ledger refuses: entries that cannot be true together."""

from datetime import datetime

from chassis.clock import SHANGHAI
from chassis.errors import Conflict, Invalid, Text


class LimitInvalid(Invalid):
    """A limit needs exactly one amount, not negative and not empty."""

    title = Text("The limit is not valid", "时限无效")


class EntryInvalid(Invalid):
    """The entry cannot be read: an unknown kind, a missing field, or a time without a zone."""

    title = Text("The clock entry is not valid", "计时记录无效")


class ClockNotStarted(Conflict):
    """The clock has no start, or none that was known at the time asked about."""

    title = Text("The clock has not started", "计时尚未开始")


class StartedTwice(Conflict):
    """The clock has two starts; a reopened case gets clocks of its own."""

    title = Text("The clock was started twice", "计时重复开始")


class EntryBeforeStart(Conflict):
    """The entry takes effect before the clock starts."""

    title = Text("Before the clock starts", "早于计时开始")


class EntryAfterStop(Conflict):
    """The entry takes effect after the clock stopped; a stopped clock never moves again."""

    title = Text("After the clock stopped", "晚于计时停止")


class OverlappingPauses(Conflict):
    """The pause begins while another is open."""

    title = Text("The pauses overlap", "暂停时段重叠")


class PauseEndsBeforeItBegins(Invalid):
    """The pause's end, or expected end, is not after its beginning."""

    title = Text("The pause ends before it begins", "暂停的结束早于开始")


class ResumeWithoutPause(Conflict):
    """The clock is not paused at that time."""

    title = Text("There is no pause to end", "没有可结束的暂停")


class NotPausable(Conflict):
    """This clock cannot be paused: only result and feedback clocks can, and never a promised or given time [C27]."""

    title = Text("This clock cannot be paused", "该时限不可暂停")


class PromiseInThePast(Invalid):
    """The promised time is not after the moment of the promise."""

    title = Text("The promise lies in the past", "承诺时间已过")


class ExtensionShortens(Invalid):
    """The extension's new time is not later than the one in force."""

    title = Text("The extension shortens the limit", "延期后的时间早于现有时限")


class ExtensionInOtherUnit(Invalid):
    """A limit in working time or days is extended by working time or days, a natural one by natural ones."""

    title = Text("The extension counts in another unit", "延期的计时单位与时限不一致")


def said(en: str, zh: str, *instants: datetime) -> Text:
    """A sentence with instants in Shanghai time at its `{0}`, `{1}`, ..."""
    shown = [instant.astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M:%S") for instant in instants]
    return Text(en.format(*shown), zh.format(*shown))
