"""Handlers that declare a pydantic model for the data of their tasks."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from datetime import date
from typing import TYPE_CHECKING, Annotated, Any, Literal

import pytest
from pydantic import (
    AliasChoices,
    AliasPath,
    BaseModel,
    ConfigDict,
    Field,
    RootModel,
    field_validator,
)

from consumers import Agent, Task
from consumers.testing import Failed, Ran, run_task

if TYPE_CHECKING:
    from nowhere import Unknown  # type: ignore[import-not-found]


class Item(BaseModel):
    name: str
    price: float


class Order(BaseModel):
    items: list[Item]
    currency: str = "EUR"
    due: date | None = None


class Strict(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")
    due: date
    tags: set[str]


class Typed(BaseModel):
    model_config = ConfigDict(extra="forbid")
    kind: Literal["typed"] = Field(alias="task_type")


class Renamed(BaseModel):
    """The coordinator's key is not the one that this field is read from."""

    model_config = ConfigDict(extra="forbid")
    task_type: str = Field(alias="kind")


class ByPath(BaseModel):
    model_config = ConfigDict(extra="forbid")
    kind: Annotated[str, Field(validation_alias=AliasPath("task_type"))] = ""


class ByChoice(BaseModel):
    model_config = ConfigDict(extra="forbid")
    kind: Annotated[str, Field(validation_alias=AliasChoices(AliasPath("task_type"), "kind"))] = ""


class ByName(BaseModel):
    model_config = ConfigDict(extra="forbid", populate_by_name=True)
    task_type: str = Field(alias="kind")


class Told(BaseModel):
    """Its alias is what it is told by, and no key that it reads."""

    model_config = ConfigDict(extra="forbid")
    kind: str = Field(serialization_alias="task_type")


class Line(BaseModel):
    unit_price: int = Field(validation_alias="price", serialization_alias="unitPrice")


class Invoice(BaseModel):
    order_id: str = Field(alias="orderId")
    lines: list[Line] = Field(alias="theLines")


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int


class Dog(BaseModel):
    kind: Literal["dog"]
    bones: int


class Everything(RootModel[dict[str, int | str]]):
    pass


class Picky(BaseModel):
    word: str

    @field_validator("word")
    @classmethod
    def judge(cls, word: str) -> str:
        if word == "known":
            return word
        if word == "unknown":
            raise ValueError("this word is unknown")
        raise LookupError("the dictionary is away")


class Total(BaseModel):
    total: float
    on: date | None = None
    parts: set[str]


GOOD = {"items": [{"name": "tea", "price": 2}, {"name": "jam", "price": 3}], "due": "2026-01-02"}


async def alone(order: Order) -> Total:
    return Total(total=sum(item.price for item in order.items), on=order.due, parts={"a"})


async def with_task(task: Task, order: Order) -> Total:
    assert task.data["items"]
    return await alone(order)


async def the_other_way(order: Order, task: Task) -> Total:
    assert task.data["items"]
    return await alone(order)


def plain(task: Task, order: Order, /, rounded: bool = False) -> dict[str, Any]:
    assert threading.current_thread() is not threading.main_thread()
    return {"total": sum(item.price for item in order.items), "on": order.due, "parts": ["a"]}


async def untold(task, order: Order):  # type: ignore[no-untyped-def]  # noqa: ANN001
    return await alone(order)


class Shop:
    async def sell(self, order: Order) -> Total:
        return await alone(order)

    async def __call__(self, task: Task, order: Order) -> Total:
        return await alone(order)


