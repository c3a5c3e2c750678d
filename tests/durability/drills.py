"""Hard caps, dead daemons, drifts and broken streams in the simulation, timed by the exchange's own truth.

A drill is a day without weather in which one thing happens, at a random moment of the open market, with a
book that the strategies have filled. The simulation's checker listens as ever.
"""

from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from random import Random
from typing import Any, Final, Literal, TypeVar

from qgtm.adapters.calendar import Session
from qgtm.adapters.chain import Row
from qgtm.config import Config, load_config
from qgtm.core.universe import TRADED
from qgtm.exchange.order import OrderRequest, Refusal
from qgtm.simulation.fault import bend
from qgtm.simulation.process import Life
from qgtm.simulation.run import empty_folder
from qgtm.simulation.story import Story
from qgtm.simulation.trace import Mark

REPO: Final = Path(__file__).resolve().parents[2]
FILLED_AFTER: Final = timedelta(minutes=14)  # by then the strategies have a book
FLAT_S: Final = 60.0
LIMIT_S: Final = 900.0
FOUND_S: Final = 15.0  # a fill that the stream did not tell of
SEEDS: Final = 1_000  # between the seeds of two jobs
TRIES: Final = 3  # worlds for one drill: some have no book to fall with


@dataclass
class Drill(Story):
    """A day in which one thing happens: subclasses say what. `took_s` are the seconds that count."""

    took_s: list[float] = field(init=False, default_factory=list)
    began_s: float | None = field(init=False, default=None)
    notes: list[str] = field(init=False, default_factory=list)  # what was not as it must be
    _seen: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.own = Random(f"{self.seed} drill")
        self.prepare()

    def prepare(self) -> None:
        """Plan what happens."""
        raise NotImplementedError

    @property
    def day(self) -> Session:
        return self.sessions[0]

    @property
    def held(self) -> dict[str, Decimal]:
        """Return what the exchange counts."""
        return {symbol: lot.qty for symbol, lot in self.exchange.desk.ledger.lots.items() if lot.qty}

    def sometime(self, before_close_s: float, act: Any) -> None:
        """Plan an act for a random moment of the open market."""
        first = self.day.open_at + FILLED_AFTER
        span_s = (self.day.close_at - first).total_seconds() - before_close_s
        self.line.at(first + timedelta(seconds=self.own.uniform(0, span_s)), act)

    def new_rows(self) -> list[Row]:
        """Return the journal's rows since the last look."""
        rows, self._seen = self.disk.rows[self._seen :], len(self.disk.rows)
        return rows


# --- flat ---------------------------------------------------------------------------------------


@dataclass
class Flattened(Drill):
    """A day that ends once nothing is held at the exchange."""

    def _hear(self, mark: Mark) -> None:
        super()._hear(mark)
        if mark.what == "fill" and self.began_s is not None and not self.took_s and not self.held:
            self.took_s.append(mark.process_s - self.began_s)
            self.line.after(FLAT_S, self._end)


@dataclass
class Falling(Flattened):
    """The fund falls past its hard cap; time runs from the halt in the journal."""

    def prepare(self) -> None:
        self.sometime(600, self._fall)

    def _fall(self) -> None:
        if not bend(self, Decimal(f"{self.own.uniform(0.123, 0.2):.4f}")):
            self._end()
        self.needs_seconds(400)
        self.line.after(380, self._end)

    def _hear(self, mark: Mark) -> None:
        if mark.what == "head" and self.began_s is None:
            is_halted = any(r.kind == "ModeChanged" and "halted_hard" in r.body for r in self.new_rows())
            self.began_s = mark.process_s if is_halted else None
        super()._hear(mark)


@dataclass
class Dying(Flattened):
    """The daemon dies, or stands still and wakes up later; time runs from its last heartbeat."""

    def prepare(self) -> None:
        self.sometime(1_500, self._die)

    def _die(self) -> None:
        beat = self.disk.beat
        if not self.held or beat is None or not self.life.is_alive:
            self._end()
            return
        self.began_s = beat.monotonic_s
        self.needs_seconds(1_400)
        if self.own.random() < 0.5:
            self.life.paused_until_s = self.line.process_s + self.own.uniform(1_000, 1_200)
            self.strike("pause")
        else:
            self.is_down, self.crash_in = True, 1
            self.strike("long stop")
        self.line.after(1_300, self._end)


