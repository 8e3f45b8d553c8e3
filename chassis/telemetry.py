"""Logs and metrics: names are documented in docs/operations.md."""

import logging
import sys
from typing import Any

import structlog
from prometheus_client import Counter, Gauge, Histogram
from structlog.typing import EventDict

from chassis.errors import Refusal
from chassis.outages import is_outage

CONSUMED = Counter("careline_consumed_records_total", "Records applied, by service and event type", ["service", "type"])
BATCH_RECORDS = Histogram(
    "careline_batch_records", "Records in one batch", ["service"], buckets=(1, 10, 100, 500, 1000, 5000, 20000)
)
DEAD_LETTERS = Counter("careline_dead_letters_total", "Records put aside as dead letters", ["service"])
CONFLICTS = Counter("careline_conflicts_total", "Facts that came again with other content", ["service"])
DEADLINE_LATENESS = Histogram(
    "careline_deadline_lateness_seconds",
    "How late deadlines fire; their sum and count, by service and kind",
    ["service", "kind"],
    buckets=(0.1, 0.5, 1, 3, 10, 60, 600, 3600, 86400),
)
DEADLINES_FAILED = Counter(
    "careline_deadlines_failed_total", "Deadlines put aside because their handler failed", ["service", "kind"]
)
DEADLOCKS_RETRIED = Counter("careline_deadlocks_retried_total", "Acts done once more after a deadlock", ["service"])
DEADLINES_OVERDUE_SECONDS = Gauge(
    "careline_deadlines_overdue_seconds", "How long the oldest deadline not fired yet has been due", ["service"]
)
CALENDAR_DAYS_LEFT = Gauge("careline_calendar_days_left", "Days until the calendar ends", ["service"])
CLOSED_THROUGH = Gauge("careline_closed_through_seconds", "End of the last closed day, in Unix time", ["service"])
DEAD_LETTERS_OPEN = Gauge("careline_dead_letters_open", "Dead letters neither redriven nor skipped", ["service"])
CONFLICTS_OPEN = Gauge("careline_conflicts_open", "Conflicts nobody has decided", ["service"])
DEADLINES_FAILED_OPEN = Gauge("careline_deadlines_failed_open", "Deadlines that are put aside", ["service"])
UNSEALED_ROWS = Gauge("careline_unsealed_rows", "Rows to seal that no seal covers yet", ["service"])
SEALED_AT = Gauge(
    "careline_sealed_at_seconds", "When the newest seal was made, in Unix time; 0 without one", ["service"]
)
STATE_READ_AT = Gauge("careline_state_read_seconds", "When this process last read the state, in Unix time", ["service"])
DISK_FREE = Gauge(
    "careline_disk_free_ratio",
    "What is free of the file system of CARELINE_HOME, 0 to 1, as this process sees it",
    ["service"],
)
SERVING = Gauge("careline_serving", "1 in a process that answers the HTTP of the service", ["service"])
LAG_RECORDS = Gauge("careline_lag_records", "Records not yet applied", ["service"])
LAG_SECONDS = Gauge("careline_lag_seconds", "Age of the oldest record not yet applied", ["service"])
RELAYED = Counter("careline_relayed_records_total", "Records shipped to Kafka", ["service"])
UNIT_STATE = Gauge("careline_worker_up", "1 while the worker's loop makes progress or has nothing to do", ["service"])
SEALING_STOPPED = Gauge("careline_sealing_stopped", "1 while the history differs from what was sealed", ["service"])


def explain_error(_: Any, level: str, line: EventDict) -> EventDict:
    """`error=` is the exception itself: the line says it in words, and with its traceback unless it passes by itself (an
    outage) or was meant (a refusal)."""
    error = line.get("error")
    if isinstance(error, BaseException):
        line["error"] = repr(error)[:500]
        if level not in ("debug", "info") and not isinstance(error, Refusal) and not is_outage(error):
            line.setdefault("exc_info", error)
    return line


def configure_logs(level: str = "INFO", logger: Any = None) -> None:
    """JSON lines on stderr, or to another `logger`: stdout belongs to what a command prints."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            explain_error,
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        # Where stderr is when a line is said, not where it was when this was set.
        logger_factory=lambda *_: logger or structlog.PrintLogger(sys.stderr),
        cache_logger_on_first_use=False,
    )
