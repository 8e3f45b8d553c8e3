"""What the command line refuses."""

from chassis.errors import Invalid, Text


class WrongArgument(Invalid):
    """An argument or a setting makes no sense."""

    title = Text("Wrong argument", "参数有误")
