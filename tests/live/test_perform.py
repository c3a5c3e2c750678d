"""What each effect does at the broker and the feed, and the facts that come of it."""

from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from qgtm.adapters.clock import ManualClock
from qgtm.adapters.files import StateDir
from qgtm.config import load_config
from qgtm.core.bar import Bar, BarSet
from qgtm.core.effects import (
    AskOrder,
    Cancel,
    FetchBars,
    FetchEquityHistory,
    FetchQuotes,
    PollOrders,
    SampleAccount,
    Submit,
    ValueBook,
)
from qgtm.core.errors import BarError, FeedError
from qgtm.core.events import (
    AccountSampled,
    AlertRaised,
    BarsClosed,
    BookUnjudged,
    BookValued,
    CancelRequested,
    EquityHistorySeen,
    FeedFailed,
    FeedRecovered,
    MarketHoursSeen,
    OrderAccepted,
    OrderNotFound,
    OrderRejected,
    OrderUnknown,
    OrderUpdated,
    QuotesSeen,
)
from qgtm.core.mode import Mode
from qgtm.core.order import Order, OrderState
from qgtm.core.outcome import Accepted, Rejected, Unknown
from qgtm.core.record import renewed
from qgtm.live.perform import World, key_of, perform, seconds_ahead
from qgtm.live.rig import Rig
from qgtm.ports import Account, BrokerOrder, MarketClock
from qgtm.risk.kill_switch import KillSwitch
from tests.engine.making import CLOSES, NOON, SESSION, begun, dec, kinds, order, quote

REPO = Path(__file__).resolve().parents[2]
WHAT = order(100)
YESTERDAY = date(2026, 1, 5)


def world(broker: Any = None, feed: Any = None, *, is_leader: bool = True) -> World:
    return World(broker, feed, ManualClock(NOON), lambda: is_leader)


@pytest.mark.parametrize(
    ("outcome", "fact"),
    [
        (Accepted("b"), OrderAccepted(client_order_id=WHAT.client_order_id, broker_order_id="b")),
        (Rejected(403, "no"), OrderRejected(client_order_id=WHAT.client_order_id, code=403, reason="no")),
        (Unknown("no reply"), OrderUnknown(client_order_id=WHAT.client_order_id, reason="no reply")),
    ],
)
def test_submit_has_three_outcomes(outcome: Any, fact: Any) -> None:
    assert perform(Submit(WHAT), world(SimpleNamespace(submit=lambda _: outcome))) == [fact]


def test_submit_that_a_call_limit_held_back_came_to_nothing() -> None:
    held = SimpleNamespace(submit=lambda _: Unknown("limit", is_held_back=True))
    assert perform(Submit(WHAT), world(held)) == ()


@pytest.mark.fault("D19")
@pytest.mark.invariant("V16")
def test_daemon_that_lost_its_lease_sends_nothing() -> None:
    sent: list[Any] = []
    assert perform(Submit(WHAT), world(SimpleNamespace(submit=sent.append), is_leader=False)) == ()
    assert sent == []


@pytest.mark.fault("A2", "D7")
@pytest.mark.invariant("V5", "V6")
@pytest.mark.parametrize(
    ("what", "mode", "is_sent"),
    [
        (order(100), Mode.ACTIVE, True),
        (order(100), Mode.REDUCING, False),
        (order(-50, is_reducing=True), Mode.REDUCING, True),
        (order(-50, is_reducing=True), Mode.HALTED_HARD, False),
        (order(-50, is_reducing=True), Mode.HALTED_DEAD_MAN, False),
        (order(-50, purpose="flatten", is_reducing=True), Mode.HALTED_HARD, True),
    ],
)
def test_order_that_waited_while_the_switch_moved_is_judged_again_right_before_it_is_sent(
    tmp_path: Path, what: Order, mode: Mode, is_sent: bool
) -> None:
    rig = Rig(load_config(REPO / "qgtm_config.toml", {}), StateDir(tmp_path), {})
    rig.clock = ManualClock(NOON)
    rig.lease = SimpleNamespace(is_mine=lambda: True)  # type: ignore[assignment]
    sent: list[Any] = []
    broker = SimpleNamespace(submit=lambda each: sent.append(each) or Rejected(403, "no"))
    hands = rig._world(broker, None)  # type: ignore[arg-type]
    rig.kernel = SimpleNamespace(state=renewed(begun(), switch=KillSwitch(mode=mode)))  # type: ignore[assignment]
    perform(Submit(what), hands)
    assert sent == [what] * is_sent


