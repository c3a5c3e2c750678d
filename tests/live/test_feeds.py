"""A day of all feeds: each fetched by its real client from the paper exchange, and each pulled in turn."""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from threading import Event

import pytest

from qgtm.adapters.clock import ManualClock
from qgtm.adapters.files import StateDir
from qgtm.config import Config, config_from_text
from qgtm.core.bar import BarSet
from qgtm.core.corporate_action import CorporateAction
from qgtm.core.fact import Fact
from qgtm.core.series import SERIES, FeedName
from qgtm.core.universe import SYMBOLS
from qgtm.exchange.core import Exchange
from qgtm.exchange.market.synthetic import SyntheticMarket
from qgtm.keys import Keys, Secret
from qgtm.live.collect import Board, Collector, Feed, Word
from qgtm.live.feeds import Making, Releases, lookout
from tests.contracts.exchange_on_sockets import OnSockets, on_sockets

# A Friday with a report of the CFTC at 15:30; 15:31 in New York.
NOW = datetime(2024, 6, 14, 19, 31, tzinfo=UTC)
BEFORE = datetime(2024, 6, 13, tzinfo=UTC)
# Reddit asks for 0.6 s between two calls, and praw keeps to it.
ONE_SUB = ('["Gold", "Silverbugs", "Wallstreetsilver", "PreciousMetals", "investing"]', '["Gold"]')
PATHS = {
    "cot": "/resource/.*",
    "fred": "/fred/.*",
    "options_vol": "/v1beta1/options/.*",
    "sentiment": "/r/.*",
    "ohlcv": "/v2/stocks/bars",
}
TEXT = (Path(__file__).parents[2] / "qgtm_config.toml").read_text()


class Shelf:
    """A store that keeps what it is given in a list."""

    def __init__(self) -> None:
        self.facts: list[Fact] = []
        self.bars: list[BarSet] = []
        self.actions: list[CorporateAction] = []

    def append(self, facts: Sequence[Fact]) -> int:
        self.facts += facts
        return len(facts)

    def append_bars(self, sets: Sequence[BarSet], now: datetime) -> int:
        self.bars += sets
        return len(sets)

    def append_actions(self, actions: Sequence[CorporateAction]) -> int:
        self.actions += actions
        return len(actions)

    def series(self) -> set[str]:
        return {fact.series for fact in self.facts}


def config(port: int = 8701, *replaced: tuple[str, str]) -> Config:
    text = TEXT.replace("port = 8701", f"port = {port}")
    for old, new in replaced:
        assert old in text
        text = text.replace(old, new)
    return config_from_text(text, Path("/fund/qgtm_config.toml"))


MARKET = SyntheticMarket(7, date(2023, 1, 3))


@pytest.fixture
def exchange() -> Iterator[OnSockets]:
    """Serve an exchange for one test: its vendors count calls by the minute, of process time."""
    with on_sockets(Exchange(MARKET, start=NOW)) as served:
        yield served


class Rig:
    """The collector with the feeds as configured, on the exchange of this process."""

    def __init__(self, exchange: OnSockets, path: Path) -> None:
        port = int(exchange.url.rpartition(":")[2])
        self.clock = ManualClock(NOW)
        state = StateDir(path)
        self.found = lookout(
            Making(
                config=config(port, ONE_SUB), keys=Keys({}), where="embedded", state=state, clock=self.clock
            )
        )
        self.store = Shelf()
        self.board = Board(state.feeds, [feed.name for feed in self.found.feeds], self.found.off)
        self.collector = Collector(self.found.feeds, self.store, self.board, self.clock, lambda text: None)
        for feed in self.found.feeds:  # one that was never fetched would begin with its history
            self.board.note(feed.name, Word(succeeded_at=BEFORE), NOW)

    def feed(self, name: str) -> Feed:
        return next(feed for feed in self.found.feeds if feed.name == name)

    def look(self, name: str) -> str:
        self.collector.look(self.feed(name))
        word = self.board.word(name)
        return word.problem or "; ".join(word.missing)


@pytest.fixture
def rig(exchange: OnSockets, tmp_path: Path) -> Iterator[Rig]:
    found = Rig(exchange, tmp_path)
    yield found
    for feed in found.found.feeds:
        feed.close()


def test_every_feed_is_fetched_by_its_real_client_and_gives_every_series(rig: Rig) -> None:
    assert {feed.name: rig.look(feed.name) for feed in rig.found.feeds} == dict.fromkeys(FeedName, "")
    expected = {name for name in SERIES if not name.startswith("EVENT30")}  # no release on this day
    assert expected - rig.store.series() == set()
    assert all(fact.known_at >= fact.at for fact in rig.store.facts)
    assert min(fact.known_at for fact in rig.store.facts) >= NOW  # nothing was here before it came


