# A print of notebooks/engine/intent.ipynb: do not edit it here.
# Edit the notebook and run `make export`, which writes this file and MANIFEST.json anew.
"""Intents.

From wanted weights and fresh quotes to the orders of one round, each through the gate, each with an owner.
"""

# cell 4 of notebooks/engine/intent.ipynb
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import ROUND_DOWN, Decimal
from typing import Final

from qgtm.core.events import OrderDenied, QuoteSeen, StrategiesCrossed
from qgtm.core.ids import client_order_id
from qgtm.core.mode import Mode
from qgtm.core.money import exact, limit_price, whole_shares
from qgtm.core.order import Order, Side
from qgtm.core.outcome import Denied
from qgtm.core.universe import TRADED
from qgtm.engine.state import NO_MONEY, REJECTED, RESIDUAL, State
from qgtm.features.bars import FloatArray
from qgtm.risk.case import Circumstances
from qgtm.risk.checks import judge
from qgtm.risk.exposure import Book, is_price, with_order
from qgtm.risk.factors import factor_shares
from qgtm.risk.limits import Limits
from qgtm.risk.var import filled_weights, value_at_risk_frac


# cell 5 of notebooks/engine/intent.ipynb
@dataclass(frozen=True)
class Params:
    """The knobs of this module."""

    through_bps: float
    headroom_frac: float
    stale_s: int
    drift_frac: float
    refused_rest_s: int
    refused_most_s: int


PARAMS = Params(
    through_bps=5.0,  # how far through the quote a limit goes, in basis points of price [0, 50]
    headroom_frac=0.95,  # part of the per-order limits that a planned order uses [0.5, 1.0]
    drift_frac=0.05,  # part of a position that past the soft cap is no order by itself [0.01, 0.20]
    stale_s=900,  # seconds after which a quote prices no order at all, not even one that reduces [60, 3600]
    refused_rest_s=15,  # seconds until a refused order that reduces is tried anew, then twice that [5, 60]
    refused_most_s=120,  # the same at most, however often it was refused [60, 600]
)

# Refusals that pass by themselves: the next round asks again. All others hold until the targets change.
PASSING: Final = frozenset({"quote", "spread", "orders_per_minute", "same_order", "doubt"})
STALE: Final = Denied("quote", "its quote is too old to price any order")
DOUBTED: Final = Denied("doubt", "the broker's equity and our own count of it differ")
MILLIONTH: Final = Decimal("0.000001")


@dataclass(frozen=True)
class Tape:
    """What a round knows of the market beside its quotes.

    Mean volumes in shares over 20 sessions, and the simple returns (n, 20) of all traded symbols by
    session, oldest first.
    """

    average_volume: Mapping[str, float | None]
    returns: FloatArray
    factors: FloatArray  # the moves of the risk's factors (m, 6) over the same last sessions


@dataclass(frozen=True)
class Round:
    """The orders of one round that passed the gate, what was refused, and what met inside the book."""

    session: date
    orders: tuple[Order, ...]
    denied: tuple[OrderDenied, ...]
    crossed: tuple[StrategiesCrossed, ...]
    is_resting: bool = False  # the broker refused what shrinks the book, and it is tried again later

    @property
    def may_pass(self) -> bool:
        """Return whether a refusal passes by itself, so that a later round has something to do."""
        return self.is_resting or any(refusal.check in PASSING for refusal in self.denied)


@dataclass(frozen=True)
class Wish:
    """The signed shares still lacking in one symbol, whole and by strategy, at this quote."""

    symbol: str
    quantity: Decimal
    shares: Mapping[str, Decimal]
    quote: QuoteSeen

    @property
    def mid(self) -> Decimal:
        """Return the middle of the quote."""
        return (self.quote.bid + self.quote.ask) / 2


# cell 7 of notebooks/engine/intent.ipynb
def wishes(state: State, quotes: Mapping[str, QuoteSeen], limits: Limits) -> tuple[Wish, ...]:
    """Return what is lacking in every symbol that is wanted or held and has a quote, by symbol."""
    equity = state.equity_usd
    if equity is None or equity <= 0:
        return ()
    quoted = [(symbol, quote) for symbol, quote in sorted(quotes.items()) if is_two_sided(quote)]
    return tuple(_wish(state, symbol, quote, equity) for symbol, quote in quoted)


