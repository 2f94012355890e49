"""Ids in paths, with whatever characters."""

from __future__ import annotations

from urllib.parse import quote

import httpx
import pytest
from fastapi import FastAPI
from hypothesis import example, given
from hypothesis import strategies as st

from coordinator.api.path_segments import SEGMENT, PathSegments

# A dot or two alone are taken out of a path by clients before they send it; no id has a NUL.
IDS = (
    st.text(min_size=1, max_size=20)
    .filter(lambda one: one not in {".", ".."})
    .filter(lambda one: "\0" not in one)
    .filter(lambda one: one.encode("utf-8", "ignore").decode() == one)
)


def echoing() -> FastAPI:
    app = FastAPI()

    @app.get(f"/things/{{thing:{SEGMENT}}}")
    async def whole(thing: str) -> dict[str, str]:
        return {"whole": thing}

    @app.get(f"/things/{{thing:{SEGMENT}}}/part")
    async def part(thing: str) -> dict[str, str]:
        return {"part": thing}

    app.add_middleware(PathSegments)
    return app


APP = echoing()


async def get(path: str) -> httpx.Response:
    transport = httpx.ASGITransport(APP)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        return await client.get(path)


@given(IDS)
@example("a/b")
@example("a/part")
@example("100%")
@example("%2F")
@example("ünï 漢字 🙂")
@example("a+b?c#d;e=f")
async def test_an_encoded_id_arrives_as_it_was(thing: str) -> None:
    encoded = quote(thing, safe="")
    assert (await get(f"/things/{encoded}")).json() == {"whole": thing}
    assert (await get(f"/things/{encoded}/part")).json() == {"part": thing}


async def test_a_slash_that_is_not_encoded_separates() -> None:
    assert (await get("/things/a/b")).status_code == 404


async def test_encoded_letters_of_a_path_are_letters() -> None:
    assert (await get("/%74hings/a")).json() == {"whole": "a"}


@pytest.mark.parametrize("bytes_", ["%FF", "%C3%28", "a%"])
async def test_what_is_no_utf8_finds_something_else_but_fails_nothing(bytes_: str) -> None:
    answer = await get(f"/things/{bytes_}")
    assert answer.status_code == 200
