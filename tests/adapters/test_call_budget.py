from email.utils import formatdate

import pytest

from qgtm.adapters.call_budget import CallBudget


class Hand:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def test_the_call_after_a_full_minute_of_ordinary_calls_waits_for_the_first_to_age() -> None:
    hand = Hand()
    budget = CallBudget(hand)
    for _ in range(120):
        assert budget.take() == 0.0
        hand.now_s += 0.25
    assert budget.take() == pytest.approx(30.0)  # the first was taken 120 x 0.25 s ago
    hand.now_s += 30.0
    assert budget.take() == 0.0


@pytest.mark.fault("A6", "D8")
@pytest.mark.invariant("V22")
def test_ordinary_calls_never_use_what_is_kept_for_a_cancel() -> None:
    budget = CallBudget(Hand())
    for _ in range(500):
        budget.take()
    assert [budget.take(is_urgent=True) for _ in range(40)] == [0.0] * 40
    assert budget.take(is_urgent=True) == 60.0


def test_urgent_calls_go_on_in_the_ordinary_share_when_theirs_is_used_up() -> None:
    budget = CallBudget(Hand())
    granted = sum(budget.take(is_urgent=True) == 0.0 for _ in range(300))
    assert granted == 40 + 120


@pytest.mark.invariant("V22")
def test_any_minute_holds_at_most_160_calls_whatever_their_order() -> None:
    hand = Hand()
    budget = CallBudget(hand)
    taken_at = []
    for turn in range(4000):
        if budget.take(is_urgent=turn % 3 == 0) == 0.0:
            taken_at.append(hand.now_s)
        hand.now_s += 0.125
    busiest = max(sum(start <= at < start + 60.0 for at in taken_at) for start in taken_at)
    assert busiest == 160


@pytest.mark.fault("A6")
@pytest.mark.invariant("V22")
def test_a_429_stops_ordinary_calls_until_the_reset_and_no_urgent_one() -> None:
    hand = Hand()
    budget = CallBudget(hand)
    epoch = 1_700_000_000
    budget.heard(429, {"X-Ratelimit-Reset": str(epoch + 17), "Date": formatdate(epoch, usegmt=True)})
    assert budget.take() == 17.0
    assert budget.take(is_urgent=True) == 0.0
    hand.now_s += 17.0
    assert budget.take() == 0.0


@pytest.mark.parametrize(
    "headers", [{}, {"X-Ratelimit-Reset": "soon"}, {"Date": "x", "X-Ratelimit-Reset": "9"}]
)
def test_a_429_that_does_not_say_when_stops_ordinary_calls_for_a_minute(headers: dict[str, str]) -> None:
    budget = CallBudget(Hand())
    budget.heard(429, headers)
    assert budget.wait_s() == 60.0


@pytest.mark.fault("A6")
def test_a_reset_in_the_past_or_far_away_is_taken_as_a_second_or_a_minute() -> None:
    date = formatdate(1_700_000_000, usegmt=True)
    for reset, wait_s in ((1, 1.0), (9_999_999_999, 60.0)):
        budget = CallBudget(Hand())
        budget.heard(429, {"X-Ratelimit-Reset": str(reset), "Date": date})
        assert budget.wait_s() == wait_s


def test_ordinary_calls_pause_when_the_account_has_fewer_than_sixty_calls_left() -> None:
    budget = CallBudget(Hand())
    budget.heard(200, {"X-Ratelimit-Remaining": "60"})
    assert budget.take() == 0.0
    budget.heard(200, {"X-Ratelimit-Remaining": "59"})
    assert budget.take() == 60.0
    assert budget.take(is_urgent=True) == 0.0
