"""Dataclasses to canonical JSON and back, exactly: Decimal and moments as text, floats by repr.

Canonical means: sorted keys, no spaces, no NaN, ASCII only (so that any text survives, even one
that is no valid Unicode). The same value always gives the same bytes, so that hashes can be compared.
"""

import dataclasses
import json
import types
import typing
from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from functools import cache
from json.encoder import encode_basestring_ascii as quoted
from math import isfinite
from typing import Any

from qgtm.core.errors import EventError
from qgtm.core.instant import instant_from_text, text_from_instant

Decoder = Callable[[Any], Any]
Writer = Callable[[Any], str]


def _plain(value: Any) -> object:
    """Turn what json does not know into what it knows (json calls this for such values only)."""
    return _plainer(value.__class__)(value)


@cache
def _plainer(kind: type) -> Callable[[Any], object]:
    for known, plain in _PLAIN:
        if issubclass(kind, known):
            return plain
    if dataclasses.is_dataclass(kind):
        return fields_of
    raise EventError(f"a {kind.__name__} cannot be written to the journal")


@cache
def _names(kind: type) -> tuple[str, ...]:
    return tuple(field.name for field in dataclasses.fields(kind))


def fields_of(value: Any) -> dict[str, object]:
    """Return a dataclass's fields by name, not copied."""
    return {name: getattr(value, name) for name in _names(value.__class__)}


_PLAIN: tuple[tuple[type, Callable[[Any], object]], ...] = (
    (Decimal, str),
    (datetime, text_from_instant),
    (date, date.isoformat),
    (Mapping, dict),
    (Enum, lambda value: value.value),
    (set, sorted),
    (frozenset, sorted),
)

_encoder = json.JSONEncoder(
    ensure_ascii=True, allow_nan=False, sort_keys=True, separators=(",", ":"), default=_plain
)


# What a dataclass says of its fields' types is worked out once, and most fields are then text in one step.
# A value of another type than the field says goes through `_encoder`, which knows them all.


@cache
def _writer(kind: Any) -> Writer:
    """Return the function that writes a field of this type as `_encoder` would, only sooner."""
    if kind in _WRITERS:
        return _WRITERS[kind]
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType) and len(arguments) == 2 and type(None) in arguments:
        return _or_null(_writer(next(each for each in arguments if each is not type(None))))
    if origin is tuple and arguments[1:] == (Ellipsis,):
        return _row(_writer(arguments[0]))
    if origin is not None and issubclass(origin, Mapping) and not _is_plain(arguments[1]):
        return _table(_writer(arguments[1]))
    if isinstance(kind, type) and issubclass(kind, Enum):
        return {member: _encoder.encode(member) for member in kind}.__getitem__
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        return _record(kind)
    return _encoder.encode


def _is_plain(kind: Any) -> bool:
    """Return whether json writes such values by itself, all in C."""
    if kind in (float, str, int, bool, type(None), object, Any):
        return True
    origin, inner = typing.get_origin(kind), [each for each in typing.get_args(kind) if each is not Ellipsis]
    return origin is not None and all(map(_is_plain, inner))


def _record(kind: type) -> Writer:
    hints = typing.get_type_hints(kind)
    fields = [(name, f"{quoted(name)}:", _writer(hints[name])) for name in sorted(_names(kind))]

    def write(value: Any) -> str:
        if value.__class__ is not kind:
            return _encoder.encode(value)
        return "{" + ",".join([start + write(getattr(value, name)) for name, start, write in fields]) + "}"

    return write


def _table(inner: Writer) -> Writer:
    def write(value: Any) -> str:
        if value.__class__ is not dict or not all(key.__class__ is str for key in value):
            return _encoder.encode(value)
        return "{" + ",".join([quoted(key) + ":" + inner(value[key]) for key in sorted(value)]) + "}"

    return write


def _row(inner: Writer) -> Writer:
    return lambda value: "[" + ",".join([inner(each) for each in value]) + "]"


def _or_null(inner: Writer) -> Writer:
    return lambda value: "null" if value is None else inner(value)


def _decimal(value: Any) -> str:
    return '"' + str(value) + '"' if value.__class__ is Decimal else _encoder.encode(value)


def _float(value: Any) -> str:
    return repr(value) if value.__class__ is float and isfinite(value) else _encoder.encode(value)


def _text(value: Any) -> str:
    return quoted(value) if value.__class__ is str else _encoder.encode(value)


def _moment(value: Any) -> str:
    return f'"{text_from_instant(value)}"' if value.__class__ is datetime else _encoder.encode(value)


_WRITERS: dict[Any, Writer] = {Decimal: _decimal, float: _float, str: _text, datetime: _moment}


def canonical(value: object) -> str:
    """Return `value` as canonical JSON; raise EventError for what JSON cannot hold (NaN, a set of sets)."""
    kind: Any = value.__class__
    try:
        return _writer(kind)(value)
    except (ValueError, TypeError, RecursionError) as problem:
        raise EventError(f"{type(value).__name__} cannot be written to the journal: {problem}") from problem


def _mapping(inner: Decoder) -> Decoder:
    return lambda body: {key: inner(item) for key, item in body.items()}


def _tuple(arguments: tuple[Any, ...]) -> Decoder:
    if len(arguments) == 2 and arguments[1] is Ellipsis:
        inner = decoder(arguments[0])
        return lambda body: tuple(inner(item) for item in body)
    inners = [decoder(argument) for argument in arguments]
    return lambda body: tuple(each(item) for each, item in zip(inners, body, strict=True))


def _optional(arguments: tuple[Any, ...]) -> Decoder:
    inner = decoder(next(argument for argument in arguments if argument is not type(None)))
    return lambda body: None if body is None else inner(body)


def _dataclass(kind: type) -> Decoder:
    hints = typing.get_type_hints(kind)
    inners = {name: decoder(hints[name]) for name in _names(kind)}
    return lambda body: kind(**{name: inners[name](item) for name, item in body.items()})


@cache
def decoder(kind: Any) -> Decoder:
    """Return the function that turns parsed JSON back into `kind` (any type the events use)."""
    simple: dict[Any, Decoder] = {
        Decimal: Decimal,
        datetime: instant_from_text,
        date: date.fromisoformat,
        float: lambda body: None if body is None else float(body),
    }
    if kind in simple:
        return simple[kind]
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        return _optional(arguments)
    if origin is tuple:
        return _tuple(arguments)
    if origin is not None and issubclass(origin, Mapping):
        return _mapping(decoder(arguments[1]))
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        return _dataclass(kind)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return kind
    return lambda body: body


def decode(kind: Any, body: object) -> Any:
    """Return `body` (parsed JSON) as a `kind`; raise EventError when it does not fit."""
    try:
        return decoder(kind)(body)
    except (KeyError, TypeError, ValueError, ArithmeticError, AttributeError) as problem:
        name = getattr(kind, "__name__", kind)
        raise EventError(f"this is no {name}: {problem!r} in {body!r:.200}") from problem
