"""Validates a task's data for a handler that declares a pydantic model, and calls it with the model.

    async def resize(order: Order) ────────▶ called with the model
    async def resize(task, order: Order) ──▶ with the task as well, in either order

The data is read as JSON, so that a strict model takes what JSON has no other form for, such as dates.
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import SimpleNamespace, UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import AliasChoices, AliasPath, BaseModel, TypeAdapter, ValidationError
from pydantic_core import to_json

from .printable_text import class_name, printable_text, text_of

__all__ = ["ModelInput", "misfit"]

OF_COORDINATOR = ("task_id", "task_type")
"""Keys of `task_data` that a coordinator reads: a model that forbids what it does not declare need not
declare these."""

MAX_FIELDS = 20
"""Fields of which is told what is wrong with them."""

MAX_PLACE = 100

_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


@dataclass(frozen=True, slots=True)
class ModelInput:
    """Knows which parameter of a handler is the model, and how to make it of a task's data."""

    adapter: TypeAdapter[Any]
    left_out: frozenset[str]
    """Keys that the model forbids, and that are the coordinator's."""
    position: int
    """Of the model among the arguments."""
    alone: bool
    """Whether it is the only one; else the other one is the task."""

    @classmethod
    def of(cls, function: Callable[..., Any]) -> ModelInput | None:
        """None for a handler that takes the task alone. Raises `TypeError` where it cannot be told what a
        handler is to be given.
        """
        try:
            parameters = list(inspect.signature(function).parameters.values())
        except (TypeError, ValueError):
            return None  # it cannot be seen, as that of some functions in C
        _refuse_what_is_never_given(function, parameters)
        taken = [one for one in parameters if one.kind in _POSITIONAL]
        taken = [one for one in taken if one.default is one.empty] or taken[:1]
        hints = {one.name: _annotation(function, one, only=len(taken) == 1) for one in taken}
        models = [number for number, one in enumerate(taken) if _is_model(hints[one.name])]
        if len(taken) > 2 or len(taken) - len(models) > 1 or len(models) > 1:
            raise TypeError(
                f"the handler {text_of(function, 200)} takes {', '.join(one.name for one in taken)}: a"
                " handler takes the task, or a parameter that is annotated with a pydantic model for its"
                " data, or both"
            )
        if not models:
            return None
        annotation = hints[taken[models[0]].name]
        return cls(TypeAdapter(annotation), _forbidden(annotation), models[0], len(taken) == 1)

    def arguments(self, task: Any, data: dict[str, Any]) -> tuple[Any, ...]:
        """Of the handler. Raises `ValidationError`, and what validators of the model raise."""
        if self.left_out:
            data = {key: value for key, value in data.items() if key not in self.left_out}
        model = self.adapter.validate_json(to_json(data))
        if self.alone:
            return (model,)
        return (model, task) if self.position == 0 else (task, model)


def misfit(exc: ValidationError) -> str:
    """What is wrong with each field, without what was in it, which may be a secret."""
    errors = exc.errors(include_url=False, include_context=False)
    told = [f"{_place(error['loc'])}: {error['msg']}" for error in errors[:MAX_FIELDS]]
    if len(errors) > MAX_FIELDS:
        told.append(f"and {len(errors) - MAX_FIELDS} more")
    return f"task_data is no {exc.title}: {'; '.join(told)}"


def _place(loc: tuple[int | str, ...]) -> str:
    shown = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in loc)
    return printable_text(shown.removeprefix(".") or "task_data", MAX_PLACE)


def _refuse_what_is_never_given(
    function: Callable[..., Any], parameters: Sequence[inspect.Parameter]
) -> None:
    """Raises `TypeError` for a handler that each task would fail, or whose model would be None for each."""
    named = text_of(function, 200)
    if not any(one.kind in (*_POSITIONAL, inspect.Parameter.VAR_POSITIONAL) for one in parameters):
        raise TypeError(
            f"the handler {named} has no parameter for the task: declare it, as in f(task)"
        )
    for one in parameters:
        if one.kind is inspect.Parameter.KEYWORD_ONLY and one.default is one.empty:
            raise TypeError(
                f"the handler {named} takes {one.name} by keyword, and nothing is given by keyword: leave"
                " out the `*` before it"
            )
        if one.default is None and _may_be_model(function, one):
            raise TypeError(
                f"the handler {named} has a default for {one.name}, and what has one is not given: leave out"
                " the default and the None, since each task has data"
            )


def _may_be_model(function: Callable[..., Any], parameter: inspect.Parameter) -> bool:
    try:
        found = _annotation(function, parameter, only=False)
    except TypeError:  # it is the author's own, as others with a default
        return False
    return any(_models(found))


def _annotation(function: Any, parameter: inspect.Parameter, *, only: bool) -> Any:
    """That of the parameter. One that is text and cannot be found out is of a task where it says so."""
    annotation = parameter.annotation
    if not isinstance(annotation, str):
        return annotation
    called = inspect.unwrap(getattr(function, "func", function))
    called = called if inspect.isroutine(called) else getattr(called, "__call__", called)  # noqa: B004
    alone = SimpleNamespace(__annotations__={"found": annotation})  # others need not be known
    try:
        names = getattr(called, "__globals__", {})
        return typing.get_type_hints(alone, globalns=names, include_extras=True)["found"]
    except Exception as exc:
        if annotation.rpartition(".")[2] == "Task" or (only and parameter.name == "task"):
            return parameter.empty
        raise TypeError(
            f"the annotation {annotation!r} of {parameter.name} cannot be found out"
            f" ({class_name(exc)}: {text_of(exc, 200)}): define the model at the level of the module, and"
            " import it outside of `if TYPE_CHECKING:`"
        ) from exc


def _is_model(annotation: Any) -> bool:
    models = list(_models(annotation))
    return bool(models) and all(models)


def _models(annotation: Any) -> Iterator[type[BaseModel] | None]:
    """The models that it may be; None for what is none."""
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from _models(get_args(annotation)[0])
    elif origin in (Union, UnionType):
        for one in get_args(annotation):
            yield from _models(one)
    elif inspect.isclass(annotation) and issubclass(annotation, BaseModel):
        yield annotation
    else:
        yield None


def _keys(model: type[BaseModel]) -> Iterator[str | int]:
    """Those of an object that the model reads: of a field with an alias its name is none of them, unless it
    is populated by name as well.
    """
    config = model.model_config
    by_name = config.get("populate_by_name") or config.get("validate_by_name")
    by_alias = config.get("validate_by_alias", True)
    for name, field in model.model_fields.items():
        alias = field.validation_alias if by_alias else None
        if by_name or alias is None:
            yield name
        for one in alias.choices if isinstance(alias, AliasChoices) else [alias]:
            if one is not None:
                yield one.path[0] if isinstance(one, AliasPath) else one


def _forbidden(annotation: Any) -> frozenset[str]:
    models = [model for model in _models(annotation) if model is not None]
    if not any(model.model_config.get("extra") == "forbid" for model in models):
        return frozenset()
    return frozenset(OF_COORDINATOR) - {name for model in models for name in _keys(model)}