# --- drift --------------------------------------------------------------------------------------


@dataclass
class Drifting(Drill):
    """Somebody trades behind the daemon's back, symbol after symbol, each as soon as the last was found."""

    traded: dict[str, Decimal] = field(init=False, default_factory=dict)
    last: str = field(init=False, default="")

    def prepare(self) -> None:
        self.left = self.own.sample(TRADED, len(TRADED))
        self.line.at(self.day.open_at + FILLED_AFTER, self._trade)
        self.line.at(self.day.close_at - timedelta(minutes=2), self._settle)

    def _trade(self) -> None:
        if not self.left or self.line.venue_at > self.day.close_at - timedelta(minutes=20):
            self._settle()
            return
        self.last = self.left.pop()
        lot = self.held.get(self.last, Decimal(0))
        side: Literal["buy", "sell"] = "sell" if lot > 0 else "buy"
        shares = Decimal(self.own.randint(1, min(40, int(abs(lot)) or 40)))
        asked = OrderRequest(symbol=self.last, side=side, kind="market", qty=shares)
        answer = self.exchange.submit(asked, self.line.venue_at)
        if isinstance(answer, Refusal):
            self._trade()
            return
        self.meddled.add(answer.client_order_id)
        self.strike("manual trade", self.last, str(shares))
        self.needs_seconds(2_000)
        self.traded[self.last] = lot + (shares if side == "buy" else -shares)
        self.began_s = self.line.process_s

    def _hear(self, mark: Mark) -> None:
        super()._hear(mark)
        if mark.what != "head" or self.began_s is None:
            return
        if any(row.kind == "BreakFound" and f'"{self.last}"' in row.body for row in self.new_rows()):
            self.took_s.append(mark.process_s - self.began_s)
            self.began_s = None
            self.line.after(self.own.uniform(1, 60), self._trade)

    def _settle(self) -> None:
        """See that every drift was found, and that none was mended."""
        if self.began_s is not None:
            self.notes.append(f"a drift in {self.last} was not found")
        self.notes += [
            f"{symbol} was at {shares} and is at {self.held.get(symbol, 0)}: corrected"
            for symbol, shares in self.traded.items()
            if self.held.get(symbol, Decimal(0)) != shares
        ]
        self._end()


# --- streams ------------------------------------------------------------------------------------


@dataclass
class Streamless(Drill):
    """The stream breaks again and again while orders fill."""

    resyncs_s: list[float] = field(init=False, default_factory=list)
    due_s: float | None = field(init=False, default=None)
    filled: dict[str, Decimal] = field(init=False, default_factory=dict)
    unknown: dict[str, float] = field(init=False, default_factory=dict)  # fills that are not in the journal

    def prepare(self) -> None:
        habits = self.exchange.desk.habits
        self.exchange.desk.habits = replace(habits, partial_fill_frac=0.9, refill_s=5.0)
        self.line.at(self.day.open_at + timedelta(minutes=4), self._drop)
        self.line.at(self.day.open_at + timedelta(minutes=30), self._settle)

    def _drop(self) -> None:
        self.drop_stream()
        self.needs_seconds(30)
        self.line.after(self.own.uniform(2, 20), self._drop)

    def rest(self, seconds: float, is_enough: Any, life: Life) -> None:
        self._look()
        super().rest(seconds, is_enough, life)

    def _look(self) -> None:
        """Time the way from the stream's return to both books compared."""
        is_live = self.state is not None and self.state.is_live and self.rig is not None
        is_due = is_live and self.rig is not None and self.rig.is_resync_due
        if is_due and self.due_s is None:
            self.due_s = self.line.process_s
        elif not is_due and self.due_s is not None:
            self.resyncs_s.append(self.line.process_s - self.due_s)
            self.due_s = None

    def _hear(self, mark: Mark) -> None:
        super()._hear(mark)
        if mark.what == "fill":
            name, shares = mark.about[0], mark.about[3]
            self.filled[name] = self.filled.get(name, Decimal(0)) + shares
            self.unknown.setdefault(name, mark.process_s)
        elif mark.what == "head" and self.state is not None:
            for name in [each for each in self.unknown if self._is_known(each)]:
                self.took_s.append(mark.process_s - self.unknown.pop(name))

    def _is_known(self, name: str) -> bool:
        """Return whether the journal has counted all that has filled."""
        rows = [r for r in self.disk.rows[-50:] if r.kind == "OrderUpdated" and f'"{name}"' in r.body]
        return any(f'"filled_quantity":"{self.filled[name]:f}"' in row.body for row in rows)

    def _settle(self) -> None:
        now_s = self.line.process_s
        self.notes += [
            f"a fill of {name} was not found" for name, at_s in self.unknown.items() if now_s - at_s > FOUND_S
        ]
        self._end()


