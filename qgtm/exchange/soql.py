"""The part of Socrata's query language that clients of a table use: select, where, order, limit, offset.

Conditions are in `soql_condition`.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from qgtm.exchange.soql_condition import Condition, QueryError, Row, comparable, no_column, number_of

__all__ = ["QueryError", "query"]


USUAL_LIMIT: Final = 1000
_DIGITS: Final = 9
_TOTALS: Final[dict[str, Callable[[Sequence[Any]], Any]]] = {
    "max": lambda values: max(values, default=None),
    "min": lambda values: min(values, default=None),
    "count": len,
}


def query(rows: Sequence[Row], asked: Mapping[str, str], columns: frozenset[str]) -> list[dict[str, str]]:
    """Return what a request's parameters ask of the rows. Raises `QueryError`."""
    if "$query" in asked or "$group" in asked or "$having" in asked or "$q" in asked:
        raise QueryError("query.soql.unsupported", "$query, $group, $having and $q are not spoken here")
    found = [row for row in rows if _fits(row, asked, columns)]
    if "$where" in asked:
        test = Condition(asked["$where"], columns).test
        found = [row for row in found if test(row)]
    shown, is_total = _selected(found, asked.get("$select", "*"), columns, _order(asked, columns))
    limit, offset = _whole(asked, "$limit", USUAL_LIMIT), _whole(asked, "$offset", 0)
    return shown if is_total else shown[offset : offset + limit]


def _fits(row: Row, asked: Mapping[str, str], columns: frozenset[str]) -> bool:
    """Say whether a row has the values of the plain parameters, `column=value`."""
    for name, value in asked.items():
        if name.startswith("$"):
            continue
        if name.lower() not in columns:
            no_column(name)
        if comparable(row.get(name.lower())) != comparable(value):
            return False
    return True


def _whole(asked: Mapping[str, str], name: str, usual: int) -> int:
    text = asked.get(name, str(usual))
    if not text.isdecimal() or len(text) > _DIGITS:
        raise QueryError("query.soql.invalid-parameter", f"Invalid value for {name}: {text[:40]}")
    return int(text)


def _order(asked: Mapping[str, str], columns: frozenset[str]) -> list[tuple[str, bool]]:
    found: list[tuple[str, bool]] = []
    for part in filter(None, (part.strip() for part in asked.get("$order", "").split(","))):
        name, _, way = part.partition(" ")
        way = way.strip().upper() or "ASC"
        if way not in ("ASC", "DESC"):
            raise QueryError("query.soql.parse-error", f"Could not parse SoQL query: order by {part}")
        if name.lower() not in columns:
            no_column(name)
        found.append((name.lower(), way == "DESC"))
    return found


def _selected(
    rows: Sequence[Row], text: str, columns: frozenset[str], order: Iterable[tuple[str, bool]]
) -> tuple[list[dict[str, str]], bool]:
    parts = [_part(part.strip(), columns) for part in text.split(",")]
    if any(total for _, total, _ in parts):
        return [_total(rows, parts)], True
    ordered = list(rows)
    for name, is_down in reversed(list(order)):
        ordered.sort(key=lambda row: _sortable(row.get(name)), reverse=is_down)
    if text.strip() == "*":
        return [dict(row) for row in ordered], False
    kept = [(name, alias) for name, _, alias in parts]
    return [{alias: row[name] for name, alias in kept if name in row} for row in ordered], False


def _part(text: str, columns: frozenset[str]) -> tuple[str, str, str]:
    """Return column, total and name in the answer of one part of a selection."""
    found = re.fullmatch(r"(?:(max|min|count)\()?\s*([\w:*]+)\s*(\))?(?:\s+as\s+(\w+))?", text, re.IGNORECASE)
    if found is None or bool(found[1]) != bool(found[3]):
        raise QueryError("query.soql.parse-error", f"Could not parse SoQL query: select {text}")
    name, total = found[2].lower(), (found[1] or "").lower()
    if name not in columns and name != "*":
        no_column(name)
    usual = "count" if total == "count" and name == "*" else f"{total}_{name}" if total else name
    return name, total, found[4] or usual


def _total(rows: Sequence[Row], parts: Sequence[tuple[str, str, str]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, total, alias in parts:
        known = [row for row in rows if name in row] if name != "*" else rows
        if total in ("", "count"):
            found[alias] = str(len(known)) if total else known[0][name] if known else ""
        elif known:
            best = _TOTALS[total]([(_sortable(row[name]), place) for place, row in enumerate(known)])
            found[alias] = known[best[1]][name]
    return found


def _sortable(value: str | None) -> tuple[int, float, str]:
    if value is None:
        return (0, 0.0, "")
    number = number_of(value)
    return (1, number, "") if number is not None else (2, 0.0, value)