def pull(exchange: OnSockets, name: str, action: str, **more: object) -> None:
    """Let one vendor fail from now on."""
    stage = "during_reply" if action in ("rename", "scale", "garbled", "cut", "half") else "before_apply"
    exchange.fault(name="pulled", stage=stage, action=action, path=PATHS[name], count=None, **more)


@pytest.mark.fault("E9", "E11")
@pytest.mark.parametrize("pulled", PATHS)
def test_a_feed_that_is_pulled_is_told_and_the_others_go_on(
    exchange: OnSockets, rig: Rig, pulled: str
) -> None:
    pull(exchange, pulled, "status", status=404)
    told = {feed.name: rig.look(feed.name) for feed in rig.found.feeds}
    with_it = {"ohlcv": {"options_vol"}}.get(pulled, set())  # options need the price of their share
    silent = {name for name, words in told.items() if words}
    assert silent == {pulled} | with_it
    assert told[pulled]
    fetched = {SERIES[name].feed.value for name in rig.store.series()}
    assert fetched == set(PATHS) - silent


@pytest.mark.fault("E13")
@pytest.mark.parametrize("pulled", ["cot", "fred", "sentiment"])
@pytest.mark.parametrize("action", ["rename", "scale", "garbled"])
def test_a_vendor_whose_rows_change_is_refused_whole(
    exchange: OnSockets, rig: Rig, pulled: str, action: str
) -> None:
    pull(exchange, pulled, action)
    assert rig.look(pulled)
    assert rig.store.facts == []


@pytest.mark.fault("E13")
@pytest.mark.parametrize(
    ("pulled", "old", "field"),
    [("options_vol", "bp", "bp"), ("options_vol", "snapshots", "snapshots"), ("ohlcv", "c", "c")],
)
def test_a_renamed_field_of_the_brokers_is_named(
    exchange: OnSockets, rig: Rig, pulled: str, old: str, field: str
) -> None:
    pull(exchange, pulled, "rename", body={"from": old, "to": f"{old}_new"})
    assert f"field {field} is missing" in rig.look(pulled)
    assert rig.store.facts == []


@pytest.mark.fault("E14")
def test_half_a_report_is_told(exchange: OnSockets, rig: Rig) -> None:
    pull(exchange, "cot", "half")
    assert "has no" in rig.look("cot")


def test_a_feed_comes_back_when_its_vendor_does(exchange: OnSockets, rig: Rig) -> None:
    pull(exchange, "cot", "status", status=404)
    assert rig.look("cot")
    exchange.control("faults", clear=True)
    assert rig.look("cot") == ""
    assert rig.board.word("cot").failures == 0


def test_the_vendors_replies_are_kept_but_nobodys_words(rig: Rig, tmp_path: Path) -> None:
    for name in ("cot", "sentiment", "ohlcv"):
        rig.look(name)
    assert {path.name for path in (tmp_path / "raw").iterdir()} == {"cot", "alpaca"}
    assert {path.name for path in (tmp_path / "feeds").iterdir()} == {"status.json", "reddit.json"}


def test_a_feed_that_was_never_fetched_begins_with_its_history(rig: Rig) -> None:
    rig.board.note("cot", Word(), NOW)
    assert rig.look("cot") == ""
    gold = [fact for fact in rig.store.facts if fact.series == "COT_GOLD_OI"]
    assert min(fact.known_at for fact in gold) < datetime(2023, 3, 1, tzinfo=UTC)


def test_history_is_filled_in_with_its_publication_times(rig: Rig) -> None:
    since = date(2024, 3, 1)
    for name in ("cot", "fred", "ohlcv"):
        rig.collector.fill(rig.feed(name), since, lambda step: None)
    known = {}
    for fact in rig.store.facts:
        known.setdefault(SERIES[fact.series].feed.value, []).append(fact.known_at)
    assert set(known) == {"cot", "fred", "ohlcv"}
    assert all(min(moments) < datetime(2024, 3, 20, tzinfo=UTC) for moments in known.values())
    assert {moment.weekday() for moment in known["cot"]} <= {4, 0}  # Fridays, Mondays after holidays
    assert "EVENT30_GLD" in rig.store.series()


