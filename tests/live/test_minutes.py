"""The session's minutes: heard, asked for where the stream is silent, stale by the rule, and halts told."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from threading import Event, Thread

import pytest

from qgtm.adapters.alpaca_wire import MinuteBar, TradingStatus
from qgtm.adapters.calendar import xnys
from qgtm.adapters.clock import ManualClock
from qgtm.adapters.files import StateDir
from qgtm.adapters.freshness import Standing, freshness
from qgtm.adapters.minute_tape import TAPE, MinuteTape, load_tape, save_tape
from qgtm.core.errors import ConfigError, FeedError
from qgtm.core.events import AlertRaised, FeedFailed, FeedRecovered
from qgtm.core.events import Event as Fact
from qgtm.exchange.core import Exchange
from qgtm.exchange.market.synthetic import SyntheticMarket
from qgtm.keys import Keys
from qgtm.live.beside import NOT_FETCHED, StoreBeside
from qgtm.live.collect import STATUS
from qgtm.live.feeds import Making, listening
from qgtm.live.minutes import MinuteWatch
from tests.contracts.exchange_on_sockets import OnSockets, on_sockets
from tests.exchange.sockets import eventually
from tests.live.test_feeds import config

NOON = datetime(2024, 6, 14, 16, 0, tzinfo=UTC)  # a Friday, noon in New York
CLOSE = datetime(2024, 6, 14, 20, 0, tzinfo=UTC)
MONDAY_OPEN = datetime(2024, 6, 17, 13, 30, tzinfo=UTC)
MARKET = SyntheticMarket(7, date(2023, 1, 3))


def minute(end_at: datetime, symbol: str = "GLD") -> MinuteBar:
    start_at = end_at - timedelta(minutes=1)
    return MinuteBar(symbol=symbol, start_at=start_at, open=1.0, high=1.0, low=1.0, close=1.0, volume=1.0)


def status(code: str, at: datetime | None = None) -> TradingStatus:
    return TradingStatus(symbol="SLV", code=code, reason="volatility pause", at=at)


class Asked:
    """Minutes that can be asked for, or the reason why not."""

    def __init__(self) -> None:
        self.times = 0
        self.found: dict[str, datetime] = {}
        self.problem = ""

    def __call__(self, since: datetime, now: datetime) -> dict[str, datetime]:
        self.times += 1
        if self.problem:
            raise FeedError(self.problem)
        return {symbol: at for symbol, at in self.found.items() if since <= at <= now}


class Rig:
    def __init__(self, path: Path, speed: float = 1.0) -> None:
        self.clock = ManualClock(NOON)
        self.asked = Asked()
        self.state = StateDir(path)
        self.watch = MinuteWatch(self.state.feeds / TAPE, self.clock, xnys(), self.asked, speed)

    def later(self, seconds: float) -> None:
        self.clock.wait(seconds)
        self.watch.look()

    def told(self, *read: str) -> list[Fact]:
        beside = StoreBeside(self.state.store, self.state.feeds / STATUS, read)
        return list(beside.judged(self.clock.now()))

    def stands(self) -> str:
        tape = load_tape(self.state.feeds / TAPE)
        prices = freshness(lambda _: None, date(2024, 6, 13), self.clock.now(), {}, tape)[0]
        assert prices.series[1].name == "minutes of GLD"
        return prices.series[1].standing.value


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path)


@pytest.mark.parametrize(
    ("ended", "until"),
    [
        (NOON, NOON + timedelta(minutes=2)),
        (CLOSE - timedelta(minutes=3), CLOSE - timedelta(minutes=1)),
        (CLOSE, MONDAY_OPEN + timedelta(minutes=2)),
    ],
)
def test_a_minute_is_fresh_for_two_minutes_of_market_hours(ended: datetime, until: datetime) -> None:
    tape = MinuteTape(since=NOON, grace=timedelta(0), ended={"GLD": ended})
    assert tape.due_at("GLD") == until


def test_minutes_that_are_heard_are_fresh_and_late_after_two_and_the_way_here(rig: Rig) -> None:
    rig.watch.heard(minute(NOON))
    rig.later(120 + 5)
    assert rig.stands() == Standing.FRESH
    rig.later(1)
    assert rig.stands() == Standing.STALE
    rig.watch.heard(minute(rig.clock.now()))
    rig.later(1)
    assert rig.stands() == Standing.FRESH
    rig.watch.heard(minute(NOON))  # old news
    rig.later(1)
    assert rig.watch.tape.ended["GLD"] > NOON


def test_where_venue_time_runs_fast_more_of_it_passes_on_the_way(tmp_path: Path) -> None:
    fast = Rig(tmp_path, speed=100.0)
    fast.watch.heard(minute(NOON))
    fast.later(120 + 500)
    assert fast.stands() == Standing.FRESH
    fast.later(1)
    assert fast.stands() == Standing.STALE


def test_silence_is_asked_about_but_not_again_and_again_nor_at_night(rig: Rig) -> None:
    rig.watch.heard(minute(NOON))
    rig.later(119)
    assert rig.asked.times == 0
    rig.asked.found = {"GLD": NOON + timedelta(minutes=2)}
    rig.later(2)
    assert (rig.asked.times, rig.stands()) == (1, Standing.FRESH)
    rig.asked.found, rig.asked.problem = {}, "ohlcv: no answer"
    for _ in range(40):
        rig.later(5)
    assert rig.stands() == Standing.STALE
    assert rig.asked.times <= 1 + 200 / 10 + 1
    assert "no answer" in (load_tape(rig.state.feeds / TAPE) or rig.watch.tape).problem
    before = rig.asked.times
    rig.clock.wait((CLOSE - rig.clock.now()).total_seconds() + 60)
    rig.watch.look()
    assert rig.asked.times == before


def test_daemon_is_told_of_late_minutes_and_of_their_return(rig: Rig) -> None:
    rig.later(1)
    assert FeedRecovered(feed="minutes") in rig.told("minutes")
    rig.later(200)
    (late,) = [each for each in rig.told() if isinstance(each, FeedFailed)]
    assert (late.feed, late.reason) == ("minutes", "minutes of GLD due by Fri 14 Jun 12:02 New York")
    rig.watch.heard(minute(rig.clock.now()))
    rig.later(1)
    assert FeedRecovered(feed="minutes") in rig.told("minutes")


def test_minutes_that_nobody_hears_are_missed_by_those_who_read_them_alone(tmp_path: Path) -> None:
    state = StateDir(tmp_path)

    def failed(*read: str) -> list[Fact]:
        told = StoreBeside(state.store, state.feeds / STATUS, read).judged(NOON)
        return [each for each in told if isinstance(each, FeedFailed)]

    assert failed("minutes") == [FeedFailed(feed="minutes", reason=NOT_FETCHED)]
    assert failed("ohlcv") == []


def test_halt_is_told_once_it_is_heard_and_no_more_when_trading_goes_on(rig: Rig) -> None:
    rig.watch.heard(status("H", NOON))
    rig.watch.heard(status("Q"))  # quotes only: nothing trades yet
    rig.later(2)
    (alert,) = [each for each in rig.told() if isinstance(each, AlertRaised)]
    assert alert.cause == "halt SLV"
    assert "halted SLV since 12:00 New York" in alert.text
    rig.watch.heard(status("T"))
    rig.later(2)
    assert not [each for each in rig.told() if isinstance(each, AlertRaised)]


def test_file_comes_back_whole_and_a_damaged_one_is_named(rig: Rig) -> None:
    rig.watch.heard(minute(NOON))
    rig.watch.heard(status("2", NOON))
    rig.watch.broke("cut")
    path = rig.state.feeds / TAPE
    assert load_tape(path) is None
    save_tape(path, rig.watch.tape)
    assert load_tape(path) == rig.watch.tape
    path.write_text('{"since": 3}')
    with pytest.raises(ConfigError, match="cannot be read"):
        load_tape(path)


# --- over real sockets ----------------------------------------------------------------------------


@pytest.fixture
def exchange() -> Iterator[OnSockets]:
    with on_sockets(Exchange(MARKET, start=NOON)) as served:
        yield served


class VenueNow(ManualClock):
    """A clock that stands where the exchange's does."""

    def __init__(self, exchange: OnSockets) -> None:
        super().__init__(NOON)
        self._exchange = exchange

    def now(self) -> datetime:
        return self._exchange.station.exchange.now


