# A print of notebooks/risk/checks.ipynb: do not edit it here.
# Edit the notebook and run `make export`, which writes this file and MANIFEST.json anew.
"""Checks.

The one gate in front of every order: a table of checks, each of which says why it would refuse, and no way
around.
"""

# cell 5 of notebooks/risk/checks.ipynb
import math
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from qgtm.core.ids import epoch_of
from qgtm.core.money import exact
from qgtm.core.order import ZERO, Order
from qgtm.core.outcome import Allowed, Denied, Verdict
from qgtm.core.reducing import is_flattening, is_proven_reducing, why_not_reducing
from qgtm.core.universe import SECTOR, SECTORS, TRADED
from qgtm.risk.case import Case, Check, Circumstances, over
from qgtm.risk.exposure import (
    Book,
    highest_price,
    is_price,
    with_order,
    worst_gross_usd,
    worst_held_usd,
    worst_net_usd,
)
from qgtm.risk.factors import most_past
from qgtm.risk.kill_switch import may_grow, may_reduce, size_frac
from qgtm.risk.limits import Limits


# cell 6 of notebooks/risk/checks.ipynb
@dataclass(frozen=True)
class Params:
    """Name the knobs of this notebook; `PARAMS` holds their values."""

    quote_age_s: int
    quote_ahead_s: int


PARAMS = Params(
    quote_age_s=60,  # seconds a quote stays fresh, in venue time [5, 300]
    quote_ahead_s=5,  # seconds a quote may lie in the future, for clocks that differ [0, 30]
)


# cell 8 of notebooks/risk/checks.ipynb
def _switch(case: Case) -> str | None:
    switch = case.around.switch
    state = f"the system is {switch.mode}, latches on: {', '.join(switch.latches) or 'none'}"
    if not case.is_reducing:
        return None if may_grow(switch) else f"{state}; this order is not proven to reduce"
    is_let_out = may_reduce(switch, is_flattening=is_flattening(case.order))
    return None if is_let_out else f"{state}; only a flatten passes"


# cell 10 of notebooks/risk/checks.ipynb
def _claim(case: Case) -> str | None:
    if not case.order.is_reducing:
        return None
    return f"it claims to reduce, but {why_not_reducing(case.order, case.book)}"


def _symbol(case: Case) -> str | None:
    return None if case.order.symbol in TRADED else f"{case.order.symbol} is not in the universe"


def _id(case: Case) -> str | None:
    order_id = case.order.client_order_id
    if epoch_of(order_id) is None:
        return f"{order_id!r} is not one of our order ids"
    is_twice = any(live.client_order_id == order_id for live in case.book.orders)
    return f"an order {order_id} is at work already" if is_twice else None


def _quantity(case: Case) -> str | None:
    quantity = case.order.quantity
    if quantity.is_finite() and quantity > 0 and quantity == quantity.to_integral_value():
        return None
    return f"{quantity} is no whole number of shares above zero"


def _price(case: Case) -> str | None:
    limit, arrival = case.order.limit_price, case.order.arrival_price
    if limit is None:
        return "it has no limit price, and only an order that is proven to reduce may go at market"
    are_prices = is_price(limit) and is_price(arrival)
    return None if are_prices else f"its limit {limit} or arrival price {arrival} is no price"


def _flip(case: Case) -> str | None:
    held = case.book.positions.get(case.order.symbol, ZERO)
    if held.is_finite() and held * case.order.side.sign >= 0:
        return None
    return f"{why_not_reducing(case.order, case.book)}; first close, then open by an order of its own"


# cell 12 of notebooks/risk/checks.ipynb
def _session(case: Case) -> str | None:
    around = case.around
    if around.session is None or around.open_at is None or around.close_at is None:
        return "there is no regular session today"
    if around.open_at <= around.now < around.close_at:
        return None
    return f"the regular session of {around.session} is from {around.open_at} to {around.close_at}"


def _quote(case: Case) -> str | None:
    quote, symbol = case.around.quote, case.order.symbol
    if quote is None:
        return f"no quote for {symbol}, so its price cannot be judged"
    if not (all(map(is_price, (quote.bid, quote.ask, quote.last))) and quote.bid <= quote.ask):
        return f"bid {quote.bid}, ask {quote.ask}, last {quote.last} of {symbol} cannot be believed"
    age_s = (case.around.now - quote.at).total_seconds()
    if -PARAMS.quote_ahead_s <= age_s <= PARAMS.quote_age_s:
        return None
    return f"the quote for {symbol} is {age_s:.0f} s old, and at most {PARAMS.quote_age_s} s are allowed"


def _spread(case: Case) -> str | None:
    quote = case.around.quote
    spread = None if quote is None else 20_000 * (quote.ask - quote.bid) / (quote.ask + quote.bid)
    return over("the spread in basis points", spread, case.limits.spread_bps)


def _collar(case: Case) -> str | None:
    quote, limit = case.around.quote, case.order.limit_price
    away = None if quote is None or limit is None else case.order.side.sign * (limit / quote.last - 1)
    return over("the limit price's distance from the last trade", away, case.limits.collar_frac)


# cell 14 of notebooks/risk/checks.ipynb
def _equity(case: Case) -> str | None:
    equity_usd = case.book.equity_usd
    is_sound = equity_usd.is_finite() and equity_usd > 0
    return None if is_sound else f"an equity of {equity_usd} cannot be believed"


def _order_frac(case: Case) -> str | None:
    notional_usd = case.order.quantity * highest_price(case.order.symbol, case.after)
    return over("the order's share of equity", notional_usd / case.book.equity_usd, case.limits.order_frac)


