"""`python -m bench`, and what `careline bench` runs."""

import typer

from bench.cli import bench
from careline.cli import main

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
app.command()(bench)

if __name__ == "__main__":
    main(app)
