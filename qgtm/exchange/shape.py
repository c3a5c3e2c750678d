"""What an order must look like, whatever the account and the market are: Alpaca's 422 for its form."""

from decimal import Decimal

from qgtm.exchange.group import form_problem
from qgtm.exchange.order import Kind, OrderRequest, Refusal, TimeInForce

_FORM = 40010001
_VALUE = 42210000
_PRICES: dict[Kind, tuple[bool, bool, str]] = {
    # kind: (needs a limit price, needs a stop price, the sentence when it is otherwise)
    "market": (False, False, "market orders require no stop or limit price"),
    "limit": (True, False, "limit orders require only limit price"),
    "stop": (False, True, "stop orders require only stop price"),
    "stop_limit": (True, True, "stop limit orders require both stop and limit price"),
    "trailing_stop": (False, False, "trailing stop orders require only trail_price or trail_percent"),
}
_TIMES: dict[Kind, tuple[TimeInForce, ...]] = {
    "market": ("day", "gtc", "opg", "cls", "ioc", "fok"),
    "limit": ("day", "gtc", "opg", "cls", "ioc", "fok"),
    "stop": ("day", "gtc"),
    "stop_limit": ("day", "gtc"),
    "trailing_stop": ("day", "gtc"),
}
_SIDES = ("buy", "sell")
_INTENTS = (None, "buy_to_open", "buy_to_close", "sell_to_open", "sell_to_close")
_MOST = Decimal("1e12")
_MOST_PRICE = Decimal(10_000_000)


def shape_refusal(request: OrderRequest) -> Refusal | None:
    """Return the refusal for a request that no account could place, None when its form is right."""
    return _words(request) or _price_fields(request) or _amount(request) or _price_values(request)


def is_fractional(request: OrderRequest) -> bool:
    """Say whether the request needs parts of a share."""
    return request.qty is None or request.qty != request.qty.to_integral_value()


def _form(message: str) -> Refusal:
    return Refusal(status=422, code=_FORM, message=message)


def _value(message: str) -> Refusal:
    return Refusal(status=422, code=_VALUE, message=message)


def _words(request: OrderRequest) -> Refusal | None:
    if request.side not in _SIDES:
        return _form(f"invalid side: {request.side}")
    if request.kind not in _PRICES:
        return _form(f"invalid order type: {request.kind}")
    if request.time_in_force not in _TIMES[request.kind]:
        return _value(f"invalid time_in_force {request.time_in_force} for {request.kind} orders")
    if request.position_intent not in _INTENTS:
        return _form(f"invalid position_intent: {request.position_intent}")
    if (problem := form_problem(request)) is not None:
        return _value(problem)
    if request.client_order_id is not None and not 1 <= len(request.client_order_id) <= 128:
        return _form("client_order_id must be no more than 128 characters")
    return None


def _price_fields(request: OrderRequest) -> Refusal | None:
    needs_limit, needs_stop, sentence = _PRICES[request.kind]
    given = (request.limit_price is not None, request.stop_price is not None)
    if given != (needs_limit, needs_stop):
        return _form(sentence)
    trails = (request.trail_price is not None) + (request.trail_percent is not None)
    if trails != (1 if request.kind == "trailing_stop" else 0):
        return _form(_PRICES["trailing_stop"][2] if request.kind == "trailing_stop" else sentence)
    if request.extended_hours and (request.kind != "limit" or request.time_in_force not in ("day", "gtc")):
        return _value("extended hours order must be DAY or GTC limit orders")
    return None


def _amount(request: OrderRequest) -> Refusal | None:
    if (request.qty is None) == (request.notional is None):
        return _form("exactly one of qty or notional is required")
    amount = request.qty if request.qty is not None else request.notional
    if amount is None or not amount.is_finite() or not 0 < amount <= _MOST:
        return _form(f"{'qty' if request.notional is None else 'notional'} must be > 0")
    if _decimals(amount) > 9:
        return _value("qty and notional take at most 9 decimal places")
    if is_fractional(request) and request.kind != "market":
        return _value("fractional orders must be market orders")
    if is_fractional(request) and request.time_in_force != "day":
        return _value("fractional orders must be DAY orders")
    if request.notional is not None and request.notional < 1:
        return Refusal(status=403, code=40310000, message="cost basis must be >= minimal amount of order 1")
    return None


def _price_values(request: OrderRequest) -> Refusal | None:
    prices = {
        "limit_price": request.limit_price,
        "stop_price": request.stop_price,
        "take_profit.limit_price": request.exits.profit,
        "stop_loss.stop_price": request.exits.stop,
        "stop_loss.limit_price": request.exits.stop_limit,
    }
    for name, price in prices.items():
        if price is not None and (found := _price(name, price)) is not None:
            return found
    for name, trail in (("trail_price", request.trail_price), ("trail_percent", request.trail_percent)):
        if trail is not None and not (trail.is_finite() and 0 < trail <= _MOST_PRICE):
            return _form(f"{name} must be > 0 and <= {_MOST_PRICE}")
    if request.trail_percent is not None and request.trail_percent >= 100:
        return _form("trail_percent must be less than 100")
    return None


def _price(name: str, price: Decimal) -> Refusal | None:
    if not price.is_finite() or not 0 < price <= _MOST_PRICE:
        return _form(f"{name} must be > 0 and <= {_MOST_PRICE}")
    if _decimals(price) > (2 if price >= 1 else 4):
        return _value(
            f"invalid {name} {price}. sub-penny increment does not fulfill minimum pricing criteria"
        )
    return None


def _decimals(value: Decimal) -> int:
    exponent = value.normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0
