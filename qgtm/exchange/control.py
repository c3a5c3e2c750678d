"""The control port: faults, prices, time, holds and the truth. For this machine only, never for a client."""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from ipaddress import ip_address
from typing import Any, Final, TypeVar

from qgtm.exchange import state
from qgtm.exchange.codec import to_json
from qgtm.exchange.core import Exchange
from qgtm.exchange.desk import Halt
from qgtm.exchange.gate import Gate
from qgtm.exchange.price import Shock
from qgtm.exchange.setting import Habits, Switches
from qgtm.exchange.venue import Instant, VenueTime, next_stop
from qgtm.exchange.wire import Request, Response

PREFIX: Final = "/control/"
MOST_HOLD_S: Final = 3600.0
MOST_AHEAD: Final = timedelta(days=3653)  # ten years in one request


_MOST_S: Final = str(int(MOST_AHEAD.total_seconds()))
Setting = TypeVar("Setting", Habits, Switches)


@dataclass(frozen=True, slots=True)
class Control:
    """What a control request works on; `stored` writes a state that was put in from outside."""

    gate: Gate
    venue: VenueTime
    stored: Callable[[], None] = lambda: None


def is_loopback(host: str | None) -> bool:
    """Say whether a peer is this machine."""
    try:
        return host is not None and ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def handle_control(control: Control, request: Request, at: Instant) -> Response:
    """Answer a control request: 200, or 422 with a sentence that says what to send instead."""
    if "origin" in request.headers:  # a page in a browser of this machine may send what it likes
        return Response(403, {"message": "the control port takes nothing from a web page"})
    handler = _TABLE.get((request.method, request.path))
    if handler is None:
        return Response(404, {"message": f"no {request.method} {request.path}; see docs/exchange.md"})
    try:
        body = json.loads(request.body or b"{}")
        if not isinstance(body, dict):
            raise ValueError("the body must be a JSON object")
        return Response(200, handler(control, body, at))
    except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError) as error:
        word = f"{error.args[0]} is missing" if isinstance(error, KeyError) else str(error)
        return Response(422, {"message": f"{request.path}: {word}"})


def _amount(body: Mapping[str, Any], name: str, low: str, high: str) -> Decimal:
    """Return a field that is a number from `low` to `high`."""
    value = body[name]
    try:
        found = Decimal(str(value))
        if not isinstance(value, bool) and Decimal(low) <= found <= Decimal(high):
            return found
    except ArithmeticError:
        pass
    raise ValueError(f"{name} is {value!r:.40}; it must be a number from {low} to {high}")


def _get_faults(control: Control, body: dict[str, Any], at: Instant) -> Any:
    return {"faults": [asdict(fault) for fault in control.gate.faults.faults]}


def _post_faults(control: Control, body: dict[str, Any], at: Instant) -> Any:
    """Set one fault, or `{"faults": [...]}`; `{"clear": true}` or a list of names takes away."""
    if "clear" in body:
        names = body["clear"] if isinstance(body["clear"], list) else None
        control.gate.faults.clear(names)
    rows = body.get("faults") or ([] if "clear" in body else [body])
    for row in rows:
        control.gate.faults.add(row)
    return _get_faults(control, body, at)


def _post_prices(control: Control, body: dict[str, Any], at: Instant) -> Any:
    """Move, halt or resume a symbol; `*` moves all."""
    exchange, now = control.gate.exchange, control.venue.now(at.monotonic_s)
    names = exchange.desk.prices.symbols if body["symbol"] == "*" else (str(body["symbol"]),)
    for name in names:
        if not exchange.desk.prices.knows(name):
            raise ValueError(f"{name} is not traded here")
        _price_change(control, name, body, now)
    control.stored()
    return {"symbols": list(names), "venue_at": exchange.now.isoformat()}


def _price_change(control: Control, symbol: str, body: Mapping[str, Any], now: datetime) -> None:
    exchange = control.gate.exchange
    from_at = _moment(body.get("from"), now)
    until_at = None
    if body.get("seconds") is not None:
        until_at = from_at + timedelta(seconds=float(_amount(body, "seconds", "0.001", _MOST_S)))
    match body.get("action", "shift"):
        case "shift":
            exchange.shock(Shock(symbol, from_at, until_at, _amount(body, "factor", "0.0001", "10000")), now)
        case "price":
            mark = exchange.desk.prices.mark(symbol, from_at)
            if not mark:
                raise ValueError(f"{symbol} has no price yet at {from_at.isoformat()}; name a later moment")
            factor = _amount(body, "price", "0.01", "1000000") / mark
            exchange.shock(Shock(symbol, from_at, until_at, factor), now)
        case "halt":
            words = (str(body.get("code", "T1")), str(body.get("reason", "Halt News Pending")))
            exchange.halt(Halt(symbol, from_at, until_at, *words), now)
        case "resume":
            exchange.resume(symbol, now)
        case other:
            raise ValueError(f"action is {other!r}; it must be shift, price, halt or resume")


def _post_advance(control: Control, body: dict[str, Any], at: Instant) -> Any:
    """Put venue time forward: `{"seconds": n}`, `{"to": time}` or `{"to": "open"|"close"|"next"}`."""
    exchange, now = control.gate.exchange, control.venue.now(at.monotonic_s)
    target = _target(control, body, now)
    if target > now + MOST_AHEAD:
        raise ValueError(f"{target.isoformat()} is more than ten years ahead; go there in steps")
    calendar = exchange.desk.prices.calendar
    calendar.after(calendar.current(target))  # raises where the market's sessions end
    control.venue.jump(target, at)
    exchange.catch_up(control.venue.now(at.monotonic_s))
    return {"venue_at": exchange.now.isoformat()}


