"""How long from a session's bars to the last order that the paper exchange has acknowledged, over loopback.

Two parts are timed, since the night lies between them: from the bars' arrival to the targets (features,
signals, weights, all of it on the disk), and from the quotes' arrival to the answer to the last order (each
intent on the disk before it is sent; the hands send on while the loop writes down what was answered).
`python -m benchmarks.arrival [ROUNDS]` prints median and 99th percentile of their sum.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import requests

from benchmarks.boot import PATIENCE_S, running
from benchmarks.reaction import percentile
from benchmarks.serving import REPO, free_port
from qgtm.adapters.alpaca_broker import AlpacaBroker
from qgtm.adapters.alpaca_client import Keys
from qgtm.adapters.alpaca_feed import AlpacaFeed
from qgtm.adapters.artefact import load_model
from qgtm.adapters.calendar import xnys
from qgtm.adapters.call_budget import CallBudget
from qgtm.adapters.clock import VenueClock
from qgtm.adapters.journal import SqliteJournal
from qgtm.adapters.venue_control import VenueControl
from qgtm.config import Config, load_config
from qgtm.core.bar import BarSet
from qgtm.core.effects import Effect, Submit
from qgtm.core.events import (
    AccountSampled,
    Booted,
    CashMoved,
    OrderAccepted,
    QuotesSeen,
    SessionOpened,
    WentLive,
)
from qgtm.core.series import SERIES
from qgtm.core.universe import SYMBOLS
from qgtm.engine.desk import Desk
from qgtm.features.hidden_markov import odds_feature
from qgtm.features.history import History
from qgtm.live.kernel import Kernel
from qgtm.live.perform import World, closed, perform
from qgtm.strategies import BY_NAME

START = date(2026, 1, 6)
CASH = Decimal(250_000)
KEYS = Keys("PKBENCH", "bench")
BASE_MS, ORDER_MS = 25.0, 3.0
PAUSE_S = 4.0  # between two rounds, so that the exchange's limit of calls has no say


@dataclass(frozen=True)
class Venue:
    """The exchange, seen through the daemon's own adapters."""

    config: Config
    broker: AlpacaBroker
    feed: AlpacaFeed
    clock: VenueClock

    def bars(self, sessions: int) -> Sequence[BarSet]:
        """Return the last finished sessions."""
        return self.feed.daily(SYMBOLS, START - timedelta(days=int(sessions * 1.5)), START)[-sessions:]


def venue(state: Path, port: int) -> Venue:
    """Connect to the exchange in the middle of a session."""
    clock = VenueClock(state / "exchange" / "venue.json")
    url = f"http://127.0.0.1:{port}"
    feed = AlpacaFeed(
        KEYS, url, CallBudget(time.monotonic), now=clock.now,
        closes_at=lambda day: found.close_at if (found := xnys().session_on(day)) else None,
    )  # fmt: skip
    config = load_config(state / "qgtm_config.toml", {})
    return Venue(config, AlpacaBroker(KEYS, url, CallBudget(time.monotonic), is_urgent=False), feed, clock)


