"""Fields of forms, and what is said of those that cannot be taken."""

from __future__ import annotations

import pytest
from starlette.requests import Request
from starlette.types import Message

from coordinator.dashboard import form_fields
from coordinator.dashboard.form_fields import LARGEST_FORM, Form, FormRefused, read_form

FORM = "application/x-www-form-urlencoded"


def request(body: bytes, kind: str = FORM) -> Request:
    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    headers = [(b"content-type", kind.encode())]
    return Request({"type": "http", "method": "POST", "headers": headers}, receive)


async def test_fields_are_read_as_browsers_send_them() -> None:
    form = await read_form(request(b"a=+x%20y+&b=&id=1&id=2&rate=2.5&data=%7B%22n%22%3A1%7D"))
    assert (form.text("a"), form.text("b"), form.text("c")) == ("x y", None, None)
    assert form.all("id") == ["1", "2"]
    assert (form.number("rate"), form.number("c")) == (2.5, None)
    assert form.json_object("data") == {"n": 1}


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        (request(b"{}", "application/json"), 415),
        (request(b"a=" + b"x" * LARGEST_FORM), 413),
        (request(b"a=%FF"), 400),
        (request("a=é".encode()), 400),
        (request(b"a=1&" * (form_fields.MOST_FIELDS + 1)), 400),
    ],
    ids=["no form", "too large", "no text", "not encoded", "too many fields"],
)
async def test_what_is_no_form_is_refused(asked: Request, status: int) -> None:
    with pytest.raises(FormRefused) as refused:
        await read_form(asked)
    assert refused.value.status == status


def test_what_a_field_cannot_be_is_said() -> None:
    form = Form({"rate": ["soon"], "data": ["[1]"], "other": ["{"], "odd": ['{"a": NaN}']})
    with pytest.raises(FormRefused, match="Rate is no number: soon"):
        form.number("rate")
    for name in ("nan", "inf"):
        with pytest.raises(FormRefused, match=f"Rate is no number: {name}"):
            Form({"rate": [name]}).number("rate")
    with pytest.raises(FormRefused, match="Data has to be a JSON object"):
        form.json_object("data")
    with pytest.raises(FormRefused, match="Other is no JSON"):
        form.json("other")
    with pytest.raises(FormRefused, match="NaN is no number of JSON"):
        form.json("odd")
    with pytest.raises(FormRefused, match="Fill in task id"):
        form.needed("task_id")


@pytest.mark.parametrize(
    ("typed", "given"),
    [
        ('{"n": 1}', {"n": 1}),
        ("yes", "yes"),
        ("NaN", "NaN"),
        ("[" * 100_000, "[" * 100_000),
    ],
)
def test_an_answer_that_is_no_json_is_the_text_that_it_is(typed: str, given: object) -> None:
    assert Form({"answer": [typed]}).json_or_text("answer") == given
