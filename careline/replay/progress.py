"""The progress bar of a replay, on stderr: facts said, facts applied, and what it waits for."""

import sys
from collections.abc import Sequence
from time import monotonic
from types import TracebackType
from typing import Any, Self

from careline.lag import Lag

LINE_SECONDS = 10.0


class Progress:
    """`with Progress() as progress:` a bar on a terminal, a line now and then elsewhere."""

    def __init__(self) -> None:
        self.total = 0
        self.started = monotonic()
        self.published = 0
        self._before: int | None = None
        self._bar: Any = None
        self._said: Any = None
        self._closed: Any = None
        self._last = ""
        self._lines_at = monotonic() + LINE_SECONDS

    def __enter__(self) -> Self:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as Bar

        console = Console(stderr=True)
        self._bar = Bar(  # all of it within 80 columns
            TextColumn("{task.description}"), BarColumn(10), MofNCompleteColumn(), TimeElapsedColumn(),
            TextColumn("{task.fields[note]}"), console=console, disable=not console.is_terminal,
        )  # fmt: skip
        self._said = self._bar.add_task("published", total=None, note="")
        self._closed = self._bar.add_task("not yet applied", total=None, note="")
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def begin(self, total: int) -> None:
        """The home is there, and so are the data: so many facts."""
        self.total, self.started = total, monotonic()
        self._bar.update(self._said, total=total)

    def stop(self) -> None:
        """No bar from now on: something is to be printed."""
        self._bar.stop()

    def said(self, position: int) -> None:
        """So many facts are published; the first word says how many were before."""
        if self._before is None:
            self._before = position
        self.published = position - self._before
        self._bar.update(self._said, completed=min(position, self.total))

    def applied(self, found: Sequence[Lag]) -> None:
        """How far the services are."""
        waiting = sum(sum(one.records.values()) for one in found)
        days = [one.closed_through for one in found if one.closed_through]
        closed = f"closed {min(days)}" if days else ""
        self._bar.update(self._closed, completed=waiting, note=closed)
        if self._bar.disable and monotonic() >= self._lines_at:
            self._lines_at = monotonic() + LINE_SECONDS
            said = (self._before or 0) + self.published
            line = f"careline replay: {said} of {self.total} published, {waiting} not yet applied"
            print(f"{line}, {closed}" if closed else line, file=sys.stderr, flush=True)

    def trouble(self, words: str) -> None:
        """Something is away and is being waited for; empty when it is back."""
        if words and words != self._last:
            print(f"careline replay: {words}", file=sys.stderr, flush=True)
        self._last = words
        self._bar.update(self._said, note="waiting" if words else "")
