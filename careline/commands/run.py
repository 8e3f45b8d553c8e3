"""Running the platform: all in one process, or a service's HTTP or work alone."""

from typing import Annotated

import typer

Port = Annotated[int | None, typer.Option(min=0, max=65535, help="0: any free one. CARELINE_PORT otherwise.")]
Host = Annotated[str | None, typer.Option(help="The address to listen on. CARELINE_HOST otherwise.")]


def up(port: Port = None, host: Host = None) -> None:
    """Run everything in one process: database (unless CARELINE_DATABASE_URL names one), services, gateway."""
    from careline.session import database_there, run
    from careline.settings import loaded
    from careline.sockets import listen

    settings = loaded()
    with (
        listen(settings.host if host is None else host, settings.port if port is None else port) as listening,
        database_there(keep_running=True) as settings,
    ):
        from careline.logs import log_as
        from careline.running import run_all

        log_as(settings)
        run(run_all(settings, listening))


def serve(service: Annotated[str, typer.Argument(metavar="SERVICE")], port: Port = None, host: Host = None) -> None:
    """Run one service's HTTP (or the gateway's), without its work."""
    from careline.commands.arguments import one_of_services
    from careline.logs import log_as
    from careline.running import run_http
    from careline.session import database_there, run
    from careline.settings import loaded
    from careline.sockets import listen

    name, settings = one_of_services(service), loaded()
    log_as(settings)
    with (
        listen(settings.host if host is None else host, settings.port if port is None else port) as listening,
        database_there(keep_running=True) as settings,
    ):
        run(run_http(settings, name, listening))


def work(
    services: Annotated[list[str], typer.Argument(metavar="SERVICE...", help="One or more.")],
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Serve /livez, /readyz and /metrics here.")] = None,
    host: Host = None,
) -> None:
    """Do services' work: events, closed days, relay, deadlines; any number of such processes may run."""
    from careline.commands.arguments import one_of_services
    from careline.logs import log_as
    from careline.running import run_work
    from careline.session import database_there, run
    from careline.settings import loaded
    from careline.sockets import listen

    names, settings = [one_of_services(name) for name in services], loaded()
    log_as(settings)
    listening = None if port is None else listen(settings.host if host is None else host, port)
    with database_there(keep_running=True) as settings:
        run(run_work(settings, names, listening))


def seal(port: Port = None, host: Host = None) -> None:
    """Seal what every service wrote and look after their databases, under the login that owns the schemas: where services
    log in under names of their own, their workers may not."""
    from careline.logs import log_as
    from careline.refusals import WrongArgument
    from careline.running import run_seal
    from careline.services import SERVICES
    from careline.session import database_there, run
    from careline.settings import loaded
    from careline.sockets import listen
    from chassis.database import owner_url_of

    settings = loaded()
    log_as(settings)
    with (
        listen(settings.host if host is None else host, settings.port if port is None else port) as listening,
        database_there(keep_running=True) as settings,
    ):
        if owner_url_of(settings, SERVICES[0].name) is None:
            raise WrongArgument("sealing needs the login that owns the schemas: set CARELINE_OWNER_URL")
        run(run_seal(settings, listening))
