"""HTTP as every service speaks it."""

from chassis.etags import Match, etag
from chassis.http.app import new_app, openapi_of, routes_of, service_app
from chassis.http.batching import Batched, batched
from chassis.http.declared import Located, Tagged
from chassis.http.idempotency import Once, joined, router
from chassis.http.identity import Tokens, identified, mint
from chassis.http.objects import may_see, object_scope, require_sight
from chassis.http.paging import Listing, Page, PageRequest
from chassis.http.permissions import permission_of, permits
from chassis.http.preconditions import IfMatch, MatchText
from chassis.http.reads import Purpose
from chassis.http.uploads import Upload, Uploaded, gives, takes
from chassis.http.work import Reading, Work

__all__ = [
    "Batched",
    "IfMatch",
    "Listing",
    "Located",
    "Match",
    "MatchText",
    "Once",
    "Page",
    "PageRequest",
    "Purpose",
    "Reading",
    "Tagged",
    "Tokens",
    "Upload",
    "Uploaded",
    "Work",
    "batched",
    "etag",
    "gives",
    "identified",
    "joined",
    "may_see",
    "mint",
    "new_app",
    "object_scope",
    "openapi_of",
    "permission_of",
    "permits",
    "require_sight",
    "router",
    "routes_of",
    "service_app",
    "takes",
]
