"""The small words: ids, universe, modes, errors, registries."""

import dataclasses
from datetime import date

import pytest

from qgtm.core import errors
from qgtm.core.commands import command_registry
from qgtm.core.events import TimePassed, type_registry
from qgtm.core.ids import client_order_id, epoch_of
from qgtm.core.universe import LEVERAGE, PRIMARY, REFERENCE, SECTOR, SECTORS, SYMBOLS, TRADED, primary


def test_id_says_what_the_order_is_for_and_gives_its_epoch_back() -> None:
    order_id = client_order_id(12, "open", date(2024, 3, 1), "GLD", 3)
    assert order_id == "qgtm-12-open-20240301-GLD-3"
    assert epoch_of(order_id) == 12


@pytest.mark.parametrize(
    "order_id",
    [
        "",
        "904837e3-3b76-47ec-b432-046db621571b",
        "qgtm-x-open-20240301-GLD-3",
        "qgtm-1-open-20240301-GLD-3-2",
    ],
)
def test_id_that_is_not_ours_has_no_epoch(order_id: str) -> None:
    assert epoch_of(order_id) is None


@pytest.mark.parametrize(
    "kind", [*type_registry.values(), *command_registry.values()], ids=lambda kind: kind.__name__
)
def test_event_and_command_is_frozen_and_named_by_keyword_only(kind: type) -> None:
    assert kind.__dataclass_params__.frozen
    assert all(each.kw_only for each in dataclasses.fields(kind))


def test_registered_name_is_the_class_name() -> None:
    assert all(kind.__name__ == name for name, kind in {**type_registry, **command_registry}.items())


def test_only_the_turn_of_the_loop_is_never_journaled() -> None:
    assert [kind for kind in type_registry.values() if not kind.is_journaled] == [TimePassed]


def test_every_command_says_who_gave_it() -> None:
    assert all("by" in {each.name for each in dataclasses.fields(kind)} for kind in command_registry.values())


def test_universe_is_twenty_traded_and_ten_read_symbols() -> None:
    assert (len(TRADED), len(REFERENCE), len(set(SYMBOLS))) == (20, 10, 30)
    assert all(SECTOR[symbol] in SECTORS for symbol in TRADED)
    assert set(LEVERAGE) == set(SECTORS["leveraged"])


def test_wrappers_net_to_one_symbol_and_the_rest_to_themselves() -> None:
    assert {symbol: primary(symbol) for symbol in ("IAU", "SGOL", "GLDM", "SIVR", "GLD", "GDX")} == {
        "IAU": "GLD", "SGOL": "GLD", "GLDM": "GLD", "SIVR": "SLV", "GLD": "GLD", "GDX": "GDX",
    }  # fmt: skip
    assert set(PRIMARY) <= set(TRADED)


def test_error_tree_as_drawn_is_the_tree_as_built() -> None:
    drawn = {line.strip("│├└─ ").split()[0] for line in (errors.__doc__ or "").splitlines() if "──" in line}
    built = {name for name in vars(errors) if isinstance(getattr(errors, name), type)}
    assert drawn | {"QgtmError"} == built
    assert all(issubclass(getattr(errors, name), errors.QgtmError) for name in built)
