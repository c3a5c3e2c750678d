"""The exchange against a second, tiny matching that walks each order by itself."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from qgtm.exchange import look, matching, rules
from qgtm.simulation.checker import second
from qgtm.simulation.matching import differences

DAYS = 25


def test_random_days_come_to_the_same_by_both() -> None:
    assert {seed: found for seed in range(DAYS) if (found := differences(seed))} == {}


def touched_is_through(patch: pytest.MonkeyPatch) -> None:
    def through(order: Any, bar: Any) -> bool:
        return bool(bar.low <= order.limit_price if order.side == "buy" else bar.high >= order.limit_price)

    patch.setattr(matching, "trades_through", through)


def limits_fill_at_the_middle(patch: pytest.MonkeyPatch) -> None:
    whole = look.offer_at_quote

    def offer(order: Any, quote: Any) -> Any:
        found = whole(order, quote)
        return found and matching.Offer((quote.bid + quote.ask) / 2, found.size)

    patch.setattr(look, "offer_at_quote", offer)


def both_sides_may_rest(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(rules, "_wash", lambda *_: None)


def more_than_is_held_may_be_sold(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(rules, "_holding", lambda *_: None)


def second_takes_all_of_a_touch(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(second, "_takes", lambda life, at, price, size: life.fills.append((at, life.left, price)))


def second_waits_longer_for_a_refill(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(second, "REFILLS", timedelta(seconds=3))


def second_gives_a_sliver_of_a_minutes_volume(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(second, "TENTH", Decimal("0.0001"))


@pytest.mark.parametrize(
    "plant",
    [
        touched_is_through,
        limits_fill_at_the_middle,
        both_sides_may_rest,
        more_than_is_held_may_be_sold,
        second_takes_all_of_a_touch,
        second_waits_longer_for_a_refill,
        second_gives_a_sliver_of_a_minutes_volume,
    ],
)
def test_either_of_them_being_wrong_is_seen(
    plant: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(monkeypatch)
    assert any(differences(seed) for seed in range(DAYS))
