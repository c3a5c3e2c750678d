"""Orders whose sending ended in doubt, through the real client to the exchange in process.

The daemon's own kernel asks, waits and sends again; the way between client and exchange loses answers, spoils
them, lets requests hang, and lets some arrive long after everybody has given them up.
"""

import io
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any, Final

import requests
from requests.adapters import BaseAdapter
from urllib3 import HTTPResponse

from qgtm.adapters.alpaca_broker import AlpacaBroker
from qgtm.adapters.alpaca_client import Keys
from qgtm.adapters.call_budget import CallBudget
from qgtm.adapters.clock import ManualClock
from qgtm.adapters.journal import MemoryJournal
from qgtm.config import load_config
from qgtm.core.effects import AskOrder, Cancel, Effect, PollOrders, Submit
from qgtm.core.errors import BrokerError
from qgtm.core.events import (
    Booted,
    CashMoved,
    IntentFormed,
    OrderUnknown,
    SessionOpened,
    TimePassed,
    WentLive,
)
from qgtm.core.ids import client_order_id
from qgtm.core.order import Order, OrderState, Side
from qgtm.core.universe import SYMBOLS, TRADED
from qgtm.engine.desk import Desk
from qgtm.exchange.core import Exchange
from qgtm.exchange.gate import HTML, Gate, Now
from qgtm.exchange.wire import Request, request_from_url
from qgtm.features.history import History
from qgtm.live.kernel import Kernel
from qgtm.live.perform import PACE_S, World, key_of, perform
from qgtm.simulation.tape import FIRST, MARKETS, market_of

REPO: Final = Path(__file__).resolve().parents[2]
URL: Final = "http://127.0.0.1:1"
PLENTY: Final = 1_000_000  # calls a minute: the limit of calls is tried elsewhere
BATCH: Final = 10
STEP_S: Final = 2.0
HANG_S: Final = 4.8
LATEST_S: Final = 90.0  # until a request that everybody gave up arrives after all: past the second sending
DOUBT_FRAC: Final = 0.9  # of all sendings
READ_FAILS_FRAC: Final = 0.15
MANNERS: Final = ("lost", "gateway", "garbled", "cut", "hang", "late", "never")


