"""A made-up fund's journal, for pictures of the pages and for measuring them: seeded, exact to the cent."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path

from qgtm.adapters.clock import Anchor, SystemClock, boot_id
from qgtm.adapters.files import StateDir
from qgtm.adapters.heartbeat import Heartbeat, HeartbeatFile
from qgtm.adapters.journal import SqliteJournal
from qgtm.core.events import (
    AccountSampled,
    AlertRaised,
    BarsClosed,
    Booted,
    BreakFound,
    BrokerLost,
    CashMoved,
    CoolOffCounted,
    Event,
    FeedFailed,
    FlatConfirmed,
    IntentFormed,
    Latched,
    ModeChanged,
    OrderUpdated,
    Reconciled,
    RequestEnded,
    RequestMade,
    SessionClosed,
    SessionOpened,
    SignalsComputed,
    StrategyDisabled,
    TargetsReached,
    TargetsSet,
    WentLive,
)
from qgtm.core.mode import Latch, Mode, Trigger
from qgtm.core.money import limit_price, usd, whole_shares
from qgtm.core.order import Order, OrderState, Side
from qgtm.core.request import Act, Outcome, Person, Request
from qgtm.ports import Journal
from qgtm.watchdog.fact import Progress
from qgtm.watchdog.folder import Folder
from qgtm.watchdog.kernel import State
from qgtm.watchdog.memory import fields_of
from qgtm.watchdog.setting import Settings
from qgtm.watchdog.watch import Watch

PRICES = {"GLD": 182.4, "SLV": 21.6, "GDX": 33.1, "PPLT": 92.5, "PALL": 118.0, "SIL": 29.4, "GDXJ": 40.2}
WANTED = {
    "tsmom": {"GLD": 0.16, "SLV": 0.08, "GDX": 0.07, "PALL": -0.04},
    "donchian_breakout": {"GLD": 0.10, "GDX": 0.05},
    "gold_silver_ratio": {"SLV": 0.06, "GLD": -0.03},
    "miners_vs_metal": {"GDXJ": 0.05, "SIL": 0.04, "PPLT": 0.06},
}
CASH_USD = Decimal(250_000)


@dataclass
class MadeUpFund:
    """Live session after session; every session ends flat in orders and with views for the next."""

    journal: Journal
    start: date = date(2026, 1, 5)
    seed: int = 7
    monotonic_s: float = 0.0
    drift: float = 0.0012
    prices: dict[str, float] = field(default_factory=lambda: dict(PRICES))
    held: dict[str, Decimal] = field(default_factory=dict)
    cash_usd: Decimal = CASH_USD
    last_equity_usd: Decimal = CASH_USD
    orders: int = 0
    session: date = field(init=False)
    now: datetime = field(init=False)
    chance: random.Random = field(init=False)
    weights: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Set the first morning."""
        self.session = self.start
        self.now = self._at(time(14, 25))
        self.chance = random.Random(self.seed)

    def _at(self, when: time) -> datetime:
        return datetime.combine(self.session, when, UTC)

    def say(self, *events: Event, after_s: float = 1.0) -> None:
        """Write events, a moment after the last."""
        self.now += timedelta(seconds=after_s)
        self.journal.append(events, self.now)

    def boot(self, names: Sequence[str] = tuple(WANTED), epoch: int = 1) -> None:
        """Start the daemon."""
        self.say(
            Booted(
                epoch=epoch,
                version="0.1.0",
                venue="embedded",
                manifest_sha="",
                config_sha="",
                account_number="PAPER",
                strategies=tuple(names),
                strategies_total=len(WANTED),
            )
        )
        if epoch == 1:
            self.say(CashMoved(activity_id="start", kind="start", amount_usd=self.cash_usd))
        self.sample()
        self.say(WentLive(epoch=epoch))

    @property
    def equity_usd(self) -> Decimal:
        """Return cash and what is held at the present prices."""
        marks = self.marks()
        return self.cash_usd + sum((q * marks[s] for s, q in self.held.items()), Decimal(0))

    def marks(self) -> dict[str, Decimal]:
        """Return the prices to the cent."""
        return {symbol: limit_price(price) for symbol, price in self.prices.items()}

    def sample(self, times: int = 1) -> None:
        """Sample the account, ten seconds apart."""
        for _ in range(times):
            self.monotonic_s += 10
            marks = self.marks()
            self.say(
                AccountSampled(
                    equity_usd=self.equity_usd,
                    cash_usd=self.cash_usd,
                    last_equity_usd=self.last_equity_usd,
                    marks={s: marks[s] for s, q in self.held.items() if q},
                    is_blocked=False,
                    monotonic_s=self.monotonic_s,
                ),
                after_s=10,
            )

    def open(self) -> None:
        """Open the session."""
        self.now = self._at(time(14, 30))
        self.say(
            SessionOpened(
                session=self.session, open_at=self._at(time(14, 30)), close_at=self._at(time(21, 0))
            )
        )

    def trade(self) -> None:
        """Send what the targets want, and let it fill two cents worse."""
        marks = self.marks()
        for symbol, weight in self.weights.items():
            wanted = whole_shares(weight, self.equity_usd, marks[symbol])
            quantity = wanted - self.held.get(symbol, Decimal(0))
            if quantity:
                self._fill(symbol, quantity, marks[symbol])
        self.say(TargetsReached(session=self.session))

    def _fill(self, symbol: str, quantity: Decimal, mark: Decimal) -> None:
        self.orders += 1
        side = Side.BUY if quantity > 0 else Side.SELL
        price = mark + Decimal("0.02") * side.sign
        owners = {name: mine[symbol] for name, mine in WANTED.items() if mine.get(symbol)}
        total = Decimal(repr(sum(owners.values())))
        order = Order(
            client_order_id=f"made-up-{self.orders}",
            symbol=symbol,
            side=side,
            quantity=abs(quantity),
            limit_price=price,
            arrival_price=mark,
            formed_at=self.now,
            shares={name: quantity * Decimal(repr(part)) / total for name, part in owners.items()},
        )
        self.say(IntentFormed(order=order, session=self.session))
        self.say(
            OrderUpdated(
                client_order_id=order.client_order_id,
                broker_order_id=f"b{self.orders}",
                state=OrderState.FILLED,
                filled_quantity=order.quantity,
                filled_price=price,
                updated_at=self.now,
            )
        )
        self.held[symbol] = self.held.get(symbol, Decimal(0)) + quantity
        self.cash_usd -= quantity * price

    def flatten(self, symbols: Sequence[str]) -> None:
        """Close positions, two cents worse than the mark."""
        marks = self.marks()
        for symbol in symbols:
            if self.held[symbol]:
                self._fill(symbol, -self.held[symbol], marks[symbol])

    def count(self, hours: float) -> None:
        """Let the three clocks of a cool-off count so many hours from here."""
        self.now += timedelta(hours=hours)
        self.monotonic_s += hours * 3600
        self.say(CoolOffCounted(monotonic_s=self.monotonic_s, wall_at=self.now, broker_at=self.now))

    def move(self, frac: float | None = None) -> None:
        """Move every price: by chance, or all by the same fraction."""
        for symbol, price in self.prices.items():
            self.prices[symbol] = price * (
                1 + (self.chance.gauss(self.drift, 0.011) if frac is None else frac)
            )

    def close(self) -> None:
        """Close the session: bars, views, targets; then go on to the next weekday."""
        self.now = self._at(time(21, 0))
        bars = {s: (p, p * 1.004, p * 0.996, float(limit_price(p)), 1e6) for s, p in self.prices.items()}
        self.last_equity_usd = usd(self.equity_usd)
        signals = {
            name: {s: round(min(1.0, abs(w) * 6) * (1 if w > 0 else -1), 3) for s, w in mine.items()}
            for name, mine in WANTED.items()
        }
        signals["tsmom"]["PALL"] *= -1 if self.session.day % 9 == 0 else 1
        self.say(SessionClosed(session=self.session))
        self.say(
            BarsClosed(session=self.session, known_at=self.now, bars=bars),
            SignalsComputed(session=self.session, signals=signals, carried={}),
        )
        self.weights = {
            s: round(sum(m.get(s, 0.0) for m in WANTED.values()) * self.chance.uniform(0.8, 1.1), 4)
            for s in PRICES
        }
        self.say(TargetsSet(session=self.session, weights=dict(self.weights), by_strategy=WANTED))
        self.session += timedelta(days=3 if self.session.weekday() == 4 else 1)

    def live(self, sessions: int) -> None:
        """Live through whole sessions."""
        for _ in range(sessions):
            self.open()
            self.trade()
            self.move()
            self.sample(3)
            self.close()

    def morning(self, frac: float) -> None:
        """Open one more session, trade, and let the prices have moved by `frac`."""
        self.open()
        self.trade()
        self.move(frac)
        self.sample(4)


