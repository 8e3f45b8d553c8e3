"""Why somebody cannot work on a task."""

from chassis.errors import Conflict, Forbidden, Text


class AlreadyTaken(Conflict):
    """Somebody else has this task: `holder` and `since` say who and since when."""

    title = Text("Somebody else has this task", "任务已被他人领取")


class ClaimFirst(Conflict):
    """The task is not in your hands: claim it first."""

    title = Text("Claim the task first", "请先领取任务")


class Excluded(Forbidden):
    """Avoidance (回避): you have had to do with this client; `reasons` say how [B10]."""

    title = Text("You may not call this client", "须回避该客户")


class TooEarly(Conflict):
    """The next attempt may not be made before `not_before` unless the client asked for it, and that is on record [B20]."""

    title = Text("Too early for the next attempt", "未到下次外呼时间")


class NotToBeCalled(Conflict):
    """The client asked not to be called; `owed` names the channel that takes the place of the call [B20]."""

    title = Text("The client is not to be called", "客户要求勿扰")


class FullHands(Conflict):
    """You hold as many tasks as one may; finish or give back some."""

    title = Text("You hold as many tasks as allowed", "持有任务已达上限")


class Away(Forbidden):
    """The roster says you are absent: your deputies are offered your work meanwhile."""

    title = Text("You are marked as absent", "您处于缺勤状态")
