"""Finds what a pydantic model holds in a field that says nothing of its type, such as one of `Any`.

A field of `set[str]` says that it becomes a list. In a field of `Any`, `dict[str, Any]`, or a model's extra
fields, a set would become a list, and bytes a text, without anybody having said so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, PlainSerializer, WrapSerializer
from pydantic.fields import FieldInfo

__all__ = ["undeclared_values"]

_OPEN = (Any, object, dict, list, tuple)
_LISTS = (list, tuple, Sequence)
_DICTS = (dict, Mapping)


def undeclared_values(value: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    """Each of them in ``value``, a model or what holds models, and where. What has a serializer of its own
    is passed over: that says what becomes of it.
    """
    if isinstance(value, BaseModel):
        told = _fields(type(value))
        held = {name: child for name, child in value.__dict__.items() if name in told}
        for name, child in held.items():
            yield from _told(child, f"{place}.{name}", open_type=told[name])
        for name, child in (value.__pydantic_extra__ or {}).items():
            yield from _told(child, f"{place}.{name}", open_type=True)
    elif isinstance(value, dict):
        for key, child in dict.items(value):
            yield from undeclared_values(child, f"{place}[{key!r}]")
    elif isinstance(value, list | tuple):
        for number, child in enumerate(value):
            yield from undeclared_values(child, f"{place}[{number}]")


def _told(child: Any, place: str, *, open_type: bool) -> Iterator[tuple[str, Any]]:
    if open_type and not isinstance(child, BaseModel):
        yield place, child
    else:
        yield from undeclared_values(child, place)


@lru_cache(maxsize=256)
def _fields(model: type[BaseModel]) -> dict[str, bool]:
    """The fields that are told as they are declared: whether the declaration leaves the type open."""
    decorators = model.__pydantic_decorators__
    if decorators.model_serializers:
        return {}
    own = {name for one in decorators.field_serializers.values() for name in one.info.fields}
    return {
        name: _open(field.annotation)
        for name, field in model.model_fields.items()
        if not field.exclude and not ({name, "*"} & own) and not _serialized(field)
    }


def _serialized(field: FieldInfo) -> bool:
    return any(isinstance(entry, PlainSerializer | WrapSerializer) for entry in field.metadata)


def _open(annotation: Any) -> bool:
    if annotation in _OPEN:
        return True
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        serialized = any(isinstance(entry, PlainSerializer | WrapSerializer) for entry in inner)
        return not serialized and _open(inner[0])
    if origin in (Union, UnionType):
        return all(_open(one) for one in inner if one is not NoneType)
    if origin in _LISTS:
        return all(_open(one) for one in inner if one is not ...)
    return origin in _DICTS and inner[0] is str and _open(inner[1])