@pytest.mark.parametrize(("is_asked", "count"), [(True, 1), (False, 0)])
def test_cancel_is_written_down_when_the_broker_took_the_wish(is_asked: bool, count: int) -> None:
    broker = SimpleNamespace(cancel=lambda broker_id: is_asked)
    facts = perform(Cancel(replace(WHAT, broker_order_id="b"), "late"), world(broker))
    assert kinds(facts) == [CancelRequested.__name__] * count
    assert perform(Cancel(WHAT, "late"), world(broker)) == ()  # the broker has no name for it yet


def test_order_that_the_broker_does_not_have_is_a_fact() -> None:
    broker = SimpleNamespace(order=lambda client_id: None)
    assert perform(AskOrder("x"), world(broker)) == [OrderNotFound(client_order_id="x")]


def test_poll_reaches_back_two_days() -> None:
    asked: list[datetime] = []
    broker = SimpleNamespace(orders=lambda after: asked.append(after) or ())
    assert perform(PollOrders(), world(broker)) == []
    assert asked == [NOON - timedelta(days=2)]


@pytest.mark.fault("A13")
def test_status_that_nobody_knows_counts_as_working_and_is_told() -> None:
    novel = BrokerOrder(
        broker_order_id="b",
        client_order_id="x",
        symbol="GLD",
        quantity=dec(5),
        status="novel",
        state=OrderState.WORKING,
        filled_quantity=dec(0),
        filled_price=dec(0),
        updated_at=NOON,
    )
    known = replace(novel, client_order_id="y", status="partially_filled")
    broker = SimpleNamespace(orders=lambda after: (novel, known), order=lambda client_id: novel)
    for effect, count in ((PollOrders(), 2), (AskOrder("x"), 1)):
        *updates, alert = perform(effect, world(broker))
        assert [type(each) for each in updates] == [OrderUpdated] * count
        assert isinstance(alert, AlertRaised)
        assert (alert.level, "order x 'novel'" in alert.text) == ("yellow", True)


def test_sample_holds_the_brokers_clock_and_the_account() -> None:
    account = Account(
        number="1",
        status="ACTIVE",
        equity_usd=dec(5),
        last_equity_usd=dec(4),
        cash_usd=dec(3),
        buying_power_usd=dec(9),
        is_blocked=True,
        is_shorting_enabled=True,
    )
    clock = MarketClock(
        now=NOON, is_open=True, next_open_at=CLOSES + timedelta(hours=17), next_close_at=CLOSES
    )
    broker = SimpleNamespace(account=lambda: account, positions=lambda: (), clock=lambda: clock)
    hours, sample = perform(SampleAccount(), world(broker))
    assert hours == MarketHoursSeen(is_open=True, next_open_at=clock.next_open_at, next_close_at=CLOSES)
    assert isinstance(sample, AccountSampled)
    assert (sample.equity_usd, sample.last_equity_usd, sample.is_blocked) == (5, 4, True)


def bars(session: date, known_at: datetime = NOON, close: float = 100.0) -> BarSet:
    bar = Bar(
        symbol="GLD",
        session=session,
        known_at=known_at,
        open=close,
        high=close,
        low=close,
        close=close,
        volume=1.0,
    )
    return BarSet(session=session, known_at=known_at, bars={"GLD": bar})


def test_bars_of_missed_sessions_come_before_the_wanted_one() -> None:
    asked: list[Any] = []
    sets = (bars(YESTERDAY), bars(SESSION))
    feed = SimpleNamespace(daily=lambda symbols, start, end: asked.append((start, end)) or sets)
    facts = perform(FetchBars(SESSION, after=date(2026, 1, 2)), world(feed=feed))
    assert asked == [(date(2026, 1, 3), SESSION)]
    assert [fact.session for fact in facts if isinstance(fact, BarsClosed)] == [YESTERDAY, SESSION]
    assert facts[-1] == FeedRecovered(feed="ohlcv")


@pytest.mark.fault("E1", "E14")
def test_session_whose_bars_are_not_there_yet_is_said_and_what_came_is_kept() -> None:
    feed = SimpleNamespace(daily=lambda *asked: (bars(YESTERDAY),))
    facts = perform(FetchBars(SESSION, after=date(2026, 1, 2)), world(feed=feed))
    assert kinds(facts) == ["BarsClosed", "FeedFailed"]
    none = perform(FetchBars(SESSION), world(feed=SimpleNamespace(daily=lambda *asked: ())))
    assert none == [FeedFailed(feed="ohlcv", reason=f"no daily bars of {SESSION} yet")]


