"""Two workers: one of a kind in flight, paced, and the way out never behind a slow read."""

from collections.abc import Iterator
from threading import Event as Flag
from typing import Any

import pytest

from qgtm.core.effects import AskOrder, Cancel, FetchPositions, PollOrders, SampleAccount, Submit
from qgtm.core.errors import BrokerError
from qgtm.core.events import BrokerFound
from qgtm.live.hands import Hands
from qgtm.live.perform import is_urgent, key_of
from tests.engine.making import order
from tests.live.processes import eventually

FLATTEN = order(-10, purpose="flatten", is_reducing=True)


class Venue:
    """Hands over deeds that wait until they are let go, and a clock set by hand."""

    def __init__(self) -> None:
        self.now_s, self.woken = 100.0, 0
        self.go, self.ordinary, self.urgent = Flag(), list[Any](), list[Any]()
        self.hands = Hands(
            ordinary=self._slow, urgent=self._quick, monotonic=lambda: self.now_s, wake=self._wake
        )

    def _wake(self) -> None:
        self.woken += 1

    def _slow(self, wanted: Any) -> list[Any]:
        self.ordinary.append(wanted)
        self.go.wait(10)
        if isinstance(wanted, SampleAccount):
            raise BrokerError("no answer")
        if wanted == AskOrder("x"):
            raise ZeroDivisionError("a fault of ours")
        return [BrokerFound()]

    def _quick(self, wanted: Any) -> list[Any]:
        self.urgent.append(wanted)
        return []

    def answers(self, count: int) -> list[Any]:
        found: list[Any] = []
        eventually(lambda: found.extend(self.hands.answers()) or len(found) >= count, f"{count} answers", 5)
        return found


@pytest.fixture
def venue() -> Iterator[Venue]:
    found = Venue()
    yield found
    found.go.set()
    found.hands.close()


def test_one_of_a_kind_is_in_flight(venue: Venue) -> None:
    for _ in range(5):
        venue.hands.start(PollOrders())
        venue.now_s += 10
    assert venue.hands.is_flying(PollOrders)
    venue.go.set()
    (answer,) = venue.answers(1)
    assert (answer.effect, answer.events, answer.problem) == (PollOrders(), [BrokerFound()], None)
    assert venue.ordinary == [PollOrders()]
    assert not venue.hands.is_flying(PollOrders)
    assert venue.woken == 1


def test_same_wish_is_paced_and_another_order_is_not(venue: Venue) -> None:
    venue.go.set()
    venue.hands.start(PollOrders())
    venue.answers(1)
    venue.now_s += 1.9
    venue.hands.start(PollOrders())
    assert not venue.hands.is_flying(PollOrders)
    venue.now_s += 0.1
    venue.hands.start(PollOrders())
    venue.hands.start(Submit(order(1, number=1)))
    venue.hands.start(Submit(order(1, number=2)))
    assert len(venue.answers(3)) == 3
    assert len(venue.ordinary) == 4


@pytest.mark.fault("B3", "C3")
def test_hint_hurries_the_next_poll_but_not_a_storm_of_them(venue: Venue) -> None:
    venue.go.set()
    venue.hands.start(PollOrders())
    venue.answers(1)
    for _ in range(50):
        venue.hands.hurry("PollOrders")
        venue.hands.start(PollOrders())
        venue.now_s += 0.1
        while venue.hands.is_flying(PollOrders):
            venue.hands.answers()
    assert 4 <= len(venue.ordinary) <= 6  # five seconds, at most one a second


@pytest.mark.fault("A2")
@pytest.mark.mistake(9)
@pytest.mark.invariant("V7")
def test_way_out_is_not_behind_an_ordinary_call_that_hangs(venue: Venue) -> None:
    venue.hands.start(PollOrders())
    for effect in (Cancel(order(1), "x"), FetchPositions(), Submit(FLATTEN)):
        assert is_urgent(effect)
        venue.hands.start(effect)
    assert len(venue.answers(3)) == 3
    assert venue.hands.is_flying(PollOrders)
    assert not is_urgent(Submit(order(1)))


@pytest.mark.fault("A14")
def test_order_is_not_asked_about_while_it_is_being_sent(venue: Venue) -> None:
    what = order(1)
    venue.hands.start(Submit(what))
    venue.hands.start(AskOrder(what.client_order_id))
    venue.hands.start(AskOrder("another"))
    assert venue.hands.is_flying(AskOrder)
    assert key_of(AskOrder(what.client_order_id)) not in venue.hands._flying


def test_broker_that_does_not_answer_is_a_problem_to_be_told(venue: Venue) -> None:
    venue.go.set()
    venue.hands.start(SampleAccount())
    (answer,) = venue.answers(1)
    assert isinstance(answer.problem, BrokerError)
    assert answer.events == ()


def test_fault_of_ours_is_raised_and_not_swallowed(venue: Venue) -> None:
    venue.go.set()
    venue.hands.start(AskOrder("x"))
    with pytest.raises(ZeroDivisionError):
        venue.answers(1)
