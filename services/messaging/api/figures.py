"""Figures over HTTP [MS19]."""

from datetime import date, timedelta
from typing import Annotated

from pydantic import BaseModel, Field

from chassis.errors import FieldError, Invalid
from chassis.http import Reading, router
from chassis.timeline import today
from contracts.fields import BusinessDate, Code
from services.messaging import figures
from services.messaging.api.access import Counter

routes = router("/v1/messaging", "messaging")
LONGEST = timedelta(days=366)


class Figure(BaseModel):
    """The numbers of one day's messages of a kind by a way; `suppressed` by reason, `read` in the app, `delay_p95_s` from handing to receipt."""

    day: date
    kind: str
    message_class: str
    way: str | None
    asked: int
    waiting: int
    suppressed: dict[str, int]
    expired: int
    handed: int
    delivered: int
    undelivered: int
    unknown: int
    read: Annotated[int, Field(description="how many were read in the app")]
    opt_outs: Annotated[int, Field(description="opt-outs that followed one of them within three days")]
    opt_outs_per_1000: Annotated[float | None, Field(description="opt-outs of a thousand handed over", examples=[1.5])]
    parts: int
    delay_p95_s: float | None


@routes.get("/figures")
async def list_figures(
    _: Counter,
    sql: Reading,
    first: BusinessDate | None = None,
    last: BusinessDate | None = None,
    kind: Code | None = None,
) -> list[Figure]:
    """A row for each day, template and way; of today unless other days are named."""
    end = last or first or await today(sql)
    begin = first or end
    if end < begin or end - begin > LONGEST:
        raise Invalid(errors=(FieldError("query#/last", "lies before the first day, or over a year after it"),))
    return [Figure.model_validate(dict(row)) for row in await figures.figures(sql, begin, end, kind)]
