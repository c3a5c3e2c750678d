"""A renewed record equals the one that `dataclasses.replace` makes, and refuses what it refuses."""

from dataclasses import dataclass, fields, replace
from decimal import Decimal

import pytest

from qgtm.core.record import renewed
from qgtm.engine.state import State
from qgtm.risk.drawdown import Drawdown


@dataclass(frozen=True)
class Pair:
    """Two fields, one with a default."""

    left: int
    right: str = "r"


def test_renewed_record_equals_the_replaced_one_and_leaves_the_first_alone() -> None:
    before = Pair(1)
    after = renewed(before, left=2)
    assert after == replace(before, left=2) == Pair(2, "r")
    assert type(after) is Pair
    assert before == Pair(1)


def test_unknown_field_is_refused_by_name() -> None:
    with pytest.raises(TypeError, match="a Pair has no field middle"):
        renewed(Pair(1), middle=3)


def test_renewed_state_equals_the_replaced_one_in_every_field() -> None:
    news = {"epoch": 3, "cash_usd": Decimal(7), "is_open": True}
    after, expected = renewed(State(), **news), replace(State(), **news)
    assert after == expected
    assert [getattr(after, f.name) for f in fields(State)] == [
        getattr(expected, f.name) for f in fields(State)
    ]


@pytest.mark.parametrize("kind", [State, Drawdown])
def test_records_that_are_renewed_have_nothing_that_a_copy_would_miss(kind: type) -> None:
    assert not hasattr(kind, "__slots__")
    assert not hasattr(kind, "__post_init__")
    assert not [name for name, value in vars(kind).items() if type(value).__name__ == "cached_property"]
