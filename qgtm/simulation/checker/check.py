"""The checker itself: it hears every mark, and says which invariant is broken and by what."""

from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Final, NamedTuple

from qgtm.exchange.core import Exchange
from qgtm.simulation.checker.calm import calm_problems
from qgtm.simulation.checker.deployed import Deployment
from qgtm.simulation.checker.episode import Episode, Ramp, day_in_new_york
from qgtm.simulation.checker.exposure import exposure_problem, live_of, size_problem, truth_of
from qgtm.simulation.checker.known import RAMP, ZERO, Bounds, Intent, Known, Row, body_of, seconds_between
from qgtm.simulation.checker.promise import Promise, promises_of
from qgtm.simulation.checker.yes import why_no_yes
from qgtm.simulation.trace import Mark

QUOTE_AGE_S: Final = 65.0  # seconds that a quote may be old when an order is formed on it
CALLS_A_MINUTE: Final = 160  # the daemon's share of the broker's two hundred
BY_THE_CLOCK: Final = frozenset({"closed", "thin", "window"})  # what no fault of the broker's or ours makes
EQUITY_AGE_S: Final = 90.0  # how old the equity may be that an order is sized by
COOL_OFF_S: Final = 86_400.0
SAMPLES_S: Final = 240.0
NEARLY: Final = Decimal("1.004")  # two counts of one equity may differ a little
DRIFTED: Final = Decimal("1.01")  # and by as much as is still believed while another hand's trade is unfound
RECOVERED: Final = Decimal("0.75")  # of the soft cap: above it the episode goes on
FLOWS: Final = ("CSD", "CSW")
CAPS: Final = ("soft_cap", "hard_cap", "heartbeat_lost")
SAFER: Final = {"active": 0, "reducing": 1, "halted_dead_man": 2, "halted_hard": 3}
SILENCE_S: Final = 900.0
REACT_S: Final = 12.0
BOOT_S: Final = 30.0
CASH_USD: Final = Decimal("0.01")


class Violation(NamedTuple):
    """What must never happen, and did: the invariant's id, the mark, a sentence."""

    invariant: str
    mark: int
    at: str
    text: str


_NO_MARK: Final = Mark(0, 0.0, datetime.min.replace(tzinfo=UTC), "", ())