def _order_shares(case: Case) -> str | None:
    return over("the order's count of shares", case.order.quantity, case.limits.order_shares)


def _order_adv(case: Case) -> str | None:
    volume = case.around.average_volume_shares
    is_known = volume is not None and math.isfinite(volume) and volume > 0
    share = case.order.quantity / exact(volume) if volume is not None and is_known else None
    return over("the order's share of the average volume", share, case.limits.order_adv_frac)


def _per_minute(case: Case) -> str | None:
    sent = Decimal(case.around.orders_last_minute + 1)
    return over("the count of orders in a minute", sent, case.limits.orders_per_minute)


def _per_day(case: Case) -> str | None:
    sent = Decimal(case.around.orders_today + 1)
    return over("the count of orders today", sent, case.limits.orders_per_day)


def _repeats(case: Case) -> str | None:
    sent = Decimal(case.around.same_last_minute + 1)
    return over("the count of the same order in a minute", sent, case.limits.same_order_per_minute)


def _turnover(case: Case) -> str | None:
    to_come = (order.remaining * highest_price(order.symbol, case.after) for order in case.after.orders)
    turnover = sum(to_come, case.around.turnover_today_usd) / case.book.equity_usd
    return over("today's turnover over equity", turnover, case.limits.turnover_day_frac)


# cell 16 of notebooks/risk/checks.ipynb
def _exposed(what: str, usd: Decimal, limit: Decimal, case: Case) -> str | None:
    return over(f"{what} over equity", usd / case.book.equity_usd, limit * size_frac(case.around.switch))


def _single_name(case: Case) -> str | None:
    symbol = case.order.symbol
    return _exposed(symbol, worst_held_usd(symbol, case.after), case.limits.single_name(symbol), case)


def _sector(case: Case) -> str | None:
    sector = SECTOR[case.order.symbol]
    usd = worst_gross_usd(case.after, SECTORS[sector])
    return _exposed(f"the sector {sector}", usd, case.limits.sector_frac, case)


def _gross(case: Case) -> str | None:
    usd = worst_gross_usd(case.after, case.after.symbols)
    return _exposed("gross exposure", usd, case.limits.gross_frac, case)


def _net(case: Case) -> str | None:
    usd = worst_net_usd(case.after, case.after.symbols)
    return _exposed("net exposure", usd, case.limits.net_frac, case)


# cell 18 of notebooks/risk/checks.ipynb
def _lost(when: str, loss_frac: Decimal | None, limit: Decimal) -> str | None:
    if loss_frac is None or not loss_frac.is_finite():
        return f"what was lost {when} is not known, so it cannot be judged"
    return f"{loss_frac:.4f} of equity was lost {when}, the limit is {limit}" if loss_frac >= limit else None


def _day_loss(case: Case) -> str | None:
    return _lost("today", case.around.day_loss_frac, case.limits.daily_loss_frac)


def _week_loss(case: Case) -> str | None:
    return _lost("this week", case.around.week_loss_frac, case.limits.weekly_loss_frac)


def _value_at_risk(case: Case) -> str | None:
    at_risk = case.around.value_at_risk_after_frac
    known = exact(at_risk) if at_risk is not None and math.isfinite(at_risk) else None
    return over("the value at risk over equity", known, case.limits.value_at_risk_frac)


def _factors(case: Case) -> str | None:
    before, after = case.around.factor_shares, case.around.factor_shares_after
    if before is None or after is None:
        return "the factors' shares in the risk are not known, so they cannot be judged"
    limits = {name: float(limit) for name, limit in case.limits.factor_share_frac.items()}
    past = most_past(after, before, limits)
    if past is None:
        return None
    name, share = past
    if share != share:
        return f"the share of {name} in the risk is not known, so it cannot be judged"
    return f"the share of {name} in the risk would be {share:.4f}, past the limit of {limits[name]:g}"


# cell 20 of notebooks/risk/checks.ipynb
CHECKS: Final[tuple[tuple[str, Check], ...]] = (
    ("switch", _switch),
    ("claim", _claim),
    ("symbol", _symbol),
    ("id", _id),
    ("quantity", _quantity),
    ("price", _price),
    ("flip", _flip),
    ("session", _session),
    ("equity", _equity),
    ("quote", _quote),
    ("spread", _spread),
    ("collar", _collar),
    ("order_frac", _order_frac),
    ("order_shares", _order_shares),
    ("order_adv", _order_adv),
    ("orders_per_minute", _per_minute),
    ("orders_per_day", _per_day),
    ("same_order", _repeats),
    ("turnover", _turnover),
    ("single_name", _single_name),
    ("sector", _sector),
    ("gross", _gross),
    ("net", _net),
    ("day_loss", _day_loss),
    ("week_loss", _week_loss),
    ("value_at_risk", _value_at_risk),
    ("factors", _factors),
)
FOR_REDUCING: Final = frozenset({"switch"})  # all that is asked of an order that is proven to reduce


def judge(order: Order, book: Book, around: Circumstances, limits: Limits) -> Verdict:
    """Return Allowed, or Denied by the first check that refuses, with its reason.

    `book.orders` are all that may still fill, `order` not among them. Raises nothing.
    """
    is_reducing = is_proven_reducing(order, book)
    case = Case(order, book, around, limits, is_reducing, with_order(book, order))
    for name, check in CHECKS:
        if name in FOR_REDUCING or not is_reducing:
            reason = check(case)
            if reason is not None:
                return Denied(name, reason)
    return Allowed()


__all__ = [
    "CHECKS",
    "FOR_REDUCING",
    "PARAMS",
    "Params",
    "judge",
]