def is_two_sided(quote: QuoteSeen) -> bool:
    """Return whether bid and offer are prices, so that there is a middle to count shares with."""
    return is_price(quote.bid) and is_price(quote.ask)


def is_stale(quote: QuoteSeen, now: datetime) -> bool:
    """Return whether a quote is too old to price even an order that reduces."""
    return now - quote.at > timedelta(seconds=PARAMS.stale_s)


def _wish(state: State, symbol: str, quote: QuoteSeen, equity: Decimal) -> Wish:
    mid = (quote.bid + quote.ask) / 2
    target = _under_ceiling(state, symbol, whole_shares(state.weights.get(symbol, 0.0), equity, mid))
    lacking = {}
    for name in sorted(state.by_strategy.keys() | state.shares.keys()):
        wanted = exact(state.by_strategy.get(name, {}).get(symbol, 0.0)) * equity / mid
        difference = wanted - state.shares.get(name, {}).get(symbol, NO_MONEY)
        if name != RESIDUAL and abs(difference) >= MILLIONTH:
            lacking[name] = difference
    return Wish(symbol, target - state.quantity(symbol), lacking, quote)


def _under_ceiling(state: State, symbol: str, target: Decimal) -> Decimal:
    """Return the target with no share more than is held, nor than the soft cap left, and never turned."""
    if state.switch.mode is not Mode.REDUCING:
        return target
    held = state.quantity(symbol)
    most = min(abs(held), abs(state.ceilings.get(symbol, held)))
    return min(most, abs(target)) * (1 if held > 0 else -1) if target * held > 0 else NO_MONEY


def is_worth_trading(wish: Wish, state: State, limits: Limits) -> bool:
    """Return whether the difference is outside the no-trade band, or must go whatever its size."""
    if wish.quantity == 0 or state.equity_usd is None:
        return False
    if state.weights.get(wish.symbol, 0.0) == 0.0:
        return True
    drift = exact(PARAMS.drift_frac) * abs(state.quantity(wish.symbol))
    is_shrinking = state.switch.mode is Mode.REDUCING and abs(wish.quantity) > drift
    return is_shrinking or abs(wish.quantity) * wish.mid >= limits.no_trade_band_frac * state.equity_usd


# cell 9 of notebooks/engine/intent.ipynb
def _order(state: State, wish: Wish, now: datetime, limits: Limits, volume: float | None) -> Order | None:
    held = state.quantity(wish.symbol)
    is_reducing = held * wish.quantity < 0
    quantity = min(abs(wish.quantity), abs(held)) if is_reducing else abs(wish.quantity)
    # Past the soft cap what is proven to reduce goes whole: in parts a thin book takes too long to halve.
    if not (is_reducing and state.switch.mode is Mode.REDUCING):
        quantity = min(quantity, _most(state, wish, limits, volume))
    if quantity <= 0 or state.session is None:
        return None
    side = Side.BUY if wish.quantity > 0 else Side.SELL
    signed = quantity * side.sign
    return Order(
        client_order_id=client_order_id(
            state.epoch, "trade", state.session, wish.symbol, state.numbers.get(wish.symbol, 0)
        ),
        symbol=wish.symbol,
        side=side,
        quantity=quantity,
        limit_price=_limit(side, wish.quote),
        arrival_price=wish.mid,
        formed_at=now,
        is_reducing=is_reducing,
        shares=owned(wish.shares, signed),
    )


def _most(state: State, wish: Wish, limits: Limits, volume: float | None) -> Decimal:
    """Return the most shares that one order may carry, a little inside the limits of the gate."""
    headroom = exact(PARAMS.headroom_frac)
    of_equity = limits.order_frac * (state.equity_usd or NO_MONEY) / wish.mid
    of_volume = of_equity if volume is None else limits.order_adv_frac * exact(volume)
    most = min(Decimal(limits.order_shares), of_equity * headroom, of_volume * headroom)
    return most.to_integral_value(rounding=ROUND_DOWN)


def _limit(side: Side, quote: QuoteSeen) -> Decimal:
    through = exact(PARAMS.through_bps) / 10_000
    touch = quote.ask if side is Side.BUY else quote.bid
    return limit_price(touch * (1 + through * side.sign))


