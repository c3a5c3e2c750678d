"""What must come about within a time, counted while nothing stands in the way."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from qgtm.simulation.checker.exposure import live_of
from qgtm.simulation.trace import Mark

if TYPE_CHECKING:
    from qgtm.simulation.checker.check import Checker

HALF: Final = Decimal("0.5")
FLAT_S: Final = 60.0
CANCEL_S: Final = 30.0
LOST_CANCEL_S: Final = 35.0
HALVE_S: Final = 600.0
FOUND_S: Final = 1_200.0
OF_THE_DAEMON: Final = frozenset(
    {"window", "down", "paused", "fenced", "disk", "tampered", "clock", "stream"}
)
NOT_OF_READING: Final = frozenset({"thin", "window", "fenced"})  # keep nobody from looking and cancelling
CALLS_S: Final = 5.0  # a call that is under way when the time is over


@dataclass
class Promise:
    """One thing that must be true by `within_s` seconds without an obstacle; asked at each mark."""

    invariant: str
    within_s: float
    is_kept: Callable[["Checker"], bool]
    says: Callable[["Checker"], str]
    is_void: Callable[["Checker"], bool]
    unheeded: frozenset[str] = frozenset({"thin", "window"})  # obstacles that do not stop this clock
    since_s: float | None = None
    spent_s: float = 0.0

    def weather(self, process_s: float, obstacles: frozenset[str]) -> None:
        """Stop the clock while something stands in the way."""
        if self.since_s is not None:
            self.spent_s += process_s - self.since_s
            self.since_s = None
        if not obstacles - self.unheeded:
            self.since_s = process_s

    def verdict(self, checker: "Checker", mark: Mark) -> str | None:
        """Return "" when kept or void, what is wrong when the time is over, None while it runs."""
        if self.is_void(checker) or self.is_kept(checker):
            return ""
        running_s = 0.0 if self.since_s is None else mark.process_s - self.since_s
        if self.spent_s + running_s <= self.within_s + CALLS_S:
            return None
        return self.says(checker)


def promises_of(checker: "Checker", mark: Mark, kind: str, *about: Any) -> Iterator[Promise]:
    """Yield what a mark, or a move of the switch, promises."""
    make = _PROMISES.get(kind)
    for promise in make(checker, *about) if make else ():
        promise.weather(mark.process_s, checker.obstacles)
        yield promise


def _held_open(now: "Checker") -> list[str]:
    desk = now.exchange.desk
    lots = sorted(symbol for symbol, lot in desk.ledger.lots.items() if lot.qty)
    return [symbol for symbol in lots if desk.halt_at(symbol, desk.now) is None]


def _untold(now: "Checker") -> list[str]:
    """Return what a daemon that may send nothing, since another has the lease, has not named as held."""
    since_s = now.known.halted_s or 0.0
    said = [text for at_s, _, cause, text in now.known.alerts if cause == "not flat" and at_s >= since_s]
    return [symbol for symbol in _held_open(now) if not any(f" {symbol}" in text for text in said)]


def _is_unfenced(now: "Checker") -> bool:
    return not {"fenced", "paused"} & now.obstacles  # who wakes is seen to be fenced a moment later


def _halted(checker: "Checker", before: str) -> Iterator[Promise]:
    seq = checker.known.halted_seq
    early = [
        order.client_order_id
        for order in checker.exchange.desk.book.live.values()
        if "-flatten-" not in order.client_order_id
    ]

    def is_over(now: "Checker") -> bool:
        return now.known.halted_seq != seq

    def left(now: "Checker") -> list[str]:
        live = now.exchange.desk.book.by_client_id
        return [order_id for order_id in early if live[order_id].is_live]

    yield Promise(
        "V5",
        CANCEL_S,
        lambda now: not left(now),
        lambda now: f"{left(now)} still live after the halt",
        is_over,
        unheeded=NOT_OF_READING,
    )
    if not _is_unfenced(checker):
        yield Promise(
            "V7",
            FLAT_S,
            lambda now: not _untold(now),
            lambda now: f"{_untold(now)} held, nobody may close it, and that was not told within the minute",
            lambda now: is_over(now) or _is_unfenced(now),
            unheeded=NOT_OF_READING,
        )
    yield Promise(
        "V7",
        FLAT_S,
        lambda now: not _held_open(now),
        lambda now: f"{_held_open(now)} not flat a minute after the halt",
        is_over,
        unheeded=frozenset({"window"}),
    )


def _closing(checker: "Checker", act: str, reason: str) -> Iterator[Promise]:
    """Promise that the watchdog closes everything, whatever has become of the daemon."""

    def held(now: "Checker") -> list[str]:
        desk = now.exchange.desk
        lots = sorted(symbol for symbol, lot in desk.ledger.lots.items() if lot.qty)
        return [symbol for symbol in lots if desk.halt_at(symbol, desk.now) is None]

    if act == "flatten":
        yield Promise(
            "V15",
            FLAT_S,
            lambda now: not held(now),
            lambda now: f"{held(now)} not flat a minute after the watchdog fired",
            lambda now: False,
            unheeded=OF_THE_DAEMON,
        )


def _reducing(checker: "Checker", before: str) -> Iterator[Promise]:
    seq, splits = checker.known.halted_seq, checker.splits
    marks = {symbol: checker.exchange.desk.mark(symbol) for symbol in checker.exchange.desk.ledger.lots}
    held = {symbol: abs(lot.qty) for symbol, lot in checker.exchange.desk.ledger.lots.items()}
    most = HALF * sum((held[s] * marks[s] for s in held), Decimal(0)) + sum(marks.values(), Decimal(0))

    def above(now: "Checker") -> list[str]:
        """Return what is held of too much at the prices of the trigger; halted symbols are no fault.

        Nor is one that another hand moved: the next comparison of both books finds that, and locks.
        """
        desk = now.exchange.desk
        left = {
            s: abs(desk.ledger.lots[s].qty) for s in (marks.keys() & desk.ledger.lots.keys()) - now.drifted
        }
        open_ = [s for s in left if desk.halt_at(s, desk.now) is None]
        is_over = sum((left[s] * marks[s] for s in open_), Decimal(0)) > most
        return sorted(s for s in open_ if left[s] > held[s] * HALF + 1) if is_over else []

    yield Promise(
        "V6",
        HALVE_S,
        lambda now: not above(now),
        lambda now: f"{above(now)} not halved ten minutes after the soft cap",
        lambda now: now.known.halted_seq != seq or bool(now.known.latches) or now.splits != splits,
        unheeded=frozenset({"window"}),
    )


def _lost(checker: "Checker") -> Iterator[Promise]:
    early = [order.client_order_id for order in checker.exchange.desk.book.live.values()]

    def left(now: "Checker") -> list[str]:
        live = now.exchange.desk.book.by_client_id
        return [order_id for order_id in early if live[order_id].is_live]

    yield Promise(
        "V14",
        LOST_CANCEL_S,
        lambda now: not left(now),
        lambda now: f"{left(now)} still live after the stream was lost",
        lambda now: False,
        unheeded=NOT_OF_READING | {"stream"},
    )


def _drifted(checker: "Checker", symbol: str, shares: Decimal) -> Iterator[Promise]:
    checker.drifted.add(symbol)

    def is_found(now: "Checker") -> bool:
        return symbol in now.known.breaks or bool(now.known.halted_s)

    yield Promise(
        "V13",
        FOUND_S,
        is_found,
        lambda now: f"{shares} shares of {symbol} by another hand were not found",
        lambda now: bool(live_of(now.exchange, symbol)) and is_found(now),
        unheeded=NOT_OF_READING,
    )


_PROMISES: Final[dict[str, Callable[..., Iterator[Promise]]]] = {
    "halted_hard": _halted,
    "halted_dead_man": _halted,
    "fires": _closing,
    "reducing": _reducing,
    "lost": _lost,
    "drift": _drifted,
}
