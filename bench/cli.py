"""The benchmark's command."""

import logging
import signal
import sys
from pathlib import Path
from typing import Annotated

import typer

DATA = Path("../shared/data")


def bench(
    quick: Annotated[bool, typer.Option("--quick", help="Fewer events and rounds: within 20 minutes.")] = False,
    json_file: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="The figures as JSON.")] = None,
    data: Annotated[Path, typer.Option(metavar="DIR", help="To replay; a made-up set where it is missing.")] = DATA,
    only: Annotated[list[str] | None, typer.Option(metavar="SECTION", help="Only these sections.")] = None,
) -> None:
    """Measure Careline beside its peers and the limit, in one run. Starts and stops servers of its own unless
    CARELINE_DATABASE_URL and CARELINE_BUS_URL name some."""
    from bench.ground import ground, versions
    from bench.plan import FULL, QUICK
    from bench.processes import machine
    from bench.report import Report
    from bench.run import ON_STACK, SECTIONS, embedded, on_stack
    from careline.logs import log_at
    from careline.session import run, say

    if wrong := set(only or ()) - set(SECTIONS):
        raise typer.BadParameter(f"there is no section {sorted(wrong)[0]!r}: choose from {', '.join(SECTIONS)}")
    chosen, plan, report = only or SECTIONS, QUICK if quick else FULL, Report(say)
    # A termination ends the servers too: between two event loops as well as in one.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    log_at("ERROR")
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # topics just made have no leaders yet: it tries again
    say(machine())
    if set(chosen) & set(ON_STACK):
        with ground() as there:
            say(run(versions(there)))
            run(on_stack(there, plan, report, chosen))
    run(embedded(plan, report, data, chosen))
    if json_file is not None:
        report.write(json_file)
    if report.failures:
        say(f"\nfailed: {', '.join(report.failures)}")
        raise typer.Exit(1)
