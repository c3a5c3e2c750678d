"""The account over the wire: account, positions, switches and portfolio history."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

from qgtm.exchange.event import PositionView
from qgtm.exchange.order import Order, Refusal
from qgtm.exchange.setting import Switches
from qgtm.exchange.text import money, number, price, ratio, rfc3339
from qgtm.exchange.wire import Call, Malformed, Response, decimal_from, error, refused
from qgtm.exchange.wire_order import order_json

ZERO = Decimal(0)


def account(call: Call) -> Response:
    """Answer `GET /v2/account`: all money as strings; the day-trade fields are gone since July 2026."""
    exchange = call.exchange
    view, switches = exchange.account(call.now), exchange.desk.switches
    power = money(view.buying_power)
    plain_power = money(max(min(view.cash, view.equity - view.initial_margin) - view.held_usd, ZERO))
    return Response(
        200,
        {
            "id": exchange.desk.new_id("account", 1),
            "admin_configurations": {},
            "user_configurations": None,
            "account_number": f"PA{exchange.desk.space.int % 10**10:010d}",
            "status": "ACTIVE",
            "crypto_status": "INACTIVE",
            "options_approved_level": 0,
            "options_trading_level": 0,
            "currency": "USD",
            "buying_power": power,
            "effective_buying_power": power,
            "regt_buying_power": money(view.regt_buying_power),
            "non_marginable_buying_power": plain_power,
            "options_buying_power": plain_power,
            "cash": money(view.cash),
            "accrued_fees": "0",
            "portfolio_value": money(view.equity),
            "position_market_value": money(view.long_market_value - view.short_market_value),
            "trading_blocked": switches.trading_blocked,
            "transfers_blocked": False,
            "account_blocked": switches.account_blocked,
            "trade_suspended_by_user": switches.suspend_trade,
            "created_at": rfc3339(exchange.desk.ledger.opened_at),
            "multiplier": number(view.multiplier),
            "shorting_enabled": not switches.no_shorting and view.multiplier > 1,
            "equity": money(view.equity),
            "last_equity": money(view.last_equity),
            "long_market_value": money(view.long_market_value),
            "short_market_value": money(view.short_market_value),
            "initial_margin": money(view.initial_margin),
            "maintenance_margin": money(view.maintenance_margin),
            "last_maintenance_margin": "0",
            "sma": "0",
        },
    )


def position_json(call: Call, view: PositionView) -> dict[str, Any]:
    """Return a position as Alpaca writes it; a short one has a negative quantity."""
    asset = call.exchange.desk.assets[view.symbol]
    cost = abs(view.cost_basis)
    return {
        "asset_id": asset.id,
        "symbol": view.symbol,
        "exchange": asset.exchange,
        "asset_class": "us_equity",
        "asset_marginable": asset.is_marginable,
        "qty": number(view.qty),
        "qty_available": number(view.qty_available),
        "avg_entry_price": price(view.avg_entry_price),
        "side": "long" if view.qty > 0 else "short",
        "market_value": number(view.market_value),
        "cost_basis": number(round(view.cost_basis, 6)),
        "unrealized_pl": number(round(view.unrealized_pl, 6)),
        "unrealized_plpc": ratio(view.unrealized_pl, cost),
        "unrealized_intraday_pl": number(round(view.unrealized_intraday_pl, 6)),
        "unrealized_intraday_plpc": ratio(view.unrealized_intraday_pl, cost),
        "current_price": number(view.current_price),
        "lastday_price": number(view.lastday_price),
        "change_today": ratio(view.current_price - view.lastday_price, view.lastday_price),
    }


def positions(call: Call) -> Response:
    """Answer `GET /v2/positions`."""
    return Response(200, [position_json(call, v) for v in call.exchange.positions(call.now)])


def position(call: Call) -> Response:
    """Answer `GET /v2/positions/{symbol or asset id}`."""
    view = call.exchange.position(symbol_of(call), call.now)
    if view is None:
        return error(404, 40410000, "position does not exist")
    return Response(200, position_json(call, view))


def close_position(call: Call) -> Response:
    """Answer `DELETE /v2/positions/{symbol}`, with `qty` or `percentage` or neither."""
    qty = decimal_from(call.request.query.get("qty"), "qty")
    percentage = decimal_from(call.request.query.get("percentage"), "percentage")
    if qty is not None and percentage is not None:
        raise Malformed("only one of qty or percentage is accepted")
    for value in (qty, percentage):
        if value is not None and not (value.is_finite() and value > 0):
            raise Malformed("qty and percentage must be > 0")
    if percentage is not None and percentage > 100:
        raise Malformed("percentage must be <= 100")
    frac = None if percentage is None else percentage / 100
    answer = call.exchange.close_position(symbol_of(call), call.now, qty=qty, frac=frac)
    if isinstance(answer, Refusal):
        return refused(answer)
    return Response(200, order_json(answer, call.exchange.desk.assets))


def close_all(call: Call) -> Response:
    """Answer `DELETE /v2/positions`: 207, an order or the reason of failure for each symbol."""
    cancels = call.request.query.get("cancel_orders", "").lower() == "true"
    answers = call.exchange.close_all(call.now, cancel_orders=cancels)
    return Response(207, [_closed(call, symbol, answer) for symbol, answer in answers])


def _closed(call: Call, symbol: str, answer: Order | Refusal) -> dict[str, Any]:
    if isinstance(answer, Refusal):
        body = {"code": answer.code, "message": answer.message, "symbol": symbol, **answer.details}
        return {"symbol": symbol, "status": answer.status, "body": body}
    return {"symbol": symbol, "status": 200, "body": order_json(answer, call.exchange.desk.assets)}


def symbol_of(call: Call) -> str:
    """Return the symbol that the path names, by itself or by its asset's id."""
    name = call.parts[0]
    by_id = {asset.id: asset.symbol for asset in call.exchange.desk.assets.values()}
    return by_id.get(name, name.upper())


def configurations(call: Call) -> Response:
    """Answer `GET /v2/account/configurations`."""
    return Response(200, _switches_json(call.exchange.desk.switches))


def configure(call: Call) -> Response:
    """Answer `PATCH /v2/account/configurations`; what the body leaves out stays."""
    body = call.json()
    switches = call.exchange.desk.switches
    flags = ("suspend_trade", "no_shorting", "fractional_trading", "disable_overnight_trading")
    changed: dict[str, Any] = {}
    for name in flags:
        value = body.get(name)
        if value is not None and not isinstance(value, bool):
            raise Malformed(f"{name} must be true or false")
        if value is not None:
            changed[name] = value
    multiplier = decimal_from(body.get("max_margin_multiplier"), "max_margin_multiplier")
    if multiplier is not None:
        if not multiplier.is_finite() or not 1 <= multiplier <= 4:
            raise Malformed("max_margin_multiplier must lie between 1 and 4")
        changed["max_margin_multiplier"] = multiplier
    call.exchange.configure(replace(switches, **changed), call.now)
    return configurations(call)


def _switches_json(switches: Switches) -> dict[str, Any]:
    return {
        "fractional_trading": switches.fractional_trading,
        "max_margin_multiplier": number(switches.max_margin_multiplier),
        "max_options_trading_level": 0,
        "no_shorting": switches.no_shorting,
        "ptp_no_exception_entry": False,
        "suspend_trade": switches.suspend_trade,
        "trade_confirm_email": "all",
        "disable_overnight_trading": switches.disable_overnight_trading,
    }
