"""The exchange itself: deterministic, synchronous, without I/O or a clock; every call says what time it is.

The same market, seed, requests and times give the same state to the last digit. `submit` and
`advance` are cheap: nothing is stepped while nothing is due. Adapters, fronts and the
replay use this class; a client over the wire sees it through `wire.handle`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import ROUND_DOWN, Decimal
from typing import Literal

from qgtm.exchange import change
from qgtm.exchange.account import Ledger
from qgtm.exchange.asset import Asset, assets_of
from qgtm.exchange.beside import Beside
from qgtm.exchange.day import add_activity
from qgtm.exchange.desk import Desk, Halt
from qgtm.exchange.event import AccountView, Activity, Execution, PositionView, TradeUpdate, Worth
from qgtm.exchange.group import exits_of
from qgtm.exchange.lifecycle import emit
from qgtm.exchange.market.port import Market
from qgtm.exchange.order import Order, OrderRequest, Refusal
from qgtm.exchange.price import Prices, Shock
from qgtm.exchange.rules import Admission, admit
from qgtm.exchange.setting import Habits, Switches
from qgtm.exchange.timetable import Timetable
from qgtm.exchange.truth import Truth
from qgtm.exchange.view import Views

_NO_POSITION = Refusal(status=404, code=40410000, message="position does not exist")


class Exchange:
    """One account at a paper exchange over one market.

    `cash` in dollars; `start` an aware UTC time. A call with an earlier `now` than one before
    it is taken as of that later moment.
    """

    def __init__(
        self,
        market: Market,
        *,
        start: datetime,
        seed: int = 7,
        cash: Decimal = Decimal(250_000),
        assets: Iterable[Asset] = (),
        habits: Habits | None = None,
        switches: Switches | None = None,
    ) -> None:
        prices = Prices(market)
        self.desk = Desk(
            seed=seed,
            prices=prices,
            assets=assets_of(market.symbols, {asset.symbol: asset for asset in assets}),
            ledger=Ledger(opening_cash=cash, opened_at=start, cash=cash),
            now=start,
            switches=switches or Switches(),
            habits=habits or Habits(),
        )
        self.truth = Truth(self.desk)
        self.views = Views(self.desk)
        self._timetable = Timetable(self.desk)
        self._beside: Beside | None = None

    @property
    def beside(self) -> Beside:
        """Return what other vendors publish beside the prices, worked out when it is asked for."""
        if self._beside is None or self._beside.seed != self.desk.seed:
            self._beside = Beside(self.desk.prices.market, self.desk.seed)
        return self._beside

    @property
    def now(self) -> datetime:
        """Return the latest moment that the exchange has seen."""
        return self.desk.now

    @property
    def next_at(self) -> datetime:
        """Return when something will happen of itself next; until then `advance` changes nothing."""
        return self._timetable.next_at

    def rewind_agenda(self) -> None:
        """Make the agenda anew from the desk, after its state was put in from outside."""
        self.views = Views(self.desk)
        self._timetable = Timetable(self.desk)

    # -- time ----------------------------------------------------------------------------

    def advance(self, now: datetime) -> list[TradeUpdate]:
        """Let everything happen that is due up to `now`; return all updates not yet handed out."""
        self._timetable.run(now)
        updates = self.desk.updates
        self.desk.updates = []
        return updates

    def catch_up(self, now: datetime) -> None:
        """Let everything happen that is due up to `now`, and keep the updates for the next `advance`."""
        self._timetable.run(now)

    # -- orders --------------------------------------------------------------------------

    def submit(self, request: OrderRequest, now: datetime) -> Order | Refusal:
        """Take an order, or refuse it. It is matched from the next `advance` on, never within this call."""
        self._timetable.run(now)
        admission = admit(self.desk, request, self.now)
        if isinstance(admission, Refusal):
            return admission
        order = self._new_order(request, admission)
        for one in (order, *exits_of(order, request.exits, self._ids)):
            self.desk.book.add(one)
            if one.status != "held":
                emit(self.desk, "accepted" if one.status == "accepted" else "pending_new", one, self.now)
            self._timetable.plan(one)
        return order

    def cancel(self, order_id: str, now: datetime) -> Order | Refusal:
        """Ask for an order's cancel. The order returned is `pending_cancel`: it may still fill."""
        self._timetable.run(now)
        order = self.desk.book.by_id.get(order_id)
        if order is None:
            return change.unknown_order(order_id)
        answer = change.ask_cancel(self.desk, order, self.now)
        self._timetable.plan_turn(order)
        return answer

    def cancel_all(self, now: datetime) -> list[tuple[Order, Refusal | None]]:
        """Ask for the cancel of every live order; return each with the refusal it met, if any."""
        self._timetable.run(now)
        answers: list[tuple[Order, Refusal | None]] = []
        for order in list(self.desk.book.live.values()):
            answer = self.cancel(order.id, self.now)
            answers.append((order, answer if isinstance(answer, Refusal) else None))
        return answers

    def replace(self, order_id: str, wanted: change.Replacement, now: datetime) -> Order | Refusal:
        """Ask for a replacement and return it; it is still rejected if the old order fills first."""
        self._timetable.run(now)
        order = self.desk.book.by_id.get(order_id)
        if order is None:
            return change.unknown_order(order_id)
        request = change.replaced_request(order, wanted)
        refused = change.replace_refusal(self.desk, order, request, self.now)
        if refused is not None:
            return refused
        new = self._replacement(order, request)
        change.ask_replace(self.desk, order, new, self.now)
        self._timetable.plan(new)
        return new

    def order(self, order_id: str, now: datetime | None = None) -> Order | None:
        """Return an order by the exchange's id, None when there is none; as of `now` if given."""
        self._timetable.run(now or self.now)
        return self.desk.book.by_id.get(order_id)

    def order_by_client_id(self, client_order_id: str, now: datetime | None = None) -> Order | None:
        """Return an order by the client's id, None when there is none; as of `now` if given."""
        self._timetable.run(now or self.now)
        return self.desk.book.by_client_id.get(client_order_id)

    def orders(
        self, status: Literal["open", "closed", "all"] = "open", now: datetime | None = None
    ) -> list[Order]:
        """Return the orders of a status in order of acceptance; as of `now` if given."""
        self._timetable.run(now or self.now)
        if status == "open":
            return list(self.desk.book.live.values())
        return [o for o in self.desk.book.all if status == "all" or not o.is_live]

    @property
    def legs(self) -> Mapping[str, Sequence[Order]]:
        """Return the exits that came with an order, by that order's id."""
        return self.desk.book.legs

    # -- account -------------------------------------------------------------------------

    def account(self, now: datetime) -> AccountView:
        """Return cash, equity, margin and buying power at `now`, in dollars."""
        self._timetable.run(now)
        return self.views.account()

    def worth(self, now: datetime) -> Worth:
        """Return cash, equity and the marks of what is held at `now`, in dollars."""
        self._timetable.run(now)
        return self.views.worth()

    def positions(self, now: datetime) -> list[PositionView]:
        """Return the open positions at `now`, by symbol."""
        self._timetable.run(now)
        return self.views.positions()

    def position(self, symbol: str, now: datetime) -> PositionView | None:
        """Return one position at `now`, None when there is none."""
        self._timetable.run(now)
        return self.views.position(symbol)

    def executions(self, since: int = 0) -> list[Execution]:
        """Return the executions after the first `since`, in order."""
        return self.desk.executions[since:]

    def activities(self, since: int = 0) -> list[Activity]:
        """Return dividends, splits, deposits and withdrawals after the first `since`, in order."""
        return self.desk.activities[since:]

    def close_position(
        self, symbol: str, now: datetime, *, qty: Decimal | None = None, frac: Decimal | None = None
    ) -> Order | Refusal:
        """Send a market order that closes a position, or `qty` shares or `frac` of it."""
        self._timetable.run(now)
        lot = self.desk.ledger.lots.get(symbol)
        if lot is None:
            return _NO_POSITION
        shares = abs(lot.qty)
        if frac is not None:
            shares = (shares * frac).quantize(Decimal("0.000000001"), rounding=ROUND_DOWN)
        side: Literal["buy", "sell"] = "sell" if lot.qty > 0 else "buy"
        request = OrderRequest(symbol=symbol, side=side, qty=(qty or shares).normalize())
        return self.submit(request, self.now)

    def close_all(self, now: datetime, *, cancel_orders: bool) -> list[tuple[str, Order | Refusal]]:
        """Close every position by market orders, after cancelling all orders if asked to."""
        self._timetable.run(now)
        if cancel_orders:
            for order in list(self.desk.book.live.values()):
                change.cancel_now(self.desk, order, self.now)
        return [(s, self.close_position(s, self.now)) for s in sorted(self.desk.ledger.lots)]

    # -- what only the control port does -------------------------------------------------

    def configure(self, switches: Switches, now: datetime) -> None:
        """Set the account's own switches."""
        self._timetable.run(now)
        self.desk.switches = switches

    def deposit(self, amount: Decimal, now: datetime) -> Activity:
        """Move cash in, or out when `amount` (dollars) is negative."""
        self._timetable.run(now)
        self.desk.ledger.cash += amount
        return add_activity(self.desk, "CSD" if amount >= 0 else "CSW", self.now, amount)

    def halt(self, halt: Halt, now: datetime) -> None:
        """Stop trading in a symbol; its orders wait."""
        self._timetable.run(now)
        self.desk.halts[halt.symbol] = halt
        self._stir(halt.symbol)

    def resume(self, symbol: str, now: datetime) -> None:
        """Lift a halt; waiting orders look again at once, market orders first."""
        self._timetable.run(now)
        halt = self.desk.halts.pop(symbol, None)
        if halt is not None:
            self.desk.past_halts.append(replace(halt, until_at=self.now))
            self._stir(symbol)

    def shock(self, shock: Shock, now: datetime) -> None:
        """Change a symbol's prices from a moment on; resting orders take note."""
        self._timetable.run(now)
        self.desk.prices.add(shock)
        self._stir(shock.symbol)

    def _stir(self, symbol: str) -> None:
        for order in self.desk.book.of(symbol):
            waits = order.working_since is not None or order.look_at is None
            if waits and order.status != "held" and order.time_in_force not in ("opg", "cls"):
                order.look_at = self.now
                self._timetable.plan_look(order)

    def _new_order(self, request: OrderRequest, admission: Admission) -> Order:
        seq = len(self.desk.book.all) + 1
        now = self.now
        is_open = admission.timing.active_at <= now
        delay = timedelta(seconds=self.desk.habits.activation_s if is_open else 0)
        return Order(
            seq=seq,
            id=self._ids(seq)[0],
            client_order_id=request.client_order_id or self._ids(seq)[1],
            symbol=request.symbol,
            side=request.side,
            kind=request.kind,
            time_in_force=request.time_in_force,
            qty=request.qty,
            notional=request.notional,
            limit_price=request.limit_price,
            stop_price=request.stop_price,
            trail_price=request.trail_price,
            trail_percent=request.trail_percent,
            extended_hours=request.extended_hours,
            position_intent=admission.intent,
            status="pending_new" if is_open else "accepted",
            submitted_at=now,
            updated_at=now,
            expires_at=admission.timing.expires_at,
            look_at=admission.timing.active_at + delay,
            held_usd=admission.held_usd,
            order_class="" if request.order_class == "simple" else request.order_class,
        )

    def _ids(self, seq: int) -> tuple[str, str]:
        return self.desk.new_id("order", seq), self.desk.new_id("client order", seq)

    def _replacement(self, old: Order, request: OrderRequest) -> Order:
        hold = change.new_hold(self.desk, old, request, self.now)
        timing = Admission(
            timing=change.timing_or(old, request, self.now, self.desk),
            intent=old.position_intent,
            held_usd=hold,
        )
        new = self._new_order(request, timing)
        new.status, new.replaces, new.look_at = "held", old.id, None
        new.order_class, new.parent_id = old.order_class, old.parent_id
        return new