@dataclass
class Checker:
    """Hold the invariants over one world.

    `rows` is the durable image, which grows; `bounds` come from the configuration file. What is found is kept
    in `violations`, and `stop` is called with each.
    """

    exchange: Exchange
    rows: Sequence[Row]
    bounds: Bounds
    lease_epoch: Callable[[], int]
    beat_s: Callable[[], float | None]
    stop: Callable[[Violation], None] = lambda violation: None
    known: Known = field(default_factory=Known)
    violations: list[Violation] = field(default_factory=list)
    held: Counter[str] = field(default_factory=Counter)  # how often each invariant was asked
    promises: list[Promise] = field(default_factory=list)
    obstacles: frozenset[str] = frozenset()
    clear_s: float = 0.0
    slept_s: float = float("-inf")  # when the watchdog was last asleep or gone
    fired_at_beat: float | None = None
    positions: dict[str, Decimal] = field(default_factory=dict)
    sent: dict[str, tuple[float, int]] = field(
        default_factory=dict
    )  # the last sending: when, after which row
    accepted: dict[str, float] = field(default_factory=dict)
    _recent: deque[tuple[float, str]] = field(default_factory=lambda: deque(maxlen=400))
    worths: deque[tuple[float, Decimal]] = field(default_factory=lambda: deque(maxlen=200))
    units: deque[tuple[float, Decimal]] = field(default_factory=lambda: deque(maxlen=50))
    count: Decimal = ZERO  # of units, by our own account of what the owners moved
    doubt: Decimal = ZERO  # by how much another price of those moves would shift a unit's value
    peak_unit: Decimal = Decimal(1)
    flows_seen: int = 0
    busted: set[str] = field(default_factory=set)  # orders with a trade that was taken back or corrected
    drifted: set[str] = field(default_factory=set)  # symbols that another hand moved, until a person knew
    splits: int = 0
    is_flipped: bool = False
    episode: Episode = field(default_factory=Episode)
    ramp: Ramp = field(default_factory=Ramp)
    deployment: Deployment = field(default_factory=Deployment)
    in_force: list[tuple[int, Bounds]] = field(default_factory=list)  # from which row on
    resets_since: int = 0
    left: tuple[Any, ...] = ()  # what the last process that died knew of the switch
    day: int = 0
    reached: set[tuple[int, str]] = field(default_factory=set)  # which caps acted on which day
    requests: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    keys: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)
    yes: Mapping[str, Any] | None = None
    halted_at: datetime | None = None
    _calls: deque[float] = field(default_factory=deque)
    _started_s: float | None = None
    _reading: bool = False
    _seen: int = 0
    _boot_is_tampered: bool = False
    _day_from: int = 0
    _now: Mark = _NO_MARK

    def hear(self, mark: Mark) -> None:
        """Take one mark in, and judge all that it bears on."""
        self._now = mark
        hear = _HEARD.get(mark.what)
        if hear is not None:
            hear(self, mark, *mark.about)
        if self.promises:
            self._hold_promises()
        self._watch_silence(mark)

    def broken(self, invariant: str, text: str) -> None:
        """Say that an invariant is broken."""
        at = self._now.venue_at.isoformat()
        found = Violation(invariant, self._now.number, at, text)
        self.violations.append(found)
        self.stop(found)

    def asked(self, invariant: str) -> None:
        """Count that an invariant was put to the test."""
        self.held[invariant] += 1

    # -- the record ------------------------------------------------------------------------

    def read_rows(self) -> None:
        """Read what has become durable since the last look."""
        for row in self.rows[self._seen :]:
            self._seen += 1
            self._read(row)

    def _read(self, row: Row) -> None:
        known = self.known
        self.asked("V21")
        if row.seq != known.seq + 1 or row.prev_hash != known.head or known.hash_of(row) != row.hash:
            self.broken("V21", f"row {row.seq} ({row.kind}) does not follow from the row before it")
        known.seq, known.head = row.seq, row.hash
        take = _ROWS.get(row.kind)
        if take is not None:
            take(self, row, body_of(row))

    def _head(self, mark: Mark, seq: int, head: str) -> None:
        self.read_rows()

    # -- requests --------------------------------------------------------------------------

    def _send(self, mark: Mark, method: str, life: int, client_order_id: str = "", outcome: str = "") -> None:
        self._count_call(mark)
        if method != "POST /orders":
            return
        self.read_rows()
        self.asked("V3")
        if client_order_id not in self.known.intents:
            self.broken("V3", f"{client_order_id or 'an order without an id'} is sent and not written down")
        if self._reading:
            self.broken("V13", f"{client_order_id} is sent in the middle of a comparison of both books")
        self.sent[client_order_id] = (mark.process_s, self.known.seq)

    def _read_call(self, mark: Mark, method: str, life: int) -> None:
        self._count_call(mark)

    def _count_call(self, mark: Mark) -> None:
        calls = self._calls
        calls.append(mark.process_s)
        while calls[0] <= mark.process_s - 60.0:
            calls.popleft()
        self.asked("V22")
        if len(calls) > CALLS_A_MINUTE:
            self.broken("V22", f"{len(calls)} calls within a minute")

    def _apply(
        self, mark: Mark, method: str, life: int, client_order_id: str = "", outcome: str = ""
    ) -> None:
        if method != "POST /orders" or outcome != "Accepted":
            return
        if client_order_id in self.accepted:
            return  # the exchange had it already, and says so
        self.accepted[client_order_id] = mark.process_s
        self._judge_accepted(mark, client_order_id)

    def _judge_accepted(self, mark: Mark, client_order_id: str) -> None:
        order = self.exchange.desk.book.by_client_id[client_order_id]
        intent = self.known.intents.get(client_order_id)
        self.asked("V4")
        if intent is None:
            self.broken("V4", f"{client_order_id} was accepted, and no intent of that id is written down")
            return
        if (order.symbol, order.qty) != (intent.symbol, intent.quantity):
            self.broken("V4", f"{client_order_id} is not the order that was written down")
        is_reducing = self._is_reducing(intent, order)
        after_row = self.sent.get(client_order_id, (0.0, 0))[1]
        self._judge_halts(intent, is_reducing, after_row, client_order_id)
        self._judge_fence(intent, client_order_id)
        if _is_flatten(client_order_id):
            return
        if not is_reducing:  # what only reduces is let out whatever the quote
            self._judge_data(intent, client_order_id)
        if self._boot_is_tampered:
            self.broken("V18", f"{client_order_id} was accepted in a run whose prints were tampered with")
        self.asked("V18")
        if not is_reducing:
            self._judge_size(mark, intent, order)

    def _is_reducing(self, intent: Intent, order: Any) -> bool:
        """Return whether the order could only reduce, when it was written down or when it arrived."""
        closing = sum(
            (
                other.qty - other.filled_qty
                for other in live_of(self.exchange, intent.symbol)
                if other.side == order.side and other is not order
            ),
            ZERO,
        )
        now = self.positions.get(intent.symbol, ZERO)
        return any(
            -intent.sign * held - extra >= intent.quantity
            for held, extra in ((now, closing), (intent.held, ZERO))
        )

    def _judge_halts(self, intent: Intent, is_reducing: bool, after_row: int, order_id: str) -> None:
        """Judge against what was durable when the order was last sent."""
        known, is_flatten = self.known, _is_flatten(order_id)
        self.asked("V5")
        is_halted = known.mode.startswith("halted") and after_row >= known.halted_seq
        if is_halted and not (is_flatten and is_reducing):
            self.broken("V5", f"{order_id} was sent after {known.mode} and does not only close")
        if known.mode == "reducing" and known.reducing_s is not None and after_row >= known.halted_seq:
            self.asked("V6")
            if not is_reducing:
                self.broken(
                    "V6", f"{order_id} was sent past the soft cap and opens or enlarges {intent.symbol}"
                )
        opened = min(known.breaks.values(), default=None)
        if opened is not None and after_row >= opened and not is_flatten:
            self.broken("V13", f"{order_id} was sent while both books differ in {sorted(known.breaks)}")
        if known.lost_seq is not None and after_row >= known.lost_seq and not is_flatten:
            self.broken(
                "V14", f"{order_id} was sent after the broker was lost, and nobody has acknowledged it"
            )
        for latch, seq in known.latches.items():
            if after_row < seq or is_flatten:
                continue
            invariant = {"break": "V13", "disconnected": "V14"}.get(latch, "V5")
            self.asked(invariant)
            if invariant != "V5" or not is_reducing:
                self.broken(invariant, f"{order_id} was sent while {latch} was latched")

    def _judge_fence(self, intent: Intent, order_id: str) -> None:
        self.asked("V16")
        epoch = int(order_id.split("-")[1])
        if not _is_flatten(order_id) and epoch < intent.lease_epoch:
            self.broken("V16", f"{order_id} was formed when epoch {intent.lease_epoch} had the lease")

    def _judge_data(self, intent: Intent, order_id: str) -> None:
        self.asked("V17")
        if not intent.quote:
            self.broken("V17", f"{order_id} was formed without a quote of {intent.symbol}")
            return
        bid, ask = (Decimal(str(intent.quote[side])) for side in ("bid", "ask"))
        if not (bid.is_finite() and ask.is_finite() and 0 < bid <= ask):
            self.broken("V17", f"{order_id} was formed on a quote of {bid} to {ask}")
        age_s = seconds_between(str(intent.quote["at"]), intent.formed_at)
        if age_s > QUOTE_AGE_S:
            self.broken("V17", f"{order_id} was formed on a quote {age_s:.0f} s old")
        if intent.bars_session >= intent.session:
            self.broken("V17", f"{order_id} was decided on bars of {intent.bars_session}, its own session")

    def _judge_size(self, mark: Mark, intent: Intent, order: Any) -> None:
        self.asked("V1")
        self.asked("V2")
        at = mark.venue_at.timestamp()
        what = f"{order.side} {order.qty} {order.symbol}"
        self._recent.append((at, what))
        minute = [text for then, text in self._recent if at - then < 60.0]
        equity = self._equity(mark)
        bounds = self._bounds_at(intent.seq)
        problem = size_problem(self.exchange, bounds, order, intent.quantity, equity)
        if len(minute) > bounds.orders_per_minute:
            problem = f"{len(minute)} orders were accepted within a minute"
        if minute.count(what) > bounds.same_order_per_minute:
            problem = f"{what} was accepted {minute.count(what)} times within a minute"
        if problem:
            self.broken("V2", f"{intent.client_order_id}: {problem}")
        frac = max(self.known.frac(), ZERO)
        # what was sent before a halt may arrive after it
        exposed = exposure_problem(self.exchange, bounds, order, frac or Decimal(1), equity)
        is_ramping = self.ramp.opened < len(RAMP) - 1
        if is_ramping:
            self.asked("V20")
        if exposed:
            self.broken("V20" if is_ramping else "V1", f"{intent.client_order_id}: {exposed}")

    def _bounds_at(self, seq: int) -> Bounds:
        """Return the bounds that were in force when a row was written."""
        return next((bounds for since, bounds in reversed(self.in_force) if since < seq), self.bounds)

    def _equity(self, mark: Mark) -> Decimal:
        """Return what the account was worth of late: a size is judged by what could be known."""
        self.worths.append((mark.process_s, self.exchange.worth(self.exchange.now).equity))
        return max(worth for at_s, worth in self.worths if mark.process_s - at_s <= EQUITY_AGE_S)

    def _sampled_row(self, row: Row, body: Mapping[str, Any]) -> None:
        worth = self.exchange.worth(self.exchange.now).equity
        flows = sum(
            (each.net_amount for each in self.exchange.activities(self.flows_seen) if each.kind in FLOWS),
            ZERO,
        )
        self.flows_seen = len(self.exchange.activities())
        if not self.count:
            self.count = worth
        elif flows:
            price = (worth - flows) / self.count
            self.count += flows / price
            # At which price it came nobody saw: the sample before it is as good a word as the one after.
            self.doubt += abs(flows / worth) * abs(self.units[-1][1] / price - 1) if self.units else ZERO
        unit = worth / self.count
        self.units.append((self._now.process_s, unit))
        self.peak_unit = max(self.peak_unit, unit)
        self.worths.append((self._now.process_s, self.exchange.worth(self.exchange.now).equity))

    # -- fills -----------------------------------------------------------------------------

    def _fill(self, mark: Mark, order_id: str, symbol: str, side: str, qty: Decimal, price: Decimal) -> None:
        before = self.positions.get(symbol, ZERO)
        after = before + (qty if side == "buy" else -qty)
        self.positions[symbol] = after
        known = self.known
        sent = self.sent.get(order_id)
        if known.mode.startswith("halted") and sent is not None and sent[1] >= known.halted_seq:
            self.asked("V8")
            if after * before < 0 or abs(after) > abs(before):
                self.broken("V8", f"the flatten moved {symbol} from {before} to {after}")

    def _taken_back(self, mark: Mark, order_id: str, symbol: str, side: str, qty: Decimal) -> None:
        self.busted.add(order_id)
        self.positions[symbol] = self.positions.get(symbol, ZERO) - (qty if side == "buy" else -qty)

    def _corrected(self, mark: Mark, order_id: str) -> None:
        self.busted.add(order_id)

    def _split(self, mark: Mark, symbol: str, change: Decimal) -> None:
        self.splits += 1
        self.positions[symbol] = self.positions.get(symbol, ZERO) + change

    # -- the dead man ----------------------------------------------------------------------

    def _watch_silence(self, mark: Mark) -> None:
        """Hold that a silence of a quarter of an hour is acted on within ten seconds."""
        beat_s = self.beat_s()
        if beat_s is None or self.fired_at_beat == beat_s or mark.process_s - beat_s <= SILENCE_S + REACT_S:
            return
        self.fired_at_beat = beat_s
        if "watchdog" not in self.obstacles and mark.process_s - self.slept_s > SILENCE_S + REACT_S:
            self.broken("V15", f"no beat for {mark.process_s - beat_s:.0f} s, and the watchdog sits still")

    def _fires(self, mark: Mark, act: str, reason: str) -> None:
        beat_s = self.beat_s()
        silence_s = mark.process_s - (beat_s or 0.0)
        self.asked("V15")
        self.known.edges.add(f"watchdog {act}")
        self.promises += promises_of(self, mark, "fires", act, reason)
        if act == "flatten":
            self.fired_at_beat = beat_s
        if "no progress" in reason and silence_s < SILENCE_S:
            self.broken("V15", f"the watchdog closes everything after {silence_s:.0f} s without a beat")

    def _watchdog_order(self, mark: Mark, order_id: str, symbol: str, side: str, qty: Decimal) -> None:
        self.asked("V8")
        self.sent[order_id] = (mark.process_s, self.known.seq)
        held = self.positions.get(symbol, ZERO)
        sign = 1 if side == "buy" else -1
        others = sum(
            (
                order.qty - order.filled_qty
                for order in live_of(self.exchange, symbol)
                if order.side == side and order.client_order_id != order_id
            ),
            ZERO,
        )
        if -sign * held < qty + others:
            self.broken(
                "V8", f"the watchdog would {side} {qty} {symbol} of {held}, with {others} on their way"
            )

    # -- what the world says ---------------------------------------------------------------

    def _start(self, mark: Mark, life: int) -> None:
        self._started_s = mark.process_s

    def _tampered(self, mark: Mark, is_on: bool) -> None:
        self._boot_is_tampered = is_on

    def _flipped(self, mark: Mark, is_on: bool) -> None:
        self.is_flipped = is_on

    def _left(self, mark: Mark, *switch: Any) -> None:
        self.left = switch

    def _back(self, mark: Mark, *switch: Any) -> None:
        """Hold that a process comes back as safe as the rows and its forerunner left it."""
        self.read_rows()
        self.asked("V12")
        known, (mode, latches, step, peak_usd, kill_epoch) = self.known, switch
        if (mode, set(latches), step) != (known.mode, set(known.latches), known.ramp_step):
            self.broken(
                "V12",
                f"it comes back {mode}, {latches}, step {step}: the rows say {known.mode}, "
                f"{sorted(known.latches)}, step {known.ramp_step}",
            )
        if self.left and (peak_usd < self.left[3] or kill_epoch < self.left[4]) and not self.resets_since:
            self.broken(
                "V12",
                f"it comes back with a peak of {peak_usd} and epoch {kill_epoch} "
                f"after {self.left[3]} and {self.left[4]}",
            )
        self.resets_since, self.left = 0, switch

    def _opens(self, mark: Mark, session: Any) -> None:
        self.ramp.opens(session)

    def _ramped(self, mark: Mark, step: int) -> None:
        """Hold the ramp's step against the sessions that really opened, by the end of a quiet day."""
        self.read_rows()
        self.asked("V20")
        problem = self.ramp.problem(step) or self.ramp.late(step)
        if problem:
            self.broken("V20", problem)
        self.known.edges.add(f"ramp {step}")

    def _step(self, mark: Mark, number: int, is_ok: bool, detail: str) -> None:
        if number == 2 and self.is_flipped:
            self.asked("V21")
            if is_ok:
                self.broken("V21", "a daemon believes a journal in which a bit has flipped")
        if number == 8 and is_ok and self._started_s is not None:
            self.asked("V25")
            took_s = mark.process_s - max(self._started_s, self.clear_s)
            if not self.obstacles - BY_THE_CLOCK and took_s > BOOT_S:
                self.broken("V25", f"the boot took {took_s:.0f} s with nothing in its way")

    def _comparing(self, mark: Mark, is_on: bool) -> None:
        self.asked("V13")
        self._reading = is_on

    def _obstacles(self, mark: Mark, *names: str) -> None:
        before, self.obstacles = self.obstacles, frozenset(names)
        if before - BY_THE_CLOCK and not self.obstacles - BY_THE_CLOCK:
            self.clear_s = mark.process_s
        if "watchdog" in (before | self.obstacles):
            self.slept_s = mark.process_s
        for promise in self.promises:
            promise.weather(mark.process_s, self.obstacles)

    def _promised(self, mark: Mark, kind: str, *about: Any) -> None:
        self.promises += promises_of(self, mark, kind, *about)

    def _hold_promises(self) -> None:
        for promise in list(self.promises):
            verdict = promise.verdict(self, self._now)
            if verdict is None:
                continue
            self.promises.remove(promise)
            self.asked(promise.invariant)
            if verdict:
                self.broken(promise.invariant, verdict)

    def _replayed(self, mark: Mark, is_equal: bool, detail: str) -> None:
        self.asked("V11")
        if not is_equal:
            self.broken("V11", f"the replay of the journal differs from the live state: {detail}")

    def _quiet(self, mark: Mark) -> None:
        """Compare our book with the exchange's at a moment when nothing is under way."""
        self.read_rows()
        known = self.known
        self.asked("V9")
        positions, cash, filled = truth_of(self.exchange)
        for order_id, quantity in filled.items():
            intent = known.intents.get(order_id)
            ours = known.filled.get(order_id, (ZERO, ZERO))[0]
            if intent is not None and ours != quantity and order_id not in self.busted:
                self.broken("V9", f"{order_id}: {quantity} filled at the exchange, {ours} in the journal")
        for symbol in sorted({*positions, *known.positions}):
            ours, theirs = known.positions.get(symbol, ZERO), positions.get(symbol, ZERO)
            if symbol not in known.breaks and ours != theirs:
                self.broken("V9", f"{symbol}: {theirs} at the exchange, {ours} in the journal, and no break")
        if "cash" not in known.breaks and abs(known.cash - cash) > CASH_USD:
            self.broken("V9", f"cash: {cash} at the exchange, {known.cash} in the journal, and no break")

    def _calm_day(self, mark: Mark, fell_frac: Decimal) -> None:
        self.read_rows()
        self.asked("V26")
        for problem in calm_problems(self.rows[self._day_from :], fell_frac, self.bounds):
            self.broken("V26", problem)

    def _day(self, mark: Mark, number: int, is_calm: bool) -> None:
        self.read_rows()
        self.day = number
        self._day_from = self._seen

    def _healed(self, mark: Mark, is_live: bool, needs: Sequence[str]) -> None:
        self.read_rows()
        self.asked("V25")
        if not is_live:
            self.broken("V25", "after two hours without a fault the daemon is not live")
        known = self.known
        told = {*known.latches, *([known.mode] if known.mode.startswith("halted") else [])}
        if set(needs) != told:
            self.broken(
                "V25", f"it says that {list(needs)} must be cleared, and the record says {sorted(told)}"
            )

    # -- rows ------------------------------------------------------------------------------

    def _intent_row(self, row: Row, body: Mapping[str, Any]) -> None:
        order = body["order"]
        order_id = order["client_order_id"]
        self.asked("V4")
        if order_id in self.known.intents:
            self.broken("V4", f"{order_id} is written down twice")
        sign = 1 if order["side"] == "buy" else -1
        self.known.intents[order_id] = Intent(
            client_order_id=order_id,
            symbol=order["symbol"],
            sign=sign,
            quantity=Decimal(order["quantity"]),
            seq=row.seq,
            process_s=self._now.process_s,
            lease_epoch=self.lease_epoch(),
            bars_session=self.known.bars_session,
            session=body["session"],
            held=self.positions.get(order["symbol"], ZERO),
            quote=self.known.quotes.get(order["symbol"]),
            formed_at=order["formed_at"],
        )

    def _adopted_row(self, row: Row, body: Mapping[str, Any]) -> None:
        """Take an order of the watchdog's flatten for ours: it is in no intent of the daemon's."""
        if body["order"]["client_order_id"] not in self.known.intents:
            self._intent_row(row, {**body, "session": ""})

    def _updated_row(self, row: Row, body: Mapping[str, Any]) -> None:
        filled, price = Decimal(body["filled_quantity"]), Decimal(body["filled_price"])
        self.known.book(body["client_order_id"], filled, price, body.get("quantity"))
        self.known.order_is(body["client_order_id"], body["state"])

    def _cash_row(self, row: Row, body: Mapping[str, Any]) -> None:
        self.known.cash += Decimal(body["amount_usd"])

    def _break_row(self, row: Row, body: Mapping[str, Any]) -> None:
        self.known.breaks.setdefault(body["subject"], row.seq)

    def _break_accepted_row(self, row: Row, body: Mapping[str, Any]) -> None:
        subject, known = body["subject"], self.known
        self.asked("V13")
        if subject not in known.breaks or not body["reason"].strip() or not body["by"]:
            self.broken("V13", f"the break in {subject} was accepted without a person and a reason")
        known.breaks.pop(subject, None)
        self.drifted.discard(subject)
        if subject == "cash":
            known.cash = Decimal(body["brokers"])
        elif "-" not in subject:
            known.positions[subject] = Decimal(body["brokers"])

    def _mode_row(self, row: Row, body: Mapping[str, Any]) -> None:
        known = self.known
        before, after = body["before"], body["after"]
        self._judge_fall(body["trigger"], is_new=body["is_new_episode"])
        known.edges.add(f"{before} {body['trigger']} {after}")
        self.asked("V12")
        if before != known.mode:
            self.broken("V12", f"the switch moves from {before}, and stood at {known.mode}")
        if before == "halted_hard" and after == "active":
            self._judge_reset(body)
        self._judge_episode(body)
        known.mode = after
        if after != "active":
            self.ramp.is_undisturbed = False
        if after != before:
            known.halted_s = self._now.process_s if after.startswith("halted") else None
            known.halted_seq = row.seq
            self.halted_at = self._now.venue_at if after == "halted_hard" else None
            known.reducing_s = self._now.process_s if after == "reducing" else None
            if after != "reducing" or body["is_new_episode"]:  # once an episode
                self.promises += promises_of(self, self._now, after, before)
        if body["trigger"] == "reset_confirmed":
            known.ramp_step, known.ramp_on = 0, day_in_new_york(datetime.fromisoformat(body["at"]))
            self.ramp.reset(self._now.venue_at)
            self.resets_since += 1
            self.peak_unit = self.units[-1][1] if self.units else self.peak_unit

    def _judge_episode(self, body: Mapping[str, Any]) -> None:
        """Hold that the soft cap halves once from its fall to the recovery, and count which day saw a cap."""
        trigger = body["trigger"]
        if trigger in CAPS and body["before"] != body["after"]:
            self.reached.add((self.day, trigger))
        self.asked("V6")
        problem = self.episode.moved(trigger, is_new=body["is_new_episode"])
        if problem:
            self.broken("V6", problem)

    def _targets_row(self, row: Row, body: Mapping[str, Any]) -> None:
        problem = self.episode.targets(body)
        if problem:
            self.broken("V6", problem)

    def _deployed_row(self, row: Row, body: Mapping[str, Any]) -> None:
        problem = self.deployment.deployed(body)
        if problem:
            self.broken("V18", problem)

    def _booted_row(self, row: Row, body: Mapping[str, Any]) -> None:
        self.known.epoch = body["epoch"]
        self.asked("V18")
        problem = self.deployment.booted(body)
        if problem:
            self.broken("V18", problem)

    def _limits_row(self, row: Row, body: Mapping[str, Any]) -> None:
        self.asked("V18")
        yes, problem = self.yes, "the other has not said yes"
        if yes is not None and yes["request_id"] == body["request_id"]:
            problem = why_no_yes(yes, self.requests, self.keys, self.used)
            self.used.add(self.requests[yes["request_id"]]["nonce"])
        wrong = self.deployment.changed(body, problem)
        if wrong:
            self.broken("V18", wrong)
        self.bounds = self.deployment.bounds(self.bounds)
        self.in_force.append((row.seq, self.bounds))

    def _judge_reset(self, body: Mapping[str, Any]) -> None:
        """Hold that both persons wanted it, a day after the halt, and that it was for this halt."""
        self.asked("V19")
        yes = self.yes
        if body["trigger"] != "reset_confirmed" or yes is None:
            self.broken("V19", f"a hard halt was ended by {body['trigger']}, without an approval")
            return
        problem = why_no_yes(yes, self.requests, self.keys, self.used)
        since_s = (self._now.venue_at - self.halted_at).total_seconds() if self.halted_at else 0.0
        if since_s < COOL_OFF_S:
            problem = f"it came {since_s / 3600:.1f} hours after the halt"
        if problem:
            self.broken("V19", f"the reset does not hold: {problem}")
        self.used.add(self.requests.get(yes["request_id"], {}).get("nonce", ""))
        self.yes = None

    def _request_row(self, row: Row, body: Mapping[str, Any]) -> None:
        self.requests[body["request"]["request_id"]] = body["request"]

    def _request_ended_row(self, row: Row, body: Mapping[str, Any]) -> None:
        self.yes = body if body["outcome"] == "approved" else None
        self.known.edges.add(f"request {body['outcome']}")

    def _enrolled_row(self, row: Row, body: Mapping[str, Any]) -> None:
        self.keys[body["credential"]["credential_id"]] = body["credential"]

    def _refused_row(self, row: Row, body: Mapping[str, Any]) -> None:
        self.known.edges.add("attempt refused")

    def _judge_fall(self, trigger: str, *, is_new: bool) -> None:
        """Hold that a cap acts on a fall that was there in three samples, and on nothing else.

        An override that ends goes back to the soft cap while the fall has not recovered from it.
        """
        cap = {"soft_cap": self.bounds.soft_cap_frac, "hard_cap": self.bounds.hard_cap_frac}.get(trigger)
        if cap is None:
            return
        self.asked("V26")
        lately = [unit for at_s, unit in self.units if self._now.process_s - at_s <= SAMPLES_S][-3:]
        least = cap if is_new or trigger == "hard_cap" else cap * RECOVERED
        apart = (DRIFTED if self.drifted else NEARLY) + self.doubt
        highest = self.peak_unit * (1 - least) * apart
        if lately and max(lately) > highest:
            self.broken("V26", f"{trigger} acts, and the fund stood at {lately} of {self.peak_unit:.4f}")

    def _lost_row(self, row: Row, body: Mapping[str, Any]) -> None:
        if self.known.lost_seq is None:
            self.known.lost_seq = row.seq

    def _latched_row(self, row: Row, body: Mapping[str, Any]) -> None:
        self.known.latches.setdefault(body["latch"], row.seq)
        self.ramp.is_undisturbed = False
        self.known.edges.add(f"latched {body['latch']}")

    def _unlatched_row(self, row: Row, body: Mapping[str, Any]) -> None:
        latch = body["latch"]
        self.asked("V14" if latch == "disconnected" else "V13")
        if not body["reason"].strip() or not body["by"]:
            self.broken("V13", f"{latch} was cleared without a person and a reason")
        self.known.latches.pop(latch, None)
        if latch == "disconnected":
            self.known.lost_seq = None
        self.known.edges.add(f"unlatched {latch}")

    def _alert_row(self, row: Row, body: Mapping[str, Any]) -> None:
        self.known.alerts.append((self._now.process_s, body["level"], body["cause"], body["text"]))

    def _opened_row(self, row: Row, body: Mapping[str, Any]) -> None:
        known = self.known
        session = date.fromisoformat(body["session"])
        is_later = known.ramp_on is not None and session > known.ramp_on
        if known.ramp_step < len(RAMP) - 1 and is_later and known.mode == "active" and not known.latches:
            known.ramp_step, known.ramp_on = known.ramp_step + 1, session
        self.asked("V20")
        problem = self.ramp.problem(known.ramp_step)
        if problem:
            self.broken("V20", problem)


