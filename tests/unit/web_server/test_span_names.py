"""A request's span is named after its route, and never after an id or a method of a client's own."""

from __future__ import annotations

import pytest

from coordinator.web_server.traced_application import span_of_request


@pytest.mark.parametrize(
    ("method", "path", "name"),
    [
        ("POST", "/tasks/submit", "POST /tasks/submit"),
        ("POST", "/v1/tasks/submit/batch", "POST /v1/tasks/submit/batch"),
        ("GET", "/tasks/some-task", "GET /tasks/{task_id}"),
        ("HEAD", "/tasks/some-task", "HEAD /tasks/{task_id}"),
        ("GET", "/agents/a%2Fb/status", "GET /agents/{agent_id}/status"),
        ("GET", "/v1/agents/a%2Fb", "GET /v1/agents/{agent_id}"),
        ("GET", "/events", "GET /events"),
        ("GET", "/v1/tasks/some-task/stream", "GET /v1/tasks/{task_id}/stream"),
        ("GET", "/ws", "GET /ws"),
        ("PATCH", "/tasks/submit", "PATCH /tasks/submit"),
        ("GET", "/nothing/here", "GET"),
        ("GET", "/v1", "GET"),
        ("BREW", "/tasks/submit", "HTTP /tasks/submit"),
    ],
)
def test_a_span_is_named_after_the_route(method: str, path: str, name: str) -> None:
    from urllib.parse import unquote

    scope = {"type": "http", "method": method, "path": unquote(path), "raw_path": path.encode()}
    found, attributes = span_of_request(scope)
    assert found == name
    assert attributes == ({"http.route": name.split()[1]} if " " in name else {})


@pytest.mark.parametrize("path", ["/ws", "/v1/ws"])
def test_a_websocket_is_the_get_that_opens_it(path: str) -> None:
    scope = {"type": "websocket", "path": path, "raw_path": path.encode()}
    assert span_of_request(scope) == (f"GET {path}", {"http.route": path})
    elsewhere = {"type": "websocket", "path": "/nowhere", "raw_path": b"/nowhere"}
    assert span_of_request(elsewhere) == ("GET", {})


@pytest.mark.parametrize("path", ["/board/tasks/a", "/tasks/a", "/board/v1/agents/a%2Fb", "/board"])
def test_the_path_of_a_proxy_is_not_in_the_name(path: str) -> None:
    from urllib.parse import unquote

    scope = {"type": "http", "method": "GET", "path": unquote(path), "raw_path": path.encode()}
    route = {
        "/board/v1/agents/a%2Fb": "GET /v1/agents/{agent_id}",
        "/board": "GET /",
    }.get(path, "GET /tasks/{task_id}")
    assert span_of_request(scope, root_path="/board")[0] == route