# cell 11 of notebooks/engine/intent.ipynb
def owned(lacking: Mapping[str, Decimal], signed: Decimal) -> dict[str, Decimal]:
    """Return the signed shares of an order by owner; they add up to `signed` exactly."""
    whole = sum(lacking.values(), NO_MONEY)
    if whole * signed <= 0 or abs(signed) > 2 * abs(whole):
        return {RESIDUAL: signed}
    parts = {name: (part * signed / whole).quantize(MILLIONTH) for name, part in lacking.items()}
    largest = max(parts, key=lambda name: (abs(parts[name]), name))
    parts[largest] += signed - sum(parts.values(), NO_MONEY)
    return {name: part for name, part in parts.items() if part}


def crossed(wish: Wish) -> StrategiesCrossed | None:
    """Return what meets inside the book at the middle of the quote: the smaller of the two sides."""
    if len(wish.shares) < 2:  # one strategy has nobody to meet
        return None
    buys = sum((part for part in wish.shares.values() if part > 0), NO_MONEY)
    sells = -sum((part for part in wish.shares.values() if part < 0), NO_MONEY)
    met = min(buys, sells).quantize(MILLIONTH, ROUND_DOWN)
    if met <= 0:
        return None
    parts = {
        name: (part * met / (buys if part > 0 else sells)).quantize(MILLIONTH)
        for name, part in wish.shares.items()
    }
    largest = max(parts, key=lambda name: (abs(parts[name]), name))
    parts[largest] -= sum(parts.values(), NO_MONEY)
    return StrategiesCrossed(symbol=wish.symbol, price=wish.mid, shares=parts)


# cell 13 of notebooks/engine/intent.ipynb
def planned_round(
    state: State,
    quotes: Mapping[str, QuoteSeen],
    now: datetime,
    limits: Limits,
    read: Callable[[Sequence[str]], Tape],
) -> Round:
    """Return the orders of a round. Nothing is sent here; what is refused is said with its check.

    `read` is asked once for the tape of the symbols that are worth an order, and not at all when none is.
    """
    worth: list[Wish] = []
    crosses: list[StrategiesCrossed] = []
    is_resting = False
    for wish in wishes(state, quotes, limits):
        if not is_worth_trading(wish, state, limits):
            crosses += [met for met in [crossed(wish)] if met and _is_material(met, state, limits)]
        elif _may_ask(state, wish, now):
            worth.append(wish)
        else:
            is_resting = is_resting or _is_refused(state, wish)
    orders, denied = _judged(state, worth, now, limits, read)
    return Round(state.session or date.min, tuple(orders), tuple(denied), tuple(crosses), is_resting)


def _judged(
    state: State, worth: list[Wish], now: datetime, limits: Limits, read: Callable[[Sequence[str]], Tape]
) -> tuple[list[Order], list[OrderDenied]]:
    """Judge one order after the other, closing ones first, each with those before it among the live ones."""
    orders: list[Order] = []
    denied: list[OrderDenied] = []
    if not worth:
        return orders, denied
    tape = read([wish.symbol for wish in worth])
    for wish in sorted(worth, key=lambda w: (state.quantity(w.symbol) * w.quantity >= 0, w.symbol)):
        order = _order(state, wish, now, limits, tape.average_volume.get(wish.symbol))
        if order is None:
            continue
        held = book_with(state, orders)
        around = circumstances(state, order, held, wish.quote, now, tape, limits)
        # An old price would rest all day and fill nothing, also where nothing but the claim is checked.
        verdict = STALE if is_stale(wish.quote, now) else judge(order, held, around, limits)
        verdict = DOUBTED if is_doubted(state) and not order.is_reducing else verdict
        if isinstance(verdict, Denied):
            denied.append(_denied(state, order, verdict))
        else:
            orders.append(order)
    return orders, denied


def is_doubted(state: State) -> bool:
    """Return whether the account's equity is not borne out by our own count: nothing is opened meanwhile."""
    return state.drawdown is not None and state.drawdown.doubt is not None


def _may_ask(state: State, wish: Wish, now: datetime) -> bool:
    if state.denied.get(wish.symbol, "quote") in PASSING:
        return True
    found = state.refused.get(wish.symbol)
    if not _is_refused(state, wish) or found is None:
        return _is_refused(state, wish)
    rest_s = min(PARAMS.refused_rest_s * 2 ** min(found.count - 1, 8), PARAMS.refused_most_s)
    return abs(now - found.at) >= timedelta(seconds=rest_s)