def _is_flatten(client_order_id: str) -> bool:
    return "-flatten-" in client_order_id


def _set(
    name: str, of: Callable[[Mapping[str, Any]], Any]
) -> Callable[[Checker, Row, Mapping[str, Any]], None]:
    return lambda checker, row, body: setattr(checker.known, name, of(body))


def _quotes_row(checker: Checker, row: Row, body: Mapping[str, Any]) -> None:
    checker.known.quotes = body["quotes"]


_ROWS: Final[dict[str, Callable[[Checker, Row, Mapping[str, Any]], None]]] = {
    "IntentFormed": Checker._intent_row,
    "RequestMade": Checker._request_row,
    "RequestEnded": Checker._request_ended_row,
    "OperatorEnrolled": Checker._enrolled_row,
    "AttemptRefused": Checker._refused_row,
    "OrderAdopted": Checker._adopted_row,
    "OrderUpdated": Checker._updated_row,
    "CashMoved": Checker._cash_row,
    "BreakFound": Checker._break_row,
    "BreakAccepted": Checker._break_accepted_row,
    "ModeChanged": Checker._mode_row,
    "BrokerLost": Checker._lost_row,
    "Latched": Checker._latched_row,
    "Unlatched": Checker._unlatched_row,
    "AlertRaised": Checker._alert_row,
    "SessionOpened": Checker._opened_row,
    "OrderAccepted": lambda checker, row, body: checker.known.order_is(body["client_order_id"], "working"),
    "OrderUnknown": lambda checker, row, body: checker.known.order_is(body["client_order_id"], "unknown"),
    "OrderRejected": lambda checker, row, body: checker.known.order_is(body["client_order_id"], "rejected"),
    "QuotesSeen": _quotes_row,
    "AccountSampled": Checker._sampled_row,
    "BookValued": Checker._sampled_row,
    "BarsClosed": _set("bars_session", lambda body: body["session"]),
    "Booted": Checker._booted_row,
    "Deployed": Checker._deployed_row,
    "TargetsSet": Checker._targets_row,
    "LimitsChanged": Checker._limits_row,
}
_HEARD: Final[dict[str, Callable[..., None]]] = {
    "head": Checker._head,
    "send": Checker._send,
    "apply": Checker._apply,
    "read": Checker._read_call,
    "fill": Checker._fill,
    "taken back": Checker._taken_back,
    "corrected": Checker._corrected,
    "split": Checker._split,
    "flipped": Checker._flipped,
    "left": Checker._left,
    "back": Checker._back,
    "opens": Checker._opens,
    "ramped": Checker._ramped,
    "fires": Checker._fires,
    "watchdog order": Checker._watchdog_order,
    "start": Checker._start,
    "tampered": Checker._tampered,
    "step": Checker._step,
    "comparing": Checker._comparing,
    "obstacles": Checker._obstacles,
    "promised": Checker._promised,
    "replayed": Checker._replayed,
    "quiet": Checker._quiet,
    "calm day": Checker._calm_day,
    "day": Checker._day,
    "healed": Checker._healed,
}
