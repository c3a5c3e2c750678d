"""Answers that look whole and are wrong: other names, other units, missing rows, pages without end."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any, Final

from qgtm.exchange.wire import Request

MUTATIONS: Final = ("rename", "scale", "half")
_PAGING: Final = ("offset", "$offset", "after", "page_token")
_PARAMETERS: Final[dict[str, dict[str, tuple[type, ...]]]] = {
    "rename": {"from": (str,), "to": (str,)},
    "scale": {"fields": (list,), "factor": (int, float)},
}
_TABLES: Final = ("snapshots", "bars", "quotes", "trades", "data")


def check_parameters(action: str, body: Any) -> None:
    """Raise `ValueError` for a body that is none of a mutation's."""
    if action not in _PARAMETERS or body is None:
        return
    known = _PARAMETERS[action]
    if not isinstance(body, dict) or set(body) - set(known):
        raise ValueError(f"body is {body!r:.40}; for {action} it is an object of {', '.join(known)}")
    for name, value in body.items():
        if not isinstance(value, known[name]) or isinstance(value, bool):
            raise ValueError(f"{name} is {value!r:.40}; that is no {name} for {action}")


def rewound(request: Request) -> Request:
    """Return a request for the first page of what it asks for."""
    return replace(request, query={k: v for k, v in request.query.items() if k not in _PAGING})


def spoilt_body(action: str, body: Any, wanted: Mapping[str, Any], number: int) -> Any:
    """Return what a mutation makes of a JSON answer; `number` tells its token from others'."""
    if body is None or isinstance(body, bytes):
        return body
    if action == "rename":
        return _renamed(body, wanted.get("from", ""), wanted.get("to", ""))
    if action == "scale":
        return _scaled(body, frozenset(wanted.get("fields", ())), float(wanted.get("factor", 100.0)))
    return _halved(body) if action == "half" else _endless(body, number)


def garbled(content: bytes) -> bytes:
    """Return bytes of the same length of which every fifth is none of a text."""
    return bytes(byte ^ 0x80 if place % 5 == 0 else byte for place, byte in enumerate(content))


def _renamed(body: Any, old: str, new: str) -> Any:
    if isinstance(body, list):
        return [_renamed(part, old, new) for part in body]
    if isinstance(body, dict):
        return {new if name == old else name: _renamed(part, old, new) for name, part in body.items()}
    return body


def _scaled(body: Any, names: Collection[str], factor: float) -> Any:
    if isinstance(body, list):
        return [_scaled(part, names, factor) for part in body]
    if isinstance(body, dict):
        return {
            name: _times(part, factor) if name in names else _scaled(part, names, factor)
            for name, part in body.items()
        }
    return body


def _times(value: Any, factor: float) -> Any:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value * factor
    try:
        return f"{float(value) * factor:.10g}" if isinstance(value, str) else value
    except ValueError:
        return value


def _halved(body: Any) -> Any:
    if isinstance(body, list):
        return body[::2]
    if not isinstance(body, dict):
        return body
    return {name: _half_of_part(name, part) for name, part in body.items()}


def _half_of_part(name: str, part: Any) -> Any:
    if isinstance(part, list):
        return part[::2]
    if name not in _TABLES or not isinstance(part, dict):
        return part
    if "children" in part:
        return _halved(part)
    return {key: part[key] for key in list(part)[::2]}


def _endless(body: Any, number: int) -> Any:
    if not isinstance(body, dict):
        return body
    found = dict(body)
    if "next_page_token" in found:
        found["next_page_token"] = f"again-{number}"
    if "count" in found and "limit" in found:
        found["count"] = found["count"] + (number + 1) * found["limit"]
    if isinstance(found.get("data"), dict) and "after" in found["data"]:
        found["data"] = {**found["data"], "after": f"t3_again{number}"}
    return found