def _target(control: Control, body: Mapping[str, Any], now: datetime) -> datetime:
    if "seconds" in body:
        return now + timedelta(seconds=float(_amount(body, "seconds", f"-{_MOST_S}", _MOST_S)))
    calendar = control.gate.exchange.desk.prices.calendar
    hours = calendar.current(now)
    match body["to"]:
        case "open":
            return hours.open_at if now < hours.open_at else calendar.after(hours).open_at
        case "close":
            return hours.close_at if now < hours.close_at else calendar.after(hours).close_at
        case "next":
            return next_stop(calendar, now)
        case text:
            return _moment(text, now)


def _post_hold(control: Control, body: dict[str, Any], at: Instant) -> Any:
    """Hold venue time, `{"name", "ttl_s"}`, or let it go, `{"name", "release": true}`."""
    name = str(body["name"])
    if not name:
        raise ValueError("name must not be empty")
    if body.get("release"):
        control.venue.release(name, at)
    else:
        ttl_s = float(body["ttl_s"])
        if not 0 < ttl_s <= MOST_HOLD_S:
            raise ValueError(f"ttl_s is {ttl_s}; it must lie between 0 and {MOST_HOLD_S:.0f} process seconds")
        control.venue.hold(name, ttl_s, at)
    return _venue(control, at)


def _get_state(control: Control, body: dict[str, Any], at: Instant) -> Any:
    """Return the truth: the whole state, and the position and cash that executions alone give."""
    exchange = control.gate.exchange
    exchange.catch_up(control.venue.now(at.monotonic_s))
    truth = exchange.truth
    return {
        "venue": _venue(control, at),
        "hash": state.state_hash(exchange),
        "truth": {"positions": to_json(truth.positions()), "cash": str(truth.cash())},
        "requests": to_json(list(truth.requests)[-5000:]),
        "state": state.dump(exchange),
    }


def _post_state(control: Control, body: dict[str, Any], at: Instant) -> Any:
    """Put a whole state, a deposit, habits or switches in."""
    exchange, now = control.gate.exchange, control.venue.now(at.monotonic_s)
    deposit = _amount(body, "deposit", "-1e12", "1e12") if "deposit" in body else None
    habits = _changed(exchange.desk.habits, body.get("habits", {}))
    switches = _changed(exchange.desk.switches, body.get("switches", {}))
    if "state" in body:
        _put_state(exchange, body["state"], now)
        control.venue.jump(max(exchange.now, now), at)
    if deposit is not None:
        exchange.deposit(deposit, now)
    if "habits" in body:
        exchange.desk.habits = habits
    if "switches" in body:
        exchange.configure(switches, now)
    control.stored()
    return {"hash": state.state_hash(exchange), "venue_at": exchange.now.isoformat()}


def _put_state(exchange: Exchange, parts: Mapping[str, Any], now: datetime) -> None:
    """Put parts of a state in; one that cannot be lived with leaves everything as it was."""
    before = state.dump(exchange)
    unknown = sorted(set(parts) - set(before))
    if unknown:
        raise ValueError(f"{unknown[0]!r} is no part of a state; there are {', '.join(before)}")
    try:
        state.load(exchange, {**before, **parts})
        for symbol in exchange.desk.ledger.lots:
            exchange.desk.assets[symbol]  # raises for one that is not traded here
        exchange.account(now)
        state.dump(exchange)
    except Exception as problem:
        state.load(exchange, before)
        word = f"{type(problem).__name__}: {problem}"
        raise ValueError(f"the state cannot be put in, so all stays as it was ({word})") from problem


def _changed(setting: Setting, body: Mapping[str, Any]) -> Setting:
    """Return a setting with some of its values changed. Raises `ValueError` naming what is wrong."""
    known = {f.name: getattr(setting, f.name) for f in fields(setting)}
    for name, value in body.items():
        if name not in known:
            kind = type(setting).__name__.lower()
            raise ValueError(f"{name!r} is none of the {kind}; there are {', '.join(known)}")
        if isinstance(known[name], bool) and not isinstance(value, bool):
            raise ValueError(f"{name} is {value!r:.40}; it must be true or false")
    numbers = {n: _amount(body, n, "0", "86400") for n in body if not isinstance(known[n], bool)}
    return replace(setting, **{**body, **{n: type(known[n])(v) for n, v in numbers.items()}})


def _venue(control: Control, at: Instant) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(control.venue.anchor.text())
    return {**body, "venue_now": control.venue.now(at.monotonic_s).isoformat()}


def _get_hold(control: Control, body: dict[str, Any], at: Instant) -> Any:
    return _venue(control, at)


def _moment(value: Any, default: datetime) -> datetime:
    if value is None:
        return default
    found = datetime.fromisoformat(str(value))
    return found.replace(tzinfo=found.tzinfo or UTC).astimezone(UTC)


_TABLE: Final[dict[tuple[str, str], Callable[[Control, dict[str, Any], Instant], Any]]] = {
    ("GET", "/control/faults"): _get_faults,
    ("POST", "/control/faults"): _post_faults,
    ("POST", "/control/prices"): _post_prices,
    ("POST", "/control/advance"): _post_advance,
    ("GET", "/control/state"): _get_state,
    ("POST", "/control/state"): _post_state,
    ("GET", "/control/hold"): _get_hold,
    ("POST", "/control/hold"): _post_hold,
}
