"""Whether the account may place an order now: ids, switches, hours, positions, wash trades, buying power."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from qgtm.exchange.account import account_view, over_guard
from qgtm.exchange.desk import Desk
from qgtm.exchange.group import price_problem
from qgtm.exchange.market.port import Quote
from qgtm.exchange.order import ZERO, Order, OrderRequest, PositionIntent, Refusal
from qgtm.exchange.shape import is_fractional, shape_refusal
from qgtm.exchange.timing import Timing, timing_of

FORBIDDEN = 40310000
_VALUE = 42210000
# How far through the last price a limit may be, by price: Alpaca's user protection of 2022.
_SANITY = (
    (Decimal(25), Decimal("0.10")),
    (Decimal(50), Decimal("0.05")),
    (Decimal("Infinity"), Decimal("0.03")),
)


@dataclass(frozen=True, slots=True)
class Admission:
    """What an accepted order starts with: when it works, what it means, the buying power it holds."""

    timing: Timing
    intent: PositionIntent
    held_usd: Decimal


def admit(desk: Desk, request: OrderRequest, now: datetime) -> Admission | Refusal:
    """Return how the order is taken, or why not. Of the checks only the form comes before the id's.

    A resend of an accepted id must hear that the id is taken, whatever else has changed since.
    """
    early = shape_refusal(request) or _known(desk, request)
    if early is not None:
        return early
    quote = desk.prices.quote(request.symbol, now)
    if quote is None:
        return _refuse(403, FORBIDDEN, f"no price for {request.symbol} yet")
    timing = timing_of(
        request, now, desk.prices.calendar, overnight=not desk.switches.disable_overnight_trading
    )
    if isinstance(timing, Refusal):
        return timing
    position = desk.ledger.qty(request.symbol)
    intent = inferred_intent(request, position)
    refused = (
        _intent(request, intent)
        or _exits(request, intent, quote)
        or _wash(desk, request)
        or _holding(desk, request, position, quote)
        or _short(desk, request, intent)
        or _sanity(desk, request, quote, now)
    )
    if refused is not None:
        return refused
    held_usd = cost_usd(request, intent, quote)
    return _power(desk, held_usd) or Admission(timing, intent, held_usd)


def readmit(desk: Desk, order: Order, request: OrderRequest, now: datetime) -> Refusal | None:
    """Return why the account may not have `request` in an order's place: switches, hours, price, power."""
    quote = desk.prices.quote(order.symbol, now)
    if quote is None:
        return _blocked(desk)
    open_frac = 1 - order.filled_qty / request.qty if request.qty else Decimal(1)
    more_usd = cost_usd(request, order.position_intent, quote) * open_frac - order.held_usd
    return (
        _blocked(desk)
        or _other_hours(desk, order, request, now)
        or _sanity(desk, request, quote, now)
        or _power(desk, max(more_usd, ZERO))
    )


def _other_hours(desk: Desk, order: Order, request: OrderRequest, now: datetime) -> Refusal | None:
    if request.time_in_force == order.time_in_force:
        return None
    timing = timing_of(request, now, desk.prices.calendar, overnight=True)
    return timing if isinstance(timing, Refusal) else None


def inferred_intent(request: OrderRequest, position: Decimal) -> PositionIntent:
    """Return what an order does to the position that stands now."""
    if request.side == "buy":
        return "buy_to_close" if position < 0 else "buy_to_open"
    return "sell_to_close" if position > 0 else "sell_to_open"


def cost_usd(request: OrderRequest, intent: PositionIntent, quote: Quote) -> Decimal:
    """Return the buying power that an opening order holds; a closing one holds none."""
    if intent in ("buy_to_close", "sell_to_close"):
        return ZERO
    if request.notional is not None:
        return request.notional
    qty = request.qty or ZERO
    if request.side == "sell":
        return max(request.limit_price or ZERO, quote.ask * Decimal("1.03")) * qty
    if request.limit_price is not None:
        return request.limit_price * qty
    margin = Decimal("1.04") if quote.ask <= 50 else Decimal("1.025")
    return max(quote.ask, request.stop_price or ZERO) * margin * qty


def _refuse(status: int, code: int, message: str, **details: object) -> Refusal:
    return Refusal(status=status, code=code, message=message, details=details)