def trouble(fund: MadeUpFund, kind: str) -> None:
    """Let something happen: green (nothing), yellow, orange, one of the reds, or a way back from one."""
    if kind == "yellow":
        fund.say(FeedFailed(feed="ohlcv", reason="no bar for SLVP since Friday"))
    elif kind == "orange":
        fund.say(
            StrategyDisabled(strategy="gold_silver_ratio", reason="ValueError: a view lies outside [-1, 1]")
        )
        fund.say(
            AlertRaised(level="orange", cause="strategy", text="Strategy gold_silver_ratio is disabled.")
        )
    elif kind == "red":
        fund.say(BrokerLost(reason="three tries over 30 s had no answer"))
        fund.say(Latched(latch=Latch.DISCONNECTED, reason="three tries over 30 s had no answer"))
    elif kind == "break":
        found = BreakFound(
            subject="GLD", ours=Decimal(400), brokers=Decimal(500), detail="<script>alert(1)</script>"
        )
        fund.say(found, Latched(latch=Latch.BREAK, reason="GLD differs"))
    elif kind in ("hard", "closing", "request", "ramp"):
        halt(fund, kind)
    elif kind == "override":
        override(fund)


def moved(fund: MadeUpFund, trigger: Trigger, before: Mode, after: Mode, reason: str, fall: str) -> None:
    """Move the kill switch."""
    fund.say(
        ModeChanged(
            trigger=trigger, before=before, after=after, reason=reason, at=fund.now,
            drawdown_frac=Decimal(fall),
        )
    )  # fmt: skip