@pytest.mark.fault("E2")
@pytest.mark.invariant("V17")
def test_bars_from_the_future_are_refused() -> None:
    feed = SimpleNamespace(daily=lambda *asked: (bars(SESSION, NOON + timedelta(seconds=1)),))
    with pytest.raises(BarError, match="refused"):
        perform(FetchBars(SESSION), world(feed=feed))


def raising(*_: Any) -> Any:
    raise FeedError("no answer")


@pytest.mark.fault("E1")
def test_feed_that_fails_is_a_fact() -> None:
    feed = SimpleNamespace(daily=raising, quotes=raising)
    assert perform(FetchBars(SESSION), world(feed=feed)) == [FeedFailed(feed="ohlcv", reason="no answer")]
    assert perform(FetchQuotes(("GLD",)), world(feed=feed)) == [FeedFailed(feed="quotes", reason="no answer")]


def test_quotes_carry_the_moment_of_asking_and_none_are_asked_for_nothing() -> None:
    seen = {"GLD": quote(100)}
    facts = perform(FetchQuotes(("GLD",)), world(feed=SimpleNamespace(quotes=lambda symbols: seen)))
    assert facts == [QuotesSeen(quotes=seen, at=NOON), FeedRecovered(feed="quotes")]
    assert perform(FetchQuotes(()), world()) == [QuotesSeen(quotes={}, at=NOON)]


def test_effects_of_one_wish_share_a_key_and_those_of_two_orders_do_not() -> None:
    other = order(1, number=1)
    assert key_of(Submit(WHAT)) != key_of(Submit(other)) != key_of(AskOrder(other.client_order_id))
    assert key_of(FetchQuotes(("GLD",))) == key_of(FetchQuotes(("SLV",)))


# --- a broker that does not say what the account is worth ---------------------------------------


@pytest.mark.fault("A11")
def test_book_is_valued_by_fresh_quotes_of_all_that_is_held() -> None:
    found = {"GLD": replace(quote(100), last=dec(99)), "SLV": quote(20)}
    feed = SimpleNamespace(quotes=lambda symbols: {symbol: found[symbol] for symbol in symbols})
    (fact,) = perform(ValueBook(("GLD", "SLV")), world(feed=feed))
    assert fact == BookValued(
        mids={"GLD": dec(100), "SLV": dec(20)}, lasts={"GLD": dec(99), "SLV": dec(20)}, monotonic_s=0.0
    )


def fails(symbols: object) -> Any:
    raise FeedError("no answer in 5 s")


@pytest.mark.fault("A11", "E1")
@pytest.mark.parametrize(
    ("quotes", "says"),
    [
        (lambda symbols: {"GLD": quote(100)}, "no fresh prices come for SLV"),
        (lambda symbols: {"GLD": quote(100), "SLV": quote(20, NOON - timedelta(seconds=61))}, "SLV"),
        (lambda symbols: {"GLD": quote(100), "SLV": quote(20, NOON + timedelta(seconds=60))}, "SLV"),
        (lambda symbols: {"GLD": replace(quote(100), bid=dec(0)), "SLV": quote(20)}, "GLD"),
        (fails, "no answer in 5 s"),
    ],
)
def test_book_without_fresh_prices_of_all_that_is_held_is_not_valued(quotes: Any, says: str) -> None:
    (fact,) = perform(ValueBook(("GLD", "SLV")), world(feed=SimpleNamespace(quotes=quotes)))
    assert isinstance(fact, BookUnjudged)
    assert says in fact.reason


@pytest.mark.fault("D12")
def test_brokers_history_ends_with_the_session_that_it_is_asked_for() -> None:
    found = {SESSION: dec(3), YESTERDAY: dec(2), SESSION + timedelta(days=1): dec(4)}
    broker = SimpleNamespace(equity_history=lambda since: found)
    (fact,) = perform(FetchEquityHistory(YESTERDAY, SESSION), world(broker))
    assert fact == EquityHistorySeen(session=SESSION, equity_usd={"2026-01-05": dec(2), "2026-01-06": dec(3)})


@pytest.mark.fault("F6", "F7")
@pytest.mark.parametrize(
    ("earliest_s", "latest_s", "ahead_s"),
    [(0, 0, 0.0), (-30, 30, 0.0), (86_400, 86_401, 86_400.0), (-3_601, -3_600, -3_600.0), (2, 5, 2.0)],
)
def test_clock_is_ahead_by_what_no_slow_answer_explains(earliest_s, latest_s, ahead_s) -> None:
    brokers_at = CLOSES
    earliest, latest = (CLOSES + timedelta(seconds=s) for s in (earliest_s, latest_s))
    assert seconds_ahead(earliest, latest, brokers_at) == ahead_s
