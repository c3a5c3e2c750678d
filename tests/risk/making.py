"""Limits as the operators decided on them, and a quiet minute in which one share passes every check."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from qgtm.core.events import QuoteSeen
from qgtm.core.order import Order, Side
from qgtm.risk.case import Circumstances
from qgtm.risk.exposure import Book
from qgtm.risk.factors import FACTORS
from qgtm.risk.kill_switch import KillSwitch
from qgtm.risk.limits import Limits, limits_from

D = Decimal
SESSION = date(2026, 3, 2)
OPEN = datetime(2026, 3, 2, 14, 30, tzinfo=UTC)
CLOSE = datetime(2026, 3, 2, 21, 0, tzinfo=UTC)
NOON = datetime(2026, 3, 2, 17, 0, tzinfo=UTC)

# Written out a second time, from decisions.md ("Limits") and not from the code.
TABLE: Mapping[str, object] = {
    "single_name_frac": D("0.25"),
    "single_name_override_frac": {"GLD": D("0.50"), "SLV": D("0.35")},
    "sector_frac": D("0.60"),
    "gross_frac": D("2.0"),
    "net_frac": D("1.5"),
    "order_frac": D("0.10"),
    "order_shares": 50_000,
    "order_adv_frac": D("0.05"),
    "spread_bps": 25,
    "collar_frac": D("0.02"),
    "orders_per_minute": 30,
    "orders_per_day": 300,
    "same_order_per_minute": 2,
    "turnover_day_frac": D("2.0"),
    "daily_loss_frac": D("0.03"),
    "weekly_loss_frac": D("0.05"),
    "value_at_risk_frac": D("0.03"),
    "factor_share_frac": {
        "real_rate": D("0.40"),
        "dollar": D("0.30"),
        "gold_volatility": D("0.25"),
        "silver_volatility": D("0.20"),
        "curve": D("0.15"),
        "equity": D("0.15"),
    },
    "soft_cap_frac": D("0.08"),
    "hard_cap_frac": D("0.12"),
    "volatility_target_frac": D("0.12"),
    "no_trade_band_frac": D("0.005"),
}
LIMITS: Limits = limits_from(TABLE)


def order(
    symbol: str = "GLD",
    side: str = "buy",
    quantity: object = 1,
    price: object = "200",
    number: int = 1,
    **other: Any,
) -> Order:
    """Return an order with an id of ours; `price` is limit and arrival price."""
    fields: dict[str, Any] = {
        "client_order_id": f"qgtm-1-rebalance-20260302-{symbol}-{number}",
        "symbol": symbol,
        "side": Side(side),
        "quantity": D(str(quantity)),
        "limit_price": D(str(price)),
        "arrival_price": D(str(price)),
        "formed_at": NOON,
    }
    return Order(**{**fields, **other})


def book(positions: Mapping[str, object] | None = None, orders: tuple[Order, ...] = (), **other: Any) -> Book:
    """Return a book of $250,000 with every symbol that is held marked at $200."""
    held = {symbol: D(str(quantity)) for symbol, quantity in (positions or {}).items()}
    marks = {symbol: D(200) for symbol in held}
    fields: dict[str, Any] = {"equity_usd": D(250_000), "positions": held, "orders": orders, "marks": marks}
    return Book(**{**fields, **other})


def quote(last: object = "200", half_spread: object = "0.02", age_s: float = 1.0) -> QuoteSeen:
    """Return a quote around `last`."""
    price, half = D(str(last)), D(str(half_spread))
    return QuoteSeen(bid=price - half, ask=price + half, last=price, at=NOON - timedelta(seconds=age_s))


CALM = Circumstances(
    now=NOON,
    session=SESSION,
    open_at=OPEN,
    close_at=CLOSE,
    quote=quote(),
    average_volume_shares=5_000_000.0,
    orders_last_minute=0,
    orders_today=0,
    same_last_minute=0,
    turnover_today_usd=D(0),
    day_loss_frac=D(0),
    week_loss_frac=D(0),
    value_at_risk_after_frac=0.01,
    factor_shares=dict.fromkeys(FACTORS, 0.0),
    factor_shares_after=dict.fromkeys(FACTORS, 0.0),
    switch=KillSwitch(),
)


def around(**changed: Any) -> Circumstances:
    """Return calm circumstances with some of them changed."""
    return replace(CALM, **changed)
