"""Every event and command survives the journal; what cannot be written is refused."""

import json
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qgtm.core.codec import canonical, decode, fields_of
from qgtm.core.commands import command_registry
from qgtm.core.errors import EventError
from qgtm.core.events import AlertRaised, BarsClosed, CashMoved, SignalsComputed, type_registry

AT = datetime(2024, 3, 1, 21, 0, tzinfo=UTC)
SCALARS: dict[Any, st.SearchStrategy[Any]] = {
    str: st.text(max_size=8),
    int: st.integers(),
    bool: st.booleans(),
    float: st.floats(allow_nan=False, allow_infinity=False),
    Decimal: st.decimals(allow_nan=False, allow_infinity=False),
    date: st.dates(),
    datetime: st.datetimes(timezones=st.just(UTC)),
    object: st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
        max_leaves=5,
    ),
}


def values_of(hint: Any) -> st.SearchStrategy[Any]:
    """Draw values of a type as the events use them."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint in SCALARS:
        return SCALARS[hint]
    if origin in (typing.Union, types.UnionType):
        return st.one_of(*(st.none() if each is type(None) else values_of(each) for each in arguments))
    if origin is tuple:
        if arguments[1:] == (...,):
            return st.lists(values_of(arguments[0]), max_size=3).map(tuple)
        return st.tuples(*map(values_of, arguments))
    if origin is not None and issubclass(origin, Mapping):
        return st.dictionaries(SCALARS[str], values_of(arguments[1]), max_size=3)
    if is_dataclass(hint):
        hints = typing.get_type_hints(hint)
        return st.builds(hint, **{each.name: values_of(hints[each.name]) for each in fields(hint)})
    if issubclass(hint, Enum):
        return st.sampled_from(hint)
    raise TypeError(f"no strategy for {hint}")


@pytest.mark.parametrize("kind", sorted(type_registry))
@settings(max_examples=25)
@given(data=st.data())
def test_event_read_back_from_its_text_is_the_same(kind: str, data: st.DataObject) -> None:
    event = data.draw(values_of(type_registry[kind]))
    text = canonical(event)
    again = decode(type_registry[kind], json.loads(text))
    assert again == event
    assert canonical(again) == text


def plain(value: Any) -> Any:
    """Return what json writes by itself, by the rules of the codec's first lines."""
    if is_dataclass(value) and not isinstance(value, type):
        return {each.name: plain(getattr(value, each.name)) for each in fields(value)}
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ").rjust(27, "0")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Enum):
        return value.value
    return str(value) if isinstance(value, Decimal) else value


@pytest.mark.parametrize("kind", sorted(type_registry))
@settings(max_examples=25)
@given(data=st.data())
def test_text_of_an_event_is_what_json_makes_of_its_plain_values(kind: str, data: st.DataObject) -> None:
    event = data.draw(values_of(type_registry[kind]))
    assert canonical(event) == json.dumps(plain(event), sort_keys=True, separators=(",", ":"))


@pytest.mark.parametrize(
    "odd",
    [
        CashMoved(activity_id="a1", kind="CSD", amount_usd=3),  # type: ignore[arg-type]
        CashMoved(activity_id=None, kind="CSD", amount_usd=1.5),  # type: ignore[arg-type]
        BarsClosed(session=AT, known_at=AT, bars=types.MappingProxyType({"A": (1, 2, 3, 4, 5)})),
        AlertRaised(level=Decimal("1.50"), cause={"a": {2, 1}}, text=AT),  # type: ignore[arg-type]
    ],
)
def test_value_of_another_type_than_its_field_says_is_written_as_what_it_is(odd: Any) -> None:
    parts = [f'"{name}":{canonical(value)}' for name, value in sorted(fields_of(odd).items())]
    assert canonical(odd) == "{" + ",".join(parts) + "}"


@pytest.mark.parametrize("kind", sorted(command_registry))
@settings(max_examples=25)
@given(data=st.data())
def test_command_read_back_from_its_text_is_the_same(kind: str, data: st.DataObject) -> None:
    command = data.draw(values_of(command_registry[kind]))
    assert decode(command_registry[kind], json.loads(canonical(command))) == command


def test_text_of_an_event_is_what_a_hand_would_write() -> None:
    moved = CashMoved(activity_id="a1", kind="CSD", amount_usd=Decimal("-10.10"))
    assert canonical(moved) == '{"activity_id":"a1","amount_usd":"-10.10","kind":"CSD"}'


def test_text_does_not_depend_on_the_order_of_a_mapping() -> None:
    one = BarsClosed(session=date(2024, 3, 1), known_at=AT, bars={}, refused={"A": "x", "B": "y"})
    two = BarsClosed(session=date(2024, 3, 1), known_at=AT, bars={}, refused={"B": "y", "A": "x"})
    assert canonical(one) == canonical(two)


def test_text_is_ascii_whatever_the_event_says() -> None:
    assert canonical({"é": "π\ud800"}).isascii()


def test_moments_are_written_in_utc_whatever_their_zone() -> None:
    there = AT.astimezone(timezone(timedelta(hours=-5)))
    assert canonical(there) == canonical(AT) == '"2024-03-01T21:00:00.000000Z"'


def test_set_is_written_sorted() -> None:
    assert canonical(frozenset({"b", "a", "c"})) == '["a","b","c"]'


@pytest.mark.parametrize(
    "value",
    [
        float("nan"),
        {"x": float("inf")},
        {1, "a"},
        {AT: 1},
        {("a",): 1},
        object(),
        b"bytes",
        datetime(2024, 3, 1),  # noqa: DTZ001
    ],
    ids=lambda value: type(value).__name__,
)
def test_value_that_the_journal_cannot_hold_is_refused(value: object) -> None:
    with pytest.raises(EventError, match="cannot be written to the journal"):
        canonical(value)


def test_mapping_that_holds_itself_is_refused() -> None:
    loop: dict[str, object] = {}
    loop["again"] = loop
    with pytest.raises(EventError, match="cannot be written"):
        canonical(loop)


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (AlertRaised, {"level": "info", "cause": "x"}),  # a field is missing
        (AlertRaised, {"level": "info", "cause": "x", "text": "y", "more": 1}),
        (AlertRaised, []),
        (AlertRaised, None),
        (CashMoved, {"activity_id": "a", "kind": "k", "amount_usd": "ten"}),
        (BarsClosed, {"session": "2024-02-30", "known_at": "2024-03-01T21:00:00.000000Z", "bars": {}}),
        (BarsClosed, {"session": "2024-02-01", "known_at": "2024-03-01 21:00", "bars": {}}),
        (
            BarsClosed,
            {"session": "2024-02-01", "known_at": "2024-03-01T21:00:00.000000Z", "bars": {"A": [1, 2]}},
        ),
        (type_registry["ModeChanged"], {"trigger": "weather"}),
    ],
)
def test_body_that_does_not_fit_its_kind_is_refused(kind: type, body: object) -> None:
    with pytest.raises(EventError, match=f"this is no {kind.__name__}"):
        decode(kind, body)


def test_signal_without_a_view_stays_none() -> None:
    event = SignalsComputed(
        session=date(2024, 3, 1), signals={"tsmom": {"GLD": None, "SLV": -0.5}}, carried={}
    )
    again = decode(SignalsComputed, json.loads(canonical(event)))
    assert again.signals == {"tsmom": {"GLD": None, "SLV": -0.5}}


def test_fields_of_a_dataclass_are_not_copied() -> None:
    @dataclass
    class Box:
        inside: list[int]

    inside = [1]
    assert fields_of(Box(inside))["inside"] is inside
