"""One form of log lines: what libraries say goes the same way as what we say."""

import logging
import os
import time
from contextlib import suppress
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path

import structlog

from chassis.folders import private_folder
from chassis.settings import Settings
from chassis.telemetry import configure_logs

DAY = 86_400


class _Forward(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        structlog.get_logger().log(record.levelno, record.getMessage(), logger=record.name, exc_info=record.exc_info)


class LogFile(RotatingFileHandler):
    """A log file, its owner's alone. It begins anew when it is full and every day (UTC); older ones are NAME.1 (the newest) to
    NAME.`kept`, and go after `days` in any case."""

    def __init__(self, path: Path, *, full: int, kept: int, days: int) -> None:
        private_folder(path.parent)
        self.days = days
        super().__init__(path, maxBytes=full, backupCount=kept, encoding="utf-8")

    def _open(self) -> TextIOWrapper:
        file = os.open(self.baseFilename, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        written = os.fstat(file)
        self.day = (written.st_mtime if written.st_size else time.time()) // DAY
        return os.fdopen(file, "a", encoding="utf-8")

    def shouldRollover(self, record: logging.LogRecord) -> bool:
        """Whether it is full, or of another day."""
        return self.day != time.time() // DAY or bool(super().shouldRollover(record))

    def doRollover(self) -> None:
        """Begin anew; forget what is too old."""
        super().doRollover()
        oldest, path = time.time() - self.days * DAY, Path(self.baseFilename)
        for old in path.parent.glob(f"{path.name}.*"):
            with suppress(FileNotFoundError):
                if old.stat().st_mtime < oldest:
                    old.unlink()

    def write(self, line: str) -> None:
        """One line."""
        self.handle(logging.makeLogRecord({"msg": line.rstrip("\n")}))


def log_as(settings: Settings) -> LogFile | None:
    """JSON lines as the settings say: on stderr, or in the file returned, of this process alone."""
    file = None
    if settings.log_file is not None:
        full = settings.log_file_mb * 1_000_000
        file = LogFile(settings.log_file, full=full, kept=settings.log_files, days=settings.log_days)
    _log(settings.log_level, "WARNING", structlog.WriteLogger(file) if file else None)  # type: ignore[arg-type]
    return file


def log_at(level: str, *, libraries: str = "WARNING") -> None:
    """JSON lines on stderr from this level on; from chatty libraries, from a level of their own on."""
    _log(level, libraries, None)


def _log(level: str, libraries: str, logger: structlog.WriteLogger | None) -> None:
    configure_logs(level, logger)
    logging.basicConfig(handlers=[_Forward()], level=level.upper(), force=True)
    for noisy in ("alembic", "uvicorn", "uvicorn.error", "aiokafka", "asyncio", "httpx", "httpcore"):
        logging.getLogger(noisy).setLevel(libraries)
