"""HTTP in."""

from chassis.http import joined
from services.relationships.api import (
    activity,
    advice,
    allocations,
    cadence,
    changing_hands,
    desk,
    information,
    lost,
    planning,
    prospects,
    register,
    scorecards,
    service_log,
    spot_checks,
    team,
    visits,
)

routes = joined(
    information.routes,
    team.routes,
    allocations.routes,
    service_log.routes,
    visits.routes,
    activity.routes,
    cadence.routes,
    changing_hands.routes,
    register.routes,
    lost.routes,
    prospects.routes,
    desk.routes,
    spot_checks.routes,
    advice.routes,
    planning.routes,
    scorecards.routes,
)