def _known(desk: Desk, request: OrderRequest) -> Refusal | None:
    if request.client_order_id in desk.book.by_client_id:
        return _refuse(422, 40010001, "client_order_id must be unique")
    switches = desk.switches
    if (refused := _blocked(desk)) is not None:
        return refused
    asset = desk.assets.get(request.symbol)
    if asset is None:
        return _refuse(422, _VALUE, f'asset "{request.symbol}" not found')
    if not asset.is_tradable:
        return _refuse(422, _VALUE, f'asset "{request.symbol}" is not tradable')
    if is_fractional(request) and not (asset.is_fractionable and switches.fractional_trading):
        return _refuse(403, FORBIDDEN, f'asset "{request.symbol}" is not fractionable')
    return None


def _blocked(desk: Desk) -> Refusal | None:
    switches = desk.switches
    if switches.account_blocked or switches.trading_blocked:
        return _refuse(403, FORBIDDEN, "account is blocked from trading")
    return _refuse(403, FORBIDDEN, "trading is suspended by user") if switches.suspend_trade else None


def _intent(request: OrderRequest, inferred: PositionIntent) -> Refusal | None:
    if request.position_intent in (None, inferred):
        return None
    words = inferred.replace("_", " ")
    return _refuse(422, _VALUE, f"position intent mismatch. inferred {words}")


def _exits(request: OrderRequest, intent: PositionIntent, quote: Quote) -> Refusal | None:
    problem = price_problem(request, intent, quote.last)
    return None if problem is None else _refuse(422, _VALUE, problem)


def _wash(desk: Desk, request: OrderRequest) -> Refusal | None:
    opposite = next(desk.book.of(request.symbol, "sell" if request.side == "buy" else "buy"), None)
    if opposite is None:
        return None
    return _refuse(
        403,
        FORBIDDEN,
        "potential wash trade detected. use complex orders",
        existing_order_id=opposite.id,
        reject_reason=f"opposite side {opposite.kind} order exists",
    )


def _holding(desk: Desk, request: OrderRequest, position: Decimal, quote: Quote) -> Refusal | None:
    """One order may reduce a position to zero and not beyond, less what other open orders hold."""
    closes = position > 0 if request.side == "sell" else position < 0
    if not closes:
        return None
    held = desk.book.held_qty(request.symbol, request.side)
    available = abs(position) - held
    wanted = request.qty if request.qty is not None else (request.notional or ZERO) / quote.last
    if wanted <= available:
        return None
    return _refuse(
        403,
        FORBIDDEN,
        f"insufficient qty available for order (requested: {_text(wanted)}, available: {_text(available)})",
        symbol=request.symbol,
        available=_text(available),
        existing_qty=_text(abs(position)),
        held_for_orders=_text(held),
        related_orders=[order.id for order in desk.book.of(request.symbol, request.side)],
    )


def _text(qty: Decimal) -> str:
    return f"{qty.normalize():f}"


def _short(desk: Desk, request: OrderRequest, intent: PositionIntent) -> Refusal | None:
    if intent in ("buy_to_open", "sell_to_open"):
        over = over_guard(desk.ledger, desk.mark)
        if over is not None:
            message = f"account is restricted to closing orders: position in {over} exceeds 600% of equity"
            return _refuse(403, FORBIDDEN, message)
    if intent != "sell_to_open":
        return None
    if desk.switches.no_shorting or desk.switches.max_margin_multiplier <= 1:
        return _refuse(403, FORBIDDEN, "account is not allowed to short")
    if not desk.assets[request.symbol].is_shortable:
        return _refuse(422, _VALUE, f'asset "{request.symbol}" cannot be sold short')
    if is_fractional(request):
        return _refuse(422, _VALUE, "fractional orders cannot be sold short")
    return None


def _sanity(desk: Desk, request: OrderRequest, quote: Quote, now: datetime) -> Refusal | None:
    if request.limit_price is None:
        return None
    market = quote.last if request.stop_price is None else request.stop_price
    frac = next(frac for bound, frac in _SANITY if market < bound)
    if desk.prices.calendar.phase(now) != "regular":
        frac *= 2
    through = request.limit_price / market - 1
    if (through if request.side == "buy" else -through) <= frac:
        return None
    message = f"limit price {request.limit_price} is more than {frac:.0%} through the market at {market}"
    return _refuse(403, FORBIDDEN, message)


def _power(desk: Desk, cost: Decimal) -> Refusal | None:
    if cost == 0:
        return None
    view = account_view(
        desk.ledger,
        desk.mark,
        at=desk.now,
        last_equity=ZERO,
        held_usd=desk.book.held_usd(),
        multiplier=desk.switches.max_margin_multiplier,
    )
    if cost <= view.buying_power:
        return None
    return _refuse(
        403,
        FORBIDDEN,
        "insufficient buying power",
        buying_power=f"{view.buying_power:.2f}",
        cost_basis=f"{cost:.2f}",
    )
