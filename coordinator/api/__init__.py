"""The HTTP API: the one package that answers requests, by the web framework.

request ─▶ app ─▶ http_edge ─▶ access_control ─▶ head_requests, body_limit, path_segments ─▶ endpoint_route
                                                                         ports ◀─ endpoints ◀─┘

app ........................ builds the application: the guard of `http_edge` sees each request first, then
                             `access_control`, then the `lean_submit` of `endpoints`
http_edge .................. middleware: hosts that are known, origins that may act, CORS, the path in front;
                             the way to the pages for people, which are no part of this package
access_control ............. who calls, what they may do, and what is written down of it
head_requests .............. middleware: HEAD as GET
body_limit ................. middleware: bodies that are too large, compressed or cut short
path_segments .............. middleware: ids in paths, with whatever characters
endpoints .................. one module for each resource
groups ..................... groups of tasks: how they stand, their end, their cancellation
streams .................... answers that do not end: events, as they happen
endpoint_route ............. the route of each endpoint: strict JSON in, errors by `error_table` out
strict_requests ............ endpoints that act refuse unknown keys and queries
unknown_query_parameters ... endpoints that list refuse unknown filters
unknown_body_keys .......... the others name unknown keys in a `warning`
plain_requests ............. the head and body of a request that needs none of this, for `lean_submit`
idempotent_requests ........ the header Idempotency-Key
endpoint_services .......... the objects that endpoints call
ports ...................... a Protocol for each of these
openapi_document ........... /openapi.json
error_table ................ errors to statuses and sentences
error_bodies ............... the body that all errors have, and the word of each for programs
json_answer ................ JSON in one pass; errors are counted
list_answer ................ JSON of many things, piece by piece, and how many bytes there may be
wire ....................... requests and answers of each resource: models and serializers

Arrows run down: app, endpoints, the routes and services, the errors, `wire`, which imports nothing of the
others.
"""

from .app import create_app
from .endpoint_services import EndpointServices
from .http_edge import EdgeRules, MakesPages, guarded
from .json_answer import NotesError
from .wire.schedules import run_of

__all__ = [
    "EdgeRules",
    "EndpointServices",
    "MakesPages",
    "NotesError",
    "create_app",
    "guarded",
    "run_of",
]