def halt(fund: MadeUpFund, kind: str) -> None:
    """Fall to the hard cap; close three of seven, or all; then ask to trade again, and come back."""
    moved(fund, Trigger.HARD_CAP, Mode.ACTIVE, Mode.HALTED_HARD, "the fall from the peak is 12.40%", "0.124")
    if kind == "hard":
        return
    fund.flatten(("SLV", "PPLT", "SIL") if kind == "closing" else tuple(fund.held))
    fund.count(0.0)
    if kind == "closing":
        return
    fund.say(FlatConfirmed(epoch=1, took_s=38.0))
    fund.say(Reconciled(breaks=(), positions={}, cash_usd=fund.cash_usd))
    fund.count(24.5)
    fund.say(RequestMade(request=reset_request(), monotonic_s=fund.monotonic_s, epoch=1))
    if kind == "ramp":
        fund.say(
            RequestEnded(request_id="reset-1", outcome=Outcome.APPROVED, by="OpB", reason="by a passkey")
        )
        moved(fund, Trigger.RESET_CONFIRMED, Mode.HALTED_HARD, Mode.ACTIVE, "both agreed", "0.124")
        fund.close()
        fund.session += timedelta(days=1)
        fund.weights = {symbol: 0.6 * weight for symbol, weight in fund.weights.items()}
        fund.morning(0.004)


