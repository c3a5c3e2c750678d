"""The control port: faults, prices, time, holds and the truth. For this machine only, never for a client."""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from ipaddress import ip_address
from typing import Any, Final

from qgtm.exchange import state
from qgtm.exchange.codec import to_json
from qgtm.exchange.desk import Halt
from qgtm.exchange.gate import Gate
from qgtm.exchange.price import Shock
from qgtm.exchange.setting import Habits
from qgtm.exchange.venue import Instant, VenueTime, next_stop
from qgtm.exchange.wire import Request, Response

PREFIX: Final = "/control/"
MOST_HOLD_S: Final = 3600.0


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
    handler = _TABLE.get((request.method, request.path))
    if handler is None:
        return Response(404, {"message": f"no {request.method} {request.path}; see docs/exchange.md"})
    try:
        body = json.loads(request.body or b"{}")
        if not isinstance(body, dict):
            raise ValueError("the body must be a JSON object")
        return Response(200, handler(control, body, at))
    except (ValueError, KeyError, TypeError, InvalidOperation) as error:
        word = f"{error.args[0]} is missing" if isinstance(error, KeyError) else str(error)
        return Response(422, {"message": f"{request.path}: {word}"})


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
    until_s = body.get("seconds")
    until_at = None if until_s is None else from_at + timedelta(seconds=float(until_s))
    match body.get("action", "shift"):
        case "shift":
            exchange.shock(Shock(symbol, from_at, until_at, Decimal(str(body["factor"]))), now)
        case "price":
            mark = exchange.desk.prices.mark(symbol, from_at)
            factor = Decimal(str(body["price"])) / mark
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
    control.venue.jump(_target(control, body, now), at)
    exchange.catch_up(control.venue.now(at.monotonic_s))
    return {"venue_at": exchange.now.isoformat()}


def _target(control: Control, body: Mapping[str, Any], now: datetime) -> datetime:
    if "seconds" in body:
        return now + timedelta(seconds=float(body["seconds"]))
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
    if "state" in body:
        state.load(exchange, {**state.dump(exchange), **body["state"]})
        control.venue.jump(max(exchange.now, now), at)
    if "deposit" in body:
        exchange.deposit(Decimal(str(body["deposit"])), now)
    if "habits" in body:
        known = Habits.__slots__
        unknown = [name for name in body["habits"] if name not in known]
        if unknown:
            raise ValueError(f"{unknown[0]!r} is no habit; there are {', '.join(known)}")
        exchange.desk.habits = replace(exchange.desk.habits, **_habits(body["habits"]))
    if "switches" in body:
        exchange.configure(replace(exchange.desk.switches, **body["switches"]), now)
    control.stored()
    return {"hash": state.state_hash(exchange), "venue_at": exchange.now.isoformat()}


def _habits(body: Mapping[str, Any]) -> dict[str, Any]:
    return {n: Decimal(str(v)) if n == "participation_frac" else v for n, v in body.items()}


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