# --- how many -----------------------------------------------------------------------------------

D = TypeVar("D", bound=Drill)


@cache
def config() -> Config:
    return load_config(REPO / "qgtm_config.toml", {})


def lived(seed: int, kind: type[D]) -> D:
    """Return one day with its drill, lived through."""
    with empty_folder() as folder:
        drill = kind(seed, 1, config(), folder, only=frozenset())
        drill.run()
    return drill


def told(drill: Drill) -> list[str]:
    """Return what the checker and the drill itself found broken."""
    said = [f"{violation.invariant}: {violation.text}" for violation in drill.checker.violations]
    return [f"seed {drill.seed}: {text}" for text in [*said, *drill.notes]]


def flattened(seed: int, count: int, kind: type[Flattened], within_s: float) -> dict[str, Any]:
    """Return how long it took until nothing was held, of so many drills; days without a book do not count."""
    took_s: list[float] = []
    broken: list[str] = []
    tried = 0
    while len(took_s) < count and tried < TRIES * count:
        drill = lived(SEEDS * seed + tried, kind)
        tried += 1
        broken += told(drill)
        if drill.began_s is not None:
            took_s += drill.took_s or [float("inf")]
            broken += [] if drill.took_s else [f"seed {drill.seed}: never flat, {drill.held} are left"]
            broken += [f"seed {drill.seed}: flat after {s:.0f} s" for s in drill.took_s if s > within_s]
    return {"drills": len(took_s), "tried": tried, "took": rounded(took_s), "broken": broken}


def rounded(values: list[float]) -> list[float]:
    return [round(value, 2) for value in values]


def hard_caps(seed: int, count: int) -> dict[str, Any]:
    return flattened(seed, count, Falling, FLAT_S)


def dead_men(seed: int, count: int) -> dict[str, Any]:
    return flattened(seed, count, Dying, LIMIT_S + FLAT_S)


def drifts(seed: int, count: int) -> dict[str, Any]:
    """Return how long it took until each drift was found; one that is corrected, or not found, is broken."""
    took_s: list[float] = []
    broken: list[str] = []
    tried = 0
    while len(took_s) < count and tried < TRIES * count:
        drill = lived(SEEDS * seed + tried, Drifting)
        tried += 1
        took_s += drill.took_s
        broken += told(drill)
    return {"drills": len(took_s), "tried": tried, "took": rounded(took_s), "broken": broken}


def reconnects(seed: int, count: int) -> dict[str, Any]:
    """Return how long both books took to be compared after a reconnect, and a fill to be known meanwhile."""
    resyncs_s: list[float] = []
    fills_s: list[float] = []
    broken: list[str] = []
    tried = 0
    while len(resyncs_s) < count and tried < TRIES * count:
        drill = lived(SEEDS * seed + tried, Streamless)
        tried += 1
        resyncs_s += drill.resyncs_s
        fills_s += drill.took_s
        broken += told(drill)
    broken += [f"a fill was known after {s:.0f} s" for s in fills_s if s > FOUND_S]
    took = {"took": rounded(resyncs_s), "fills": rounded(fills_s)}
    return {"drills": len(resyncs_s), "tried": tried, **took, "broken": broken}
