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