def _is_refused(state: State, wish: Wish) -> bool:
    """Return whether the broker refused the last order in a symbol that is to shrink."""
    is_reducing = state.quantity(wish.symbol) * wish.quantity < 0
    return is_reducing and state.denied.get(wish.symbol) == REJECTED


def _is_material(met: StrategiesCrossed, state: State, limits: Limits) -> bool:
    size = sum((abs(part) for part in met.shares.values()), NO_MONEY) * met.price / 2
    return size >= limits.no_trade_band_frac * (state.equity_usd or NO_MONEY)


def _denied(state: State, order: Order, verdict: Denied) -> OrderDenied:
    return OrderDenied(
        session=state.session or date.min,
        symbol=order.symbol,
        side=order.side,
        quantity=order.quantity,
        check=verdict.check,
        reason=verdict.reason,
    )


# cell 15 of notebooks/engine/intent.ipynb
def book_with(state: State, more: list[Order]) -> Book:
    """Return the portfolio as it stands, with all that may still fill, and `more` orders."""
    return Book(
        equity_usd=state.equity_usd or NO_MONEY,
        positions=counted_positions(state),
        orders=(*state.live_orders, *more),
        marks=state.marks,
    )


def counted_positions(state: State) -> dict[str, Decimal]:
    """Return the signed shares that risk is judged on: where the books differ, the larger of the two."""
    found = {symbol: p.quantity for symbol, p in state.positions.items() if p.quantity}
    if not state.breaks:
        return found
    there = {symbol: quantity for symbol, quantity in state.held.items() if symbol in state.breaks}
    return found | {s: n for s, n in there.items() if abs(n) > abs(found.get(s, NO_MONEY))}


def circumstances(
    state: State, order: Order, held: Book, quote: QuoteSeen, now: datetime, tape: Tape, limits: Limits
) -> Circumstances:
    """Return what is known around `order` now; `held` is the book before it."""
    what = f"{order.side} {order.quantity} {order.symbol}"
    planned = len(held.orders) - len(state.live_orders)
    recent = [text for at, text in state.sent_at if now - at < timedelta(seconds=60)]
    return Circumstances(
        now=now,
        session=state.session,
        open_at=state.open_at,
        close_at=state.close_at,
        quote=quote,
        average_volume_shares=tape.average_volume.get(order.symbol),
        orders_last_minute=len(recent) + planned,
        orders_today=len(state.sent_at) + planned,
        same_last_minute=recent.count(what),
        turnover_today_usd=state.turnover_usd,
        day_loss_frac=_loss(state.last_equity_usd, state.equity_usd, state.flows_day_usd),
        week_loss_frac=_loss(state.week_start_usd, state.equity_usd),
        value_at_risk_after_frac=_value_at_risk(order, held, tape),
        factor_shares=_factor_shares(order, held, tape, limits),
        factor_shares_after=_factor_shares(order, with_order(held, order), tape, limits),
        switch=state.switch,
    )


def _value_at_risk(order: Order, held: Book, tape: Tape) -> float | None:
    """Return it with this order filled too; a reducing order is not asked for it, and it takes long."""
    if order.is_reducing:
        return None
    return value_at_risk_frac(filled_weights(with_order(held, order), TRADED), tape.returns)


def _factor_shares(order: Order, held: Book, tape: Tape, limits: Limits) -> Mapping[str, float] | None:
    """Return each factor's share in the risk with all live orders filled; none for a reducing order."""
    if order.is_reducing:
        return None
    weights = filled_weights(held, TRADED)
    return factor_shares(weights, tape.returns, tape.factors, float(limits.volatility_target_frac))


def _loss(before: Decimal | None, now: Decimal | None, flows_usd: Decimal = NO_MONEY) -> Decimal | None:
    # The owners' own money is neither a loss nor does it hide one.
    if before is None or now is None or before + flows_usd <= 0:
        return None
    return max(1 - now / (before + flows_usd), NO_MONEY)


__all__ = [
    "DOUBTED",
    "MILLIONTH",
    "PARAMS",
    "PASSING",
    "STALE",
    "Params",
    "Round",
    "Tape",
    "Wish",
    "book_with",
    "circumstances",
    "counted_positions",
    "crossed",
    "is_doubted",
    "is_stale",
    "is_two_sided",
    "is_worth_trading",
    "owned",
    "planned_round",
    "wishes",
]