class DoubtfulWay(BaseAdapter):
    """Carry requests to the exchange, and spoil the sending of orders in one of seven manners."""

    def __init__(self, gate: Gate, clock: ManualClock, chance: Random) -> None:
        super().__init__()
        self.gate, self.clock, self.chance = gate, clock, chance
        self.doubts: Counter[str] = Counter()
        self.late: list[tuple[float, Request]] = []
        self.is_fair = False

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        body = request.body if isinstance(request.body, bytes) else (request.body or "").encode()
        asked = request_from_url(request.method or "GET", request.url or "", body, request.headers)
        if self.is_fair:
            return self._answer(request, *self._applied(asked))
        if asked.method == "POST" and self.chance.random() < DOUBT_FRAC:
            return self._doubtful(request, asked, self.chance.choice(MANNERS))
        if asked.method == "GET" and self.chance.random() < READ_FAILS_FRAC:
            raise requests.ConnectionError("refused", request=request)
        return self._answer(request, *self._applied(asked))

    def close(self) -> None:
        """Do nothing: there is no connection."""

    def _doubtful(self, request: requests.PreparedRequest, asked: Request, manner: str) -> requests.Response:
        self.doubts[manner] += 1
        if manner == "never":
            raise requests.ConnectionError("refused", request=request)
        if manner == "late":
            self.late.append((self.clock.monotonic() + self.chance.uniform(0.0, LATEST_S), asked))
            raise requests.ReadTimeout("no answer", request=request)
        status, content = self._applied(asked)
        if manner == "lost":
            raise requests.ConnectionError("the connection was reset", request=request)
        if manner == "hang":
            self.clock.wait(HANG_S)
            raise requests.ReadTimeout("no answer", request=request)
        if manner == "cut":
            raise requests.exceptions.ChunkedEncodingError("the answer broke off", request=request)
        if manner == "gateway":
            return self._answer(request, 504, HTML)
        half = content[: len(content) // 2]
        return self._answer(request, status, self.chance.choice((HTML, b"", half, b"[]", b"{}")))

    def arrive(self) -> None:
        """Let what is late reach the exchange."""
        now_s = self.clock.monotonic()
        due = [asked for at_s, asked in self.late if at_s <= now_s]
        self.late = [(at_s, asked) for at_s, asked in self.late if at_s > now_s]
        for asked in due:
            self._applied(asked)

    def _applied(self, asked: Request) -> tuple[int, bytes]:
        at = self.clock.now()
        reply = self.gate.reply(asked, Now(at, self.clock.monotonic(), at.timestamp()))
        return reply.status, reply.content

    def _answer(self, request: requests.PreparedRequest, status: int, content: bytes) -> requests.Response:
        response = requests.Response()
        response.status_code = status
        response.headers.update({"Content-Type": "application/json"})
        response.raw = HTTPResponse(io.BytesIO(content), preload_content=False)
        response.url = request.url or ""
        response.request = request
        response.encoding = "utf-8"
        return response


@dataclass
class Doubt:
    """One fund in one session, whose orders are sent through a doubtful way."""

    seed: int
    chance: Random = field(init=False)
    waiting: list[Effect] = field(init=False, default_factory=list)
    asked_s: dict[str, float] = field(init=False, default_factory=dict)
    unknown: int = field(init=False, default=0)
    sendings: int = field(init=False, default=0)
    numbers: Counter[str] = field(init=False, default_factory=Counter)

    def __post_init__(self) -> None:
        self.chance = Random(f"{self.seed} ambiguous")
        market = market_of(self.seed % MARKETS)
        self.session = market.sessions(FIRST + timedelta(days=300), FIRST + timedelta(days=900))[
            self.seed % 300
        ]
        opened = self.session.open_at + timedelta(minutes=10)
        self.clock = ManualClock(opened)
        self.exchange = Exchange(market, start=opened, seed=self.seed, cash=Decimal(100_000_000))
        self.way = DoubtfulWay(Gate(self.exchange, per_minute=PLENTY), self.clock, self.chance)
        budget = CallBudget(self.clock.monotonic, PLENTY, PLENTY)
        self.broker = AlpacaBroker(Keys("PKTEST", "any"), URL, budget, adapter=self.way)
        self.world = World(self.broker, None, self.clock, lambda: True)  # type: ignore[arg-type]
        limits, history = load_config(REPO / "qgtm_config.toml", {}).limits, History(SYMBOLS)
        desk = Desk(limits, (), history)
        self.kernel = Kernel(desk, history, MemoryJournal(), self.waiting.append)
        self.kernel.take_all(self._beginning(opened), opened)

    def _beginning(self, opened: datetime) -> list[Any]:
        booted = Booted(
            epoch=1, version="0", venue="test", manifest_sha="", config_sha="", account_number="",
            strategies=(), strategies_total=0,
        )  # fmt: skip
        day = SessionOpened(
            session=self.session.day, open_at=self.session.open_at, close_at=self.session.close_at
        )
        cash = CashMoved(activity_id="start", kind="start", amount_usd=Decimal(100_000_000))
        return [booted, cash, WentLive(epoch=1), day]

    def run(self, doubts: int) -> None:
        """Send orders until so many sendings ended in doubt, then let all be well and settle."""
        while sum(self.way.doubts.values()) < doubts:
            self._batch()
            self._turns(12)
        self.way.is_fair = True
        self._turns(int(LATEST_S / STEP_S) + 30)

    def _batch(self) -> None:
        for symbol in self.chance.sample(TRADED, BATCH):
            mark = self.exchange.desk.mark(symbol)
            self.numbers[symbol] += 1
            side = self.chance.choice((Side.BUY, Side.SELL)) if self._qty(symbol) else Side.BUY
            free = max(Decimal(1), abs(self._qty(symbol)) // 3)
            order = Order(
                client_order_id=client_order_id(
                    1, "rebalance", self.session.day, symbol, self.numbers[symbol]
                ),
                symbol=symbol,
                side=side,
                quantity=min(Decimal(self.chance.randint(1, 30)), free if side is Side.SELL else Decimal(30)),
                limit_price=(mark * Decimal(1 + side.sign * self.chance.choice((-0.01, 0.005)))).quantize(
                    Decimal("0.01")
                ),
                arrival_price=mark,
                formed_at=self.clock.now(),
            )
            self.kernel.take(IntentFormed(order=order, session=self.session.day), self.clock.now())
            self._do(Submit(order))

    def _qty(self, symbol: str) -> Decimal:
        return self.exchange.desk.ledger.qty(symbol)

    def _turns(self, count: int) -> None:
        for _ in range(count):
            self.clock.wait(STEP_S)
            self.way.arrive()
            self.exchange.advance(self.clock.now())
            self._pass_time()
            waiting, self.waiting[:] = list(self.waiting), []
            for effect in waiting:
                self._do(effect)

    def _pass_time(self) -> None:
        now = self.clock.now()
        passed = TimePassed(
            session=self.session.day,
            open_at=self.session.open_at,
            close_at=self.session.close_at,
            is_open=now < self.session.close_at,
            monotonic_s=self.clock.monotonic(),
        )
        self.kernel.take(passed, now)

    def _do(self, effect: Effect) -> None:
        if not isinstance(effect, Submit | AskOrder | PollOrders | Cancel) or not self._is_due(effect):
            return
        self.sendings += isinstance(effect, Submit)
        try:
            events = perform(effect, self.world)
        except BrokerError:
            return
        for event in events:
            self.unknown += isinstance(event, OrderUnknown)
            self.kernel.take(event, self.clock.now())

    def _is_due(self, effect: Effect) -> bool:
        """Pace as the daemon's hands do: one of a kind, and not the same question at once."""
        now_s, key = self.clock.monotonic(), key_of(effect)
        is_due = now_s - self.asked_s.get(key, float("-inf")) >= PACE_S.get(type(effect), 0.0)
        if is_due:
            self.asked_s[key] = now_s
        return is_due

    # -- what came of it -------------------------------------------------------------------

    def doubled(self) -> list[str]:
        """Return every order of the exchange that is no intent's own, or one of two of one intent."""
        ours, there = self.kernel.state.orders, self._there()
        count = Counter(order.client_order_id for order in there)
        twice = [f"{name} is there {n} times" for name, n in count.items() if n > 1]
        strange = [f"{o.client_order_id} has no intent" for o in there if o.client_order_id not in ours]
        more = [
            f"{o.client_order_id} filled {o.filled_qty} of {ours[o.client_order_id].quantity}"
            for o in there
            if o.client_order_id in ours and o.filled_qty > ours[o.client_order_id].quantity
        ]
        return twice + strange + more

    def forgotten(self) -> list[str]:
        """Return every order of which both sides do not know the same."""
        there = {order.client_order_id: order for order in self._there()}
        found = []
        for name, order in self.kernel.state.orders.items():
            theirs = there.get(name)
            filled = theirs.filled_qty if theirs else Decimal(0)
            is_open = theirs is not None and theirs.status in ("new", "accepted", "partially_filled")
            if order.filled_quantity != filled:
                found.append(f"{name}: we count {order.filled_quantity}, the exchange {filled}")
            elif order.state in (OrderState.UNKNOWN, OrderState.FORMED):
                found.append(f"{name} is still {order.state}")
            elif is_open and not order.is_live:
                found.append(f"{name} is {order.state} here and works there")
        held = {s: p.quantity for s, p in self.kernel.state.positions.items() if p.quantity}
        truth = {s: lot.qty for s, lot in self.exchange.desk.ledger.lots.items() if lot.qty}
        return found + ([f"positions: {held} and {truth}"] if held != truth else [])

    def _there(self) -> list[Any]:
        return list(self.exchange.orders("all", self.clock.now()))


def submits(seed: int, doubts: int) -> dict[str, Any]:
    """Return what came of one fund's session with at least so many sendings in doubt."""
    fund = Doubt(seed)
    fund.run(doubts)
    fund.broker.close()
    doubled, forgotten = fund.doubled(), fund.forgotten()
    return {
        "doubts": sum(fund.way.doubts.values()),
        "manners": dict(fund.way.doubts),
        "intents": len(fund.kernel.state.orders),
        "accepted": len(fund._there()),
        "unknown": fund.unknown,
        "sendings": fund.sendings,
        "doubled": len(doubled),
        "forgotten": len(forgotten),
        "broken": [*doubled, *forgotten],
    }