def logged(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    async def wrapper(*args: Any) -> Any:
        return await function(*args)

    return wrapper


async def scaled(factor: int, order: Order) -> Total:
    return await alone(order)


@pytest.mark.parametrize(
    "handler",
    [
        alone,
        with_task,
        the_other_way,
        plain,
        untold,
        Shop().sell,
        Shop(),
        logged(alone),
        functools.partial(scaled, 2),
    ],
)
async def test_a_model_is_made_of_the_data_and_told_as_json(handler: Any) -> None:
    ran = await run_task(handler, GOOD)
    assert ran.result == {"total": 5.0, "on": "2026-01-02", "parts": ["a"]}


@pytest.mark.parametrize("handler", [alone, with_task, plain])
async def test_data_that_does_not_fit_fails_for_good_with_a_sentence_for_each_field(
    handler: Any,
) -> None:
    ran = await run_task(handler, {"items": [{"name": "tea", "price": "secret"}, {"price": 1}]})
    assert isinstance(ran.outcome, Failed)
    assert not ran.outcome.retryable
    assert ran.error.type == "TaskDataMismatch"
    assert ran.error.message == (
        "task_data is no Order: items[0].price: Input should be a valid number, unable to parse string as a"
        " number; items[1].name: Field required"
    )
    assert ran.error.traceback is None


async def test_only_the_first_of_many_fields_are_told() -> None:
    ran = await run_task(alone, {"items": [{}] * 500})
    assert ran.error.message.endswith("items[9].price: Field required; and 980 more")


async def test_data_is_read_as_json_and_the_coordinators_own_keys_are_no_extra_ones() -> None:
    def handler(given: Strict) -> Any:
        return [given.due, sorted(given.tags)]

    data = {"task_id": "t", "task_type": "strict", "due": "2026-01-02", "tags": ["b", "a"]}
    assert (await run_task(handler, data)).result == ["2026-01-02", ["a", "b"]]
    ran = await run_task(handler, {**data, "more": 1})
    assert ran.error.message == "task_data is no Strict: more: Extra inputs are not permitted"


async def test_a_key_of_the_coordinators_that_a_model_declares_is_given() -> None:
    ran = await run_task(lambda given: given.kind, {"task_type": "typed"})
    assert ran.error.type == "AttributeError"  # without an annotation it is the task

    def handler(given: Typed) -> str:
        return given.kind

    assert (await run_task(handler, {"task_type": "typed"})).result == "typed"


@pytest.mark.parametrize(
    ("model", "data", "kind"),
    [
        (Renamed, {"task_type": "t", "kind": "k"}, "k"),
        (ByPath, {"task_type": "t"}, "t"),
        (ByChoice, {"task_type": "t"}, "t"),
        (ByName, {"task_type": "t"}, "t"),
        (Told, {"task_type": "t", "kind": "k"}, "k"),
    ],
)
async def test_the_keys_that_a_model_reads_are_those_of_its_aliases(
    model: type[BaseModel], data: dict[str, Any], kind: str
) -> None:
    def handler(given: BaseModel) -> Any:
        return list(given.__dict__.values())

    handler.__annotations__["given"] = model
    assert (await run_task(handler, data)).result == [kind]


async def test_aliases_are_read_and_told_at_every_level_and_in_all_that_a_handler_tells() -> None:
    async def handler(task: Task, invoice: Invoice) -> Any:
        await task.emit(invoice)
        await task.ask(invoice)
        await task.submit(invoice)
        await task.submit({"within": invoice})
        return invoice

    ran = await run_task(handler, {"orderId": "a", "theLines": [{"price": 3}]}, answers=["yes"])
    told = {"orderId": "a", "theLines": [{"unitPrice": 3}]}
    assert ran.result == told
    assert (ran.output, ran.questions) == ([told], [told])
    assert [one["task_data"] for one in ran.submitted] == [told, {"within": told}]


async def test_a_model_is_submitted_to_a_test_as_it_is_told() -> None:
    async def handler(task: Task) -> Any:
        return task.data

    invoice = Invoice(orderId="a", theLines=[])
    assert (await run_task(handler, invoice)).result == {"orderId": "a", "theLines": []}


async def test_a_model_that_is_told_as_no_object_is_no_data() -> None:
    async def handler(task: Task) -> None:
        await task.submit(RootModel[list[int]]([1]))

    ran = await run_task(handler)
    assert ran.error.type == "ValueError"
    assert "task_data is an object" in ran.error.message


async def test_one_of_several_models_is_chosen_and_a_root_model_is_one() -> None:
    def pet(animal: Annotated[Cat | Dog, Field(discriminator="kind")]) -> str:
        return type(animal).__name__

    def everything(given: Everything) -> Any:
        return given

    assert (await run_task(pet, {"kind": "dog", "bones": 1})).result == "Dog"
    ran = await run_task(pet, {"kind": "dog"})
    assert "dog.bones: Field required" in ran.error.message
    assert (await run_task(everything, {"a": 1})).result == {"a": 1}


async def test_what_a_validator_raises_beyond_values_is_an_error_like_any_other() -> None:
    def handler(given: Picky) -> str:
        return given.word

    async def told(word: str) -> Ran:
        return await run_task(handler, {"word": word})

    assert (await told("known")).result == "known"
    assert (await told("unknown")).error.message == (
        "task_data is no Picky: word: Value error, this word is unknown"
    )
    away = (await told("other")).outcome
    assert isinstance(away, Failed)
    assert (away.error.type, away.retryable) == ("LookupError", True)


async def test_a_model_of_the_handlers_own_that_fails_is_no_matter_of_the_data() -> None:
    async def handler(order: Order) -> None:
        Item.model_validate({})

    ran = await run_task(handler, GOOD)
    assert isinstance(ran.outcome, Failed)
    assert (ran.error.type, ran.outcome.retryable) == ("ValidationError", True)


async def test_an_interceptor_is_given_the_task_and_sees_the_mismatch() -> None:
    seen: list[str] = []

    class Watching:
        async def intercept(self, task: Task, call_next: Any) -> Any:
            try:
                return await call_next()
            except Exception as exc:
                seen.append(f"{type(task).__name__} {type(exc).__name__}")
                raise

    agent = Agent("a", interceptors=[Watching()])
    agent.task("sell")(alone)
    assert (await run_task(agent, {"task_type": "sell"})).error.type == "TaskDataMismatch"
    assert seen == ["Task TaskDataMismatch"]


def two(one: Order, other: Order) -> None: ...
def unknown(task: Task, body: dict[str, Any]) -> None: ...
def three(task: Task, order: Order, more: int) -> None: ...


@pytest.mark.parametrize("function", [two, unknown, three])
def test_a_handler_of_which_it_is_unknown_what_it_is_given_is_refused(function: Any) -> None:
    with pytest.raises(TypeError, match="annotated with a pydantic model for its data, or both"):
        Agent("a").default(function)


def of_nothing() -> None: ...
def of_words(**words: Any) -> None: ...
def by_keyword(task: Task, *, order: Order) -> None: ...
def perhaps(task: Task, order: Order | None = None) -> None: ...
def hardly(task: Task, order: Order = None) -> None: ...  # type: ignore[assignment]  # as people write it


@pytest.mark.parametrize(
    ("function", "told"),
    [
        (of_nothing, "has no parameter for the task"),
        (of_words, "has no parameter for the task"),
        (by_keyword, r"leave out the `\*` before it"),
        (perhaps, "leave out the default"),
        (hardly, "leave out the default"),
    ],
)
def test_a_handler_that_would_never_be_given_what_it_declares_is_refused(
    function: Any, told: str
) -> None:
    with pytest.raises(TypeError, match=told):
        Agent("a").default(function)


ORDER = Order(items=[])


def with_own(task: Task, more: int = 1, *words: str, order: Order = ORDER, **others: Any) -> int:
    return more


async def test_what_has_a_default_is_the_authors_own() -> None:
    assert (await run_task(with_own)).result == 1


def of_unknown(body: Unknown) -> None: ...
def of_task(task: Unknown) -> int:
    return 1


def told_unknown(task: Task, order: Order) -> Unknown:
    return order.currency


async def test_an_annotation_that_cannot_be_found_out_is_refused_unless_it_is_of_the_task() -> None:
    with pytest.raises(TypeError, match="'Unknown' of body cannot be found out"):
        Agent("a").default(of_unknown)
    assert (await run_task(of_task)).result == 1
    assert (await run_task(told_unknown, GOOD)).result == "EUR"
