"""Arguments that several commands take."""

from datetime import date, datetime
from typing import Annotated

import typer

from careline.refusals import WrongArgument


def read_date(text: str) -> date:
    """A business date.

    Raises: typer.BadParameter.
    """
    try:
        return datetime.strptime(text, "%Y-%m-%d").date()  # noqa: DTZ007 - a business date has no zone
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not a date: write YYYY-MM-DD") from None


def one_of_services(text: str) -> str:
    """A service's name.

    Raises: typer.BadParameter.
    """
    from careline.services import SERVICES

    names = [service.name for service in SERVICES]
    if text not in names:
        raise typer.BadParameter(f"there is no service {text!r}: choose from {', '.join(names)}")
    return text


def reference(text: str) -> tuple[str, int]:
    """`points/12`: a service and a number in it.

    Raises: WrongArgument.
    """
    from careline.services import SERVICES

    service, _, number = text.partition("/")
    if not number.isdecimal() or service not in {known.name for known in SERVICES}:
        raise WrongArgument(f"{text!r} should be SERVICE/NUMBER, as the list shows it (points/12)")
    return service, int(number)


ServiceOption = Annotated[
    str | None, typer.Option("--service", parser=one_of_services, metavar="SERVICE", help="Of this service only.")
]