def names_off(found: Config, *keys: str, where: str = "paper") -> dict[str, str]:
    state, clock = StateDir(Path("/nowhere")), ManualClock(NOW)
    held = Keys({key: Secret("x") for key in (*keys, "APCA_API_KEY_ID", "APCA_API_SECRET_KEY")})
    return lookout(Making(config=found, keys=held, where=where, state=state, clock=clock)).off  # type: ignore[arg-type]


def test_with_a_real_broker_a_missing_key_puts_its_feed_off_by_name() -> None:
    off = names_off(config())
    assert set(off) == {"fred", "sentiment"}
    assert "FRED_API_KEY" in off["fred"]
    assert "REDDIT_CLIENT_ID and REDDIT_CLIENT_SECRET" in off["sentiment"]


def test_with_all_keys_no_feed_is_off() -> None:
    assert names_off(config(), "FRED_API_KEY", "REDDIT_CLIENT_ID", "REDDIT_CLIENT_SECRET") == {}


def test_half_of_reddits_keys_are_not_enough() -> None:
    off = names_off(config(), "FRED_API_KEY", "REDDIT_CLIENT_ID")
    assert set(off) == {"sentiment"}
    assert off["sentiment"].startswith(
        "REDDIT_CLIENT_SECRET not set: put it into the environment or into .env"
    )


def test_a_feed_can_be_switched_off() -> None:
    switched = config(
        8701,
        (
            "[feeds.cot]                       # who holds futures, from the CFTC: no key\nenabled = true",
            "[feeds.cot]\nenabled = false",
        ),
    )
    assert names_off(switched, where="embedded") == {"cot": "feeds.cot.enabled is false"}


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


@pytest.mark.parametrize(
    ("name", "after", "due"),
    [  # New York's summer time is four hours behind UTC
        ("cot", "2024-06-14T15:00-04:00", "2024-06-14T15:30:30-04:00"),
        ("cot", "2024-06-14T16:00-04:00", "2024-06-24T15:30:30-04:00"),  # Juneteenth on a Wednesday
        ("fred", "2024-06-14T12:00-04:00", "2024-06-14T18:30-04:00"),
        ("fred", "2024-06-14T19:00-04:00", "2024-06-17T07:00-04:00"),
        ("options_vol", "2024-07-02T16:00-04:00", "2024-07-03T12:30-04:00"),  # half a day
        ("options_vol", "2024-07-03T13:30-04:00", "2024-07-05T15:30-04:00"),
        ("sentiment", "2024-06-15T03:05-04:00", "2024-06-15T04:05-04:00"),
        ("ohlcv", "2024-06-14T10:05-04:00", "2024-06-14T11:01-04:00"),
        ("ohlcv", "2024-06-14T11:05-04:00", "2024-06-14T16:20-04:00"),
        ("ohlcv", "2024-06-14T16:20-04:00", "2024-06-17T10:01-04:00"),
    ],
)
def test_each_feed_is_due_by_its_own_calendar(tmp_path: Path, name: str, after: str, due: str) -> None:
    making = Making(
        config=config(), keys=Keys({}), where="embedded", state=StateDir(tmp_path), clock=ManualClock(NOW)
    )
    feed = next(each for each in lookout(making).feeds if each.name == name)
    assert feed.next_due(at(after)) == at(due)


def test_the_half_hour_after_a_decision_has_a_look_of_its_own(tmp_path: Path) -> None:
    releases = Releases(tmp_path / "releases.json", (date(2024, 6, 12),))
    assert releases.at(date(2024, 6, 12)) == at("2024-06-12T14:00-04:00")
    assert releases.at(date(2024, 6, 13)) is None


def test_the_collector_runs_them_all_and_ends_when_told(rig: Rig) -> None:
    from threading import Thread

    stop = Event()
    thread = Thread(target=rig.collector.run, args=(stop,))
    thread.start()
    waiting = Event()
    for _ in range(300):
        words = rig.board.words()
        if all(word.succeeded_at == NOW for name, word in words.items() if name != "options_vol"):
            break
        waiting.wait(0.1)
    stop.set()
    thread.join(10)
    assert not thread.is_alive()
    assert [name for name, word in words.items() if word.succeeded_at != NOW] == ["options_vol"]
    assert words["options_vol"].next_due_at == NOW.replace(
        day=17, minute=30
    )  # Monday, half an hour before the close


def test_raw_bars_and_actions_come_with_the_feed_of_prices(rig: Rig) -> None:
    assert rig.look("ohlcv") == ""
    newest = rig.store.bars[-1]
    told = MARKET.figures("GLD", newest.session)
    assert told is not None
    assert (newest.bars["GLD"].open, newest.bars["GLD"].close) == (told[0], told[3])
    assert set(newest.bars) == set(SYMBOLS)
