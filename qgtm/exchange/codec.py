"""Dataclasses to JSON and back, exactly: Decimals and times as text, nothing as a float that was none."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

T = TypeVar("T")


def to_json(value: Any) -> Any:
    """Return a JSON-able form of a dataclass, a container or a plain value."""
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: to_json(getattr(value, f.name)) for f in fields(value) if f.init}
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {str(key): to_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_json(item) for item in value]
    return value


def from_json(kind: type[T], body: Mapping[str, Any]) -> T:
    """Return the dataclass that `to_json` wrote. Raises `KeyError` for a field without a value."""
    hints = _hints(kind)  # type: ignore[arg-type]
    return kind(**{name: _read(hints[name], body[name]) for name in hints if name in body})


@cache
def _hints(kind: type[Any]) -> dict[str, Any]:
    named = {f.name for f in fields(kind) if f.init}
    return {name: hint for name, hint in get_type_hints(kind).items() if name in named}


def _read(hint: Any, value: Any) -> Any:
    if value is None:
        return None
    origin = get_origin(hint)
    if origin in (Union, UnionType):
        return _read(next(kind for kind in get_args(hint) if kind is not type(None)), value)
    if origin is not None and isinstance(origin, type) and issubclass(origin, Mapping):
        return {key: _read(get_args(hint)[1], item) for key, item in value.items()}
    if hint is Decimal:
        return Decimal(value)
    if hint is datetime or hint is date:
        return hint.fromisoformat(value)
    return from_json(hint, value) if is_dataclass(hint) and isinstance(hint, type) else value
