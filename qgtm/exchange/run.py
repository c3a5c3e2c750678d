"""Start the paper exchange: market, state, venue time and server, as one command asks for them."""

import errno
import socket
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Final, Literal

from qgtm.adapters.clock import Anchor, Mode, SystemClock, anchor_from_text, boot_id
from qgtm.adapters.files import StateDir, explained, made_writable, write_atomic
from qgtm.adapters.lock import FileLock
from qgtm.core.errors import ConfigError, MarketError
from qgtm.exchange.core import Exchange
from qgtm.exchange.hours import Calendar, Hours
from qgtm.exchange.market.port import Market
from qgtm.exchange.server import Front, Server
from qgtm.exchange.setting import Habits
from qgtm.exchange.station import Station
from qgtm.exchange.store import Store
from qgtm.exchange.venue import BEFORE_OPEN, DWELL_S, SESSION_SPEED, Instant, VenueTime, next_stop
from qgtm.exchange.wire import Keys

PORT: Final = 8701
VENUE_FILE: Final = "venue.json"
STORE_FILE: Final = "exchange.db"
MARKET_FILE: Final = "market.txt"  # which market the stored orders and prices are of
# Venue time may stand still (a hold, a stop): an order or a cancel must not wait for it to run on.
AT_ONCE: Final = Habits(activation_s=0.0, cancel_s=0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How an exchange is started.

    `speed` 1 is real time, above it closed hours are skipped, 0 is moved by the control port
    alone. `start` is the first session to be seen when there is no state yet; `cash_usd` the
    opening cash. `per_minute` is Alpaca's limit of calls. `port` 0 takes any free one.
    """

    state: Path
    market: Literal["synthetic", "recorded"] = "synthetic"
    bars: Path | None = None
    seed: int = 7
    speed: float = SESSION_SPEED
    start: date | None = None
    cash_usd: Decimal = Decimal(250_000)
    host: str = "127.0.0.1"
    port: int = PORT
    is_fresh: bool = False
    keys: Keys | None = None
    per_minute: int = 200
    dwell_s: float = DWELL_S


def serve(options: Options, say: Callable[[str], None] = lambda _: None) -> None:
    """Serve until SIGTERM or SIGINT. Raises `QgtmError` with the next step for what cannot be started."""
    import asyncio

    folder = _state_folder(options.state)
    with FileLock(folder / "exchange.lock", f"the exchange in {folder}"):
        listening = bound(options.host, options.port)
        clock = SystemClock()
        station = opened(options, clock)
        host, port = listening.getsockname()[:2]
        say(f"paper exchange on http://{host}:{port}, venue time {station.exchange.now:%Y-%m-%d %H:%M} UTC")
        asyncio.run(Server(Front(station, clock)).serve([listening]))
    say("paper exchange stopped")


def opened(options: Options, clock: SystemClock) -> Station:
    """Return a station over the stored state, or a new one. The caller holds the folder's lock."""
    folder = _state_folder(options.state)
    if options.is_fresh:
        _forget(folder)
    market = market_of(options)
    store = Store(folder / STORE_FILE)
    exchange = Exchange(
        market,
        start=first_moment(market, options.start),
        seed=options.seed,
        cash=options.cash_usd,
        habits=Habits() if options.speed == 1 else AT_ONCE,
    )
    is_resumed = store.load_into(exchange)
    _hold_to_market(folder / MARKET_FILE, options, is_resumed=is_resumed)
    at = Instant(clock.monotonic(), clock.now())
    venue = _venue(options, exchange, folder, at, is_resumed=is_resumed)
    exchange.catch_up(venue.now(at.monotonic_s))
    store.keep(exchange, is_due=True)
    return Station(exchange, venue, store=store, keys=options.keys, per_minute=options.per_minute)


def _hold_to_market(path: Path, options: Options, *, is_resumed: bool) -> None:
    """Refuse another market than the stored state's: its positions would be marked at foreign prices."""
    folder = options.bars.resolve() if options.bars else None
    name = f"{options.market} market, seed {options.seed}" + (f", of {folder}" if folder else "")
    with explained(path, ConfigError):
        try:
            before = path.read_text("utf-8").strip() if is_resumed and path.exists() else name
        except UnicodeDecodeError as problem:
            raise ConfigError(
                f"{path} names the market that the state is of, and is no text any more: delete it if that "
                f"is the {name}, else begin anew with --fresh."
            ) from problem
        if before != name:
            raise ConfigError(
                f"the state in {path.parent} is of the {before}, and this start asks for the {name}: "
                "ask for the former, or begin anew with --fresh."
            )
        write_atomic(path, f"{name}\n".encode())


def market_of(options: Options) -> Market:
    """Return the market that is asked for. Raises `ConfigError` or `MarketError` with the next step."""
    if options.market == "recorded":
        if options.bars is None:
            raise ConfigError("a recorded market needs `--bars DIR`, a folder of CSV or Parquet files")
        from qgtm.exchange.market.recorded import RecordedMarket

        return RecordedMarket(options.bars, options.seed)
    if options.market != "synthetic":
        raise ConfigError(f"--market is {options.market!r}; it must be synthetic or recorded")
    if options.bars is not None:
        raise ConfigError("--bars goes with `--market recorded`; add it, or leave --bars out")
    from qgtm.exchange.market.synthetic import SyntheticMarket

    return SyntheticMarket(options.seed)


def first_moment(market: Market, start: date | None) -> datetime:
    """Return five minutes before the first session's open: of `start`, or of the market's second year.

    A market begins with some history, so that strategies have something to warm up on.
    """
    calendar = Calendar(market)
    last = getattr(market, "last", None)
    if start is None:
        start = _default_start(market)
    elif isinstance(last, date) and start > last:
        raise MarketError(f"--start is {start}, and the bars end at {last}: name an earlier session.")
    try:
        hours: Hours = calendar.current(datetime(start.year, start.month, start.day, 12, tzinfo=UTC))
    except LookupError as error:
        raise MarketError(str(error)) from error
    return hours.open_at - BEFORE_OPEN


def _default_start(market: Market) -> date:
    first: date | None = getattr(market, "first", None)
    last: date | None = getattr(market, "last", None)
    if first is None or last is None:
        return date(2024, 1, 2)
    return min(first + timedelta(days=400), last)


def bound(host: str, port: int) -> socket.socket:
    """Return a listening socket. Raises `ConfigError` with the next step when the port cannot be had."""
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    # what is accepted inherits it: asyncio sets it only where the protocol was named, and without it the
    # second part of each reply waits forty milliseconds for the other side's acknowledgement
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
        listening.listen(128)
    except OSError as error:
        listening.close()
        if error.errno == errno.EADDRINUSE:
            raise ConfigError(
                f"port {port} on {host} is in use, perhaps by an exchange that still runs; "
                "stop it or choose another with `--port`"
            ) from error
        message = f"port {port} on {host} cannot be opened ({error.strerror}); choose another"
        raise ConfigError(message) from error
    return listening


def _venue(options: Options, exchange: Exchange, folder: Path, at: Instant, *, is_resumed: bool) -> VenueTime:
    mode: Mode = "stepped" if options.speed == 0 else "real" if options.speed <= 1 else "accelerated"
    path = folder / VENUE_FILE

    def publish(anchor: Anchor) -> None:
        with explained(path, ConfigError):
            write_atomic(path, anchor.text().encode())

    venue_at = exchange.now
    before = _read_anchor(path) if is_resumed else None
    return VenueTime(
        exchange.desk.prices.calendar,
        venue_at=venue_at if before is None else _resumed(exchange, before, mode, at),
        at=at,
        speed=options.speed,
        mode=mode,
        boot_id=boot_id(),
        publish=publish,
        dwell_s=options.dwell_s,
    )


def _resumed(exchange: Exchange, before: Anchor, mode: Mode, at: Instant) -> datetime:
    """Return where venue time goes on: where its readers are by now, but not past a stop or another boot."""
    if before.boot_id != boot_id() or mode == "stepped":
        return max(exchange.now, before.venue_at)
    reached = max(exchange.now, before.venue_now(at.monotonic_s))
    if mode == "real":
        return reached
    return min(reached, next_stop(exchange.desk.prices.calendar, exchange.now))


def _read_anchor(path: Path) -> Anchor | None:
    try:
        return anchor_from_text(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, KeyError):
        return None


def _state_folder(folder: Path) -> Path:
    return made_writable(StateDir(folder)).root


def _forget(folder: Path) -> None:
    for path in folder.glob(f"{STORE_FILE}*"):
        path.unlink()
    (folder / VENUE_FILE).unlink(missing_ok=True)
    (folder / MARKET_FILE).unlink(missing_ok=True)
