"""Why an act is refused."""

from chassis.errors import Conflict, Forbidden, Invalid, Text


class NotYours(Forbidden):
    """This is for somebody else to do: `who` names those who may."""

    title = Text("Not yours to do", "不由您办理")


class ConflictOfInterest(Forbidden):
    """It names you: you can neither handle, judge nor approve it."""

    title = Text("You are named in it", "您与本事项有利害关系")


class SignatureNeeded(Forbidden):
    """The clock may not be moved again without the signature of who is named in `who`."""

    title = Text("Somebody else has to sign this", "须由他人签批")


class IllegalMove(Conflict):
    """Its present state does not allow this; `following` names the acts that it does allow."""

    title = Text("Not possible in the present state", "当前状态不允许此操作")


class NotForThisKind(Conflict):
    """This act does not exist for objects of this kind or source."""

    title = Text("Not for this kind", "该类事项无此操作")


class AlreadyAsked(Conflict):
    """The same act waits for a second person already: `approval_id`."""

    title = Text("It waits for a second person already", "已提请复核")


class NeedsMissing(Invalid):
    """The act needs more than was given; `errors` points at each."""

    title = Text("Something needed is missing", "缺少必要内容")