@pytest.mark.fault("D2")
def test_minutes_and_a_halt_come_from_the_exchange_and_the_pulled_stream_is_asked_round(
    exchange: OnSockets, tmp_path: Path
) -> None:
    clock, state, stop = VenueNow(exchange), StateDir(tmp_path), Event()
    port = int(exchange.url.rpartition(":")[2])
    making = Making(config=config(port), keys=Keys({}), where="embedded", state=state, clock=clock, stop=stop)
    with listening(making) as watch:
        eventually(lambda: exchange.later(60) is None and "GLD" in watch.tape.ended)
        exchange.control("prices", symbol="SLV", action="halt", seconds=300)
        eventually(lambda: exchange.later(1) is None and "SLV" in watch.tape.halted)
        exchange.control("prices", symbol="SLV", action="resume")
        eventually(lambda: exchange.later(1) is None and not watch.tape.halted)
        heard = watch.tape.ended["GLD"]
        asking = Thread(target=watch.run, args=(stop,), daemon=True)
        asking.start()
        exchange.fault(name="pulled", stage="stream", action="mute", path="data", count=None)
        for _ in range(3):
            exchange.later(60)
        try:
            eventually(lambda: watch.tape.ended["GLD"] > heard + timedelta(minutes=1))
        finally:
            stop.set()
            asking.join(5)
    assert load_tape(state.feeds / TAPE) is not None
