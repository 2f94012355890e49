"""The edge of the API: what each request is asked before anything else looks at it.

edge_rules ........ what an operator says about hosts, origins and the path in front
known_hosts ....... whether a name in the header `Host` is one of this service
request_guard ..... middleware: refuses what is no host (400), unknown hosts (421), and pages elsewhere (403)
root_path ......... middleware: takes off the path below which a proxy publishes the service
browser_pages ..... hands requests below `/dashboard` to the pages for people; a browser at `/` is sent there
guarded_app ....... puts them around the application, and CORS for the origins that are named

guarded_app ─▶ request_guard ─▶ known_hosts ─▶ edge_rules; decision 0029 says why.
"""

from .browser_pages import BrowserPages, MakesPages
from .edge_rules import EdgeRules
from .guarded_app import guarded

__all__ = ["BrowserPages", "EdgeRules", "MakesPages", "guarded"]