def round_ms(folder: Path, at: Venue, sets: Sequence[BarSet], epoch: int) -> tuple[float, int]:
    """Return the milliseconds of one fund's decision and orders, and how many orders it sent."""
    history = History(SYMBOLS, tuple(SERIES))
    journal = SqliteJournal(folder / f"{epoch}.db")
    wanted: list[Effect] = []
    strategies = tuple(BY_NAME[name] for name in at.config.strategies.enabled)
    desk = Desk(at.config.limits, strategies, history, regime=odds_feature(load_model().model))
    kernel = Kernel(desk, history, journal, wanted.append)
    now, session = at.clock.now(), xnys().session_on(START)
    for bars in sets[:-2]:
        history.append(bars.session, closed(bars, now).bars)
    kernel.take_all(begun(epoch, now, session), now)
    kernel.take(closed(sets[-2], now), now)  # as the boot does: what carries a memory is warm from here on
    bars_fact, world = closed(sets[-1], now), World(at.broker, at.feed, at.clock, lambda: True)
    began = time.perf_counter()
    kernel.take(bars_fact, now)
    decided = time.perf_counter() - began
    quotes = QuotesSeen(quotes=at.feed.quotes(SYMBOLS), at=now)
    wanted.clear()
    began = time.perf_counter()
    kernel.take(quotes, now)
    orders = [effect for effect in wanted if isinstance(effect, Submit)]
    answers = [fact for effect in orders for fact in perform(effect, world)]
    sent = time.perf_counter() - began
    if refused := [fact for fact in answers if not isinstance(fact, OrderAccepted)]:
        raise RuntimeError(f"the exchange did not take an order: {refused[0]}")
    journal.close()
    return 1000 * (decided + sent), len(orders)


def begun(epoch: int, now: datetime, session: Any) -> list[Any]:
    """Return the facts of a fund in cash, in an open session."""
    booted = Booted(
        epoch=epoch, version="0", venue="bench", manifest_sha="", config_sha="", account_number="",
        strategies=(), strategies_total=0,
    )  # fmt: skip
    sample = AccountSampled(
        equity_usd=CASH, cash_usd=CASH, last_equity_usd=CASH, marks={}, is_blocked=False, monotonic_s=1.0
    )
    return [
        booted,
        CashMoved(activity_id="start", kind="start", amount_usd=CASH),
        WentLive(epoch=epoch),
        SessionOpened(session=session.day, open_at=session.open_at, close_at=session.close_at),
        sample,
    ]


def measure(rounds: int) -> dict[str, Any]:
    """Return the milliseconds of each round, and the orders of a round."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
        state, port = Path(scratch), free_port()
        text = (REPO / "qgtm_config.toml").read_text().replace("port = 8701", f"port = {port}")
        (state / "qgtm_config.toml").write_text(text)
        options = (
            "--speed",
            "1",
            "--start",
            str(START),
            "--cash",
            "100000000",
            "--state",
            str(state / "exchange"),
        )
        with running("exchange", state, *options):
            control, until = VenueControl(port), time.monotonic() + PATIENCE_S
            while not control.is_there() and time.monotonic() < until:
                time.sleep(0.1)
            middle = xnys().session_on(START)
            to = middle.open_at + timedelta(hours=2) if middle else None
            requests.post(
                f"http://127.0.0.1:{port}/control/advance",
                json={"to": f"{to:%Y-%m-%dT%H:%M:%SZ}"},
                timeout=30,
            )
            at = venue(state, port)
            sets = at.bars(at.config.feeds.ohlcv.history_sessions)
            found = []
            for number in range(rounds + 1):
                found.append(round_ms(state, at, sets, number + 1))
                time.sleep(PAUSE_S)
    took, orders = [ms for ms, _ in found[1:]], found[-1][1]
    limit = BASE_MS + ORDER_MS * orders
    p99 = percentile(took, 0.99)
    return {
        "rounds": rounds,
        "orders": orders,
        "p50_ms": percentile(took, 0.5),
        "p99_ms": p99,
        "limit_ms": limit,
    }


def main(arguments: list[str] | None = None) -> dict[str, Any]:
    """Run, print, and return the figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.arrival", description=__doc__.splitlines()[0])
    parser.add_argument("rounds", nargs="?", type=int, default=30)
    found = measure(parser.parse_args(arguments).rounds)
    print(
        f"{found['rounds']} decisions from their bars to the last of {found['orders']} orders acknowledged: "
        f"median {found['p50_ms']:.1f} ms, p99 {found['p99_ms']:.1f} ms (limit {found['limit_ms']:.0f})"
    )
    return found


if __name__ == "__main__":
    measured = main()
    sys.exit(int(measured["p99_ms"] > measured["limit_ms"]))