def reset_request() -> Request:
    """Return OpA's request to trade again."""
    now = SystemClock().now()
    return Request(
        request_id="reset-1",
        act=Act.RESET,
        by=Person.OPA,
        text="Trade again after the halt of Tuesday (halt 1, by the hard cap), 12.40% below the peak. All "
        "was closed, both books agree, and the cool-off is over. Half of the normal size at once, then 60, "
        "70, 80, 90 and 100% at the next five sessions. Reason: the palladium gap is understood.",
        epoch=1,
        detail={"size": "half"},
        limits_sha="made up",
        head="1:made up",
        nonce="made up",
        made_at=now,
        expires_at=now + timedelta(minutes=10),
    )


def override(fund: MadeUpFund) -> None:
    """Fall past the soft cap, and let OpA override it."""
    fall = "the fall from the peak is 8.60%"
    moved(fund, Trigger.SOFT_CAP, Mode.ACTIVE, Mode.REDUCING, fall, "0.086")
    why = "the fall is one gap in palladium, which has filled"
    moved(fund, Trigger.OVERRIDDEN, Mode.REDUCING, Mode.ACTIVE, why, "0.086")


STORIES = {
    # what happens: (the last morning's move, the trouble)
    "green": (0.009, "green"),
    "yellow": (-0.004, "yellow"),
    "orange": (-0.12, "orange"),
    "red": (-0.011, "red"),
    "break": (0.002, "break"),
    "hard": (-0.26, "hard"),
    "closing": (-0.26, "closing"),
    "request": (-0.26, "request"),
    "ramp": (-0.26, "ramp"),
    "override": (-0.17, "override"),
}


def made_up_state(root: Path, story: str = "green", sessions: int = 45) -> StateDir:
    """Fill a state folder with a fund that has lived `sessions` and now stands as the story says."""
    root.mkdir(parents=True, exist_ok=True)
    folder = StateDir(root)
    frac, kind = STORIES[story]
    clock = SystemClock()
    with SqliteJournal(folder.journal) as journal:
        fund = MadeUpFund(journal, monotonic_s=clock.monotonic() - 3 * 86_400 - 5 * 3600)
        fund.boot()
        fund.live(sessions)
        fund.morning(frac)
        trouble(fund, kind)
    folder.exchange.mkdir(exist_ok=True)
    anchor = Anchor(
        venue_at=fund.now,
        monotonic_at=clock.monotonic(),
        wall_at=clock.now(),
        boot_id=boot_id(),
        speed=390.0,
        held_by=("picture",),
        mode="accelerated",
    )
    (folder.exchange / "venue.json").write_text(anchor.text())
    beat(folder, fund.now)
    return folder


def watch(folder: StateDir, age_s: float = 0.0) -> None:
    """Write a watchdog's word that is armed, and `age_s` old; with the seconds of a practice exchange."""
    clock, armed = SystemClock(), Progress(boot_id=boot_id(), pid=1, epoch=1, counter=1)
    fields = fields_of(
        State(watch=Watch(progress=armed)),
        Settings(alerts_s=(7.0, 13.0), flatten_s=20.0),
        beat=1,
        now_s=clock.monotonic() - age_s,
        wall_at=clock.now(),
        boot_id=boot_id(),
        pid=1,
        log=[],
        broker="ok",
    )
    Folder(folder.root).save(fields, is_durable=False)


def beat(folder: StateDir, venue_at: datetime, age_s: float = 0.0, counter: int = 1) -> None:
    """Write the daemon's sign of life as if it were `age_s` old, and a watchdog's that is fresh."""
    clock = SystemClock()
    watch(folder)
    HeartbeatFile(folder.heartbeat).write(
        Heartbeat(
            counter=counter,
            epoch=1,
            pid=1,
            boot_id=boot_id(),
            monotonic_s=clock.monotonic() - age_s,
            wall_at=clock.now() - timedelta(seconds=age_s),
            venue_at=venue_at,
            what="live",
        )
    )
