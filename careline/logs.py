"""One form of log lines: what libraries say goes the same way as what we say."""

import logging

import structlog

from chassis.telemetry import configure_logs


class _Forward(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        structlog.get_logger().log(record.levelno, record.getMessage(), logger=record.name, exc_info=record.exc_info)


def log_at(level: str, *, libraries: str = "WARNING") -> None:
    """JSON lines on stderr from this level on; from chatty libraries, from a level of their own on."""
    configure_logs(level)
    logging.basicConfig(handlers=[_Forward()], level=level.upper(), force=True)
    for noisy in ("alembic", "uvicorn", "uvicorn.error", "aiokafka", "asyncio", "httpx", "httpcore"):
        logging.getLogger(noisy).setLevel(libraries)
