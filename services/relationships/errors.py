"""What relationships refuse."""

from chassis.errors import Conflict, Forbidden, Invalid, NotFound, Text


class UnknownClient(NotFound):
    """There is no such client, or the caller may not see them."""

    title = Text("Client not found", "未找到该客户")


class NotYoursToEnter(Forbidden):
    """An indicator is filled by others: by a system, or by people in another seat; `codes` says which."""

    title = Text("Filled by others", "该指标不由您录入")


class Doubtful(Invalid):
    """A value did not pass a check: correct it, or say in `passed` why it is right all the same."""

    title = Text("Some values are doubtful", "部分信息存疑")


class WrongValue(Invalid):
    """A value cannot be what it is said to be."""

    title = Text("Some values are wrong", "部分信息有误")


class NothingIsStated(Conflict):
    """There is no value to check or to take back."""

    title = Text("Nothing is stated", "尚无该项信息")


class AnswerAwaited(Conflict):
    """Who was checked may still answer."""

    title = Text("They may still answer", "被抽查人仍可说明")


class NotAllChecked(Conflict):
    """Entries are still to be drawn or scored before the quarter can be reported; `persons` says whose."""

    title = Text("Not all is checked yet", "抽查尚未完成")


class QuarterReported(Conflict):
    """The quarter was reported already."""

    title = Text("The quarter was reported", "该季度已上报")


class ForTradingClients(Forbidden):
    """Questions about investments are for clients who trade; all others ask in the business zone."""

    title = Text("For clients who trade", "投资咨询区仅限交易客户")
