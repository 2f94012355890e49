"""Shows the coordinator to people in a browser: pages made on the server, which call the public API by the
Python client and nothing else.

    browser ── page, form ─▶ dashboard_app ─▶ page_requests ─▶ pages, actions ── client ─▶ API
            ◀─ "changed" ─── live_updates ◀─────────────────── event stream ───────────────┘

Each line imports from the lines below it alone:

dashboard_app ...... routes requests below /dashboard, and sets the headers that keep pages to themselves
page_requests ...... answers a page or an action: finds the key, calls the API, makes HTML of errors
sign_in ............ takes a key from a person, and gives it back
live_updates ....... tells a browser that something has changed, as server-sent events
pages .............. collect what one page shows, each
actions ............ do what one form asks for, each
page_templates ..... renders templates: HTML that is escaped, without a style or a script in it
text_formats ....... writes instants, durations and JSON for people
viewer ............. the person who looks: their client, and what their roles let them do
form_fields ........ reads the fields of a form, and says what is wrong with one
key_cookie ......... keeps the key in a cookie that no script reads
api_access ......... reaches the API: in the same process, or at a URL
asgi_transport ..... hands requests of the client to an application in the same process

It knows no more of the service than any client does, so that it runs in the service or apart from it. Never
happens: a request to another host, a key in a page or in an address, an action without a form of this site.
"""

from .api_access import ApiInProcess, RemoteApi
from .dashboard_app import PATH, create_dashboard

__all__ = ["PATH", "ApiInProcess", "RemoteApi", "create_dashboard"]
