"""How long from the sample that confirms a hard cap to the last closing order, with twenty positions.

In process: the daemon's own kernel, a journal on the disk, synchronous as live, and the exchange's core
behind the daemon's ports. `python -m benchmarks.reaction [ROUNDS]` prints the median and the 99th percentile.
"""

import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from qgtm.adapters.clock import ManualClock
from qgtm.adapters.journal import SqliteJournal
from qgtm.config import load_config
from qgtm.core.effects import Effect
from qgtm.core.events import (
    AccountSampled,
    Booted,
    CashMoved,
    Event,
    IntentFormed,
    OrderUpdated,
    SessionOpened,
    WentLive,
)
from qgtm.core.order import Order, OrderState, Side
from qgtm.core.universe import SYMBOLS, TRADED
from qgtm.engine.desk import Desk
from qgtm.features.history import History
from qgtm.live.kernel import Kernel
from qgtm.live.perform import World, perform
from qgtm.ports import BrokerPosition

REPO = Path(__file__).resolve().parents[1]
SESSION = date(2026, 1, 6)
OPENS = datetime(2026, 1, 6, 14, 30, tzinfo=UTC)
NOON = datetime(2026, 1, 6, 17, 0, tzinfo=UTC)
CASH, SHARES, PRICE = Decimal(1_000_000), Decimal(450), Decimal(100)
GOAL_S = 1.0


class Broker:
    """Twenty positions, and an answer to every order at once."""

    def __init__(self) -> None:
        self.sent: list[Order] = []

    def cancel_all(self) -> None:
        """Cancel nothing: nothing rests."""

    def positions(self) -> tuple[BrokerPosition, ...]:
        """Return the positions."""
        held = {"quantity": SHARES, "available": SHARES, "mark": PRICE, "mean_entry_price": PRICE}
        return tuple(BrokerPosition(symbol=symbol, **held) for symbol in TRADED)

    def submit(self, order: Order) -> object:
        """Take an order."""
        from qgtm.core.outcome import Accepted

        self.sent.append(order)
        return Accepted(f"b{len(self.sent)}")


@dataclass
class Bench:
    """One fund just before its hard cap, on a journal of its own."""

    folder: Path

    def __post_init__(self) -> None:
        limits = load_config(REPO / "qgtm_config.toml", {}).limits
        self.clock, self.broker = ManualClock(NOON), Broker()
        history = History(SYMBOLS)
        self.journal = SqliteJournal(self.folder / "journal.db")
        self.world = World(self.broker, None, self.clock, lambda: True)  # type: ignore[arg-type]
        self.waiting: list[Effect] = []
        self.kernel = Kernel(Desk(limits, (), history), history, self.journal, self.waiting.append)
        self.kernel.take_all(begin(), NOON)

    def sample(self, equity: int, at_s: float) -> None:
        """Let the account be sampled, and do what follows from it to the end."""
        mark = PRICE - (CASH - equity) / (SHARES * len(TRADED))
        cash = CASH - SHARES * PRICE * len(TRADED)
        self.kernel.take(
            AccountSampled(
                equity_usd=Decimal(equity),
                cash_usd=cash,
                last_equity_usd=CASH,
                marks=dict.fromkeys(TRADED, mark),
                is_blocked=False,
                monotonic_s=at_s,
            ),
            NOON,
        )
        self.work()

    def work(self) -> None:
        """Perform what is wanted, one after the other, as the urgent worker does."""
        while self.waiting:
            effect = self.waiting.pop(0)
            for event in perform(effect, self.world):
                self.kernel.take(event, NOON)


def begin() -> list[Event]:
    """Return the facts of a fund that holds twenty positions."""
    booted = Booted(
        epoch=1,
        version="0",
        venue="bench",
        manifest_sha="",
        config_sha="",
        account_number="",
        strategies=(),
        strategies_total=0,
    )
    facts: list[Event] = [
        booted,
        CashMoved(activity_id="start", kind="start", amount_usd=CASH),
        WentLive(epoch=1),
        SessionOpened(session=SESSION, open_at=OPENS, close_at=OPENS + timedelta(hours=6, minutes=30)),
    ]
    for symbol in TRADED:
        name = f"qgtm-1-trade-20260106-{symbol}-0"
        order = Order(
            client_order_id=name,
            symbol=symbol,
            side=Side.BUY,
            quantity=SHARES,
            limit_price=PRICE,
            arrival_price=PRICE,
            formed_at=NOON,
            shares={"residual": SHARES},
        )
        facts.append(IntentFormed(order=order, session=SESSION))
        facts.append(
            OrderUpdated(
                client_order_id=name,
                broker_order_id=name,
                state=OrderState.FILLED,
                filled_quantity=SHARES,
                filled_price=PRICE,
                updated_at=NOON,
            )
        )
    return facts


def reaction_s() -> float:
    """Return the seconds from the confirming sample to the last closing order of one fund."""
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder))
        for n, equity in enumerate((1_000_000,) * 3 + (870_000,) * 2):
            bench.sample(equity, 10.0 * n)
        if bench.broker.sent:
            raise RuntimeError("two samples must not trip a cap")
        began = time.perf_counter()
        bench.sample(870_000, 50.0)
        took_s = time.perf_counter() - began
        closed = {order.symbol for order in bench.broker.sent}
        bench.journal.close()
    if closed != set(TRADED):
        raise RuntimeError(f"not all was closed: {sorted(set(TRADED) - closed)} lack")
    return took_s


def percentile(values: list[float], part: float) -> float:
    """Return the value below which `part` of all lie, the worse of two neighbours."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]


def main(rounds: int) -> int:
    """Print the figures; return 1 when the goal is missed."""
    took = [reaction_s() for _ in range(rounds)]
    worst = percentile(took, 0.99)
    print(
        f"{rounds} hard caps with {len(TRADED)} positions, from the confirming sample to the last order: "
        f"median {1000 * percentile(took, 0.5):.1f} ms, p99 {1000 * worst:.1f} ms (goal {GOAL_S:.0f} s)"
    )
    return int(worst >= GOAL_S)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 200))
