"""The form of a vendor's rows: each field that we read is there, of its kind and within reason.

A renamed field, another unit, another kind of value or an impossible number is a FeedError that names the
field; a reply is taken whole or not at all (faults E13).
"""

import difflib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any, NoReturn

from qgtm.core.bar import BarSet
from qgtm.core.corporate_action import CorporateAction
from qgtm.core.errors import FeedError
from qgtm.core.fact import Fact
from qgtm.core.instant import NEW_YORK

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Taken:
    """What a feed gave: facts, and in words what of it is missing though the vendor answered.

    The feed of prices gives raw bars and corporate actions as well.
    """

    facts: tuple[Fact, ...]
    missing: tuple[str, ...] = ()
    bars: tuple[BarSet, ...] = ()
    actions: tuple[CorporateAction, ...] = ()


def as_fetched(facts: Iterable[Fact], at: datetime) -> tuple[Fact, ...]:
    """Return facts as a live fetch knows them: from their publication on, and not before they were here."""
    return tuple(fact if fact.known_at >= at else replace(fact, known_at=at) for fact in facts)


def start_of(day: date) -> datetime:
    """Return midnight in New York: how a whole day is written as a moment; its day is the same in UTC."""
    return datetime(day.year, day.month, day.day, tzinfo=NEW_YORK)


def row_of(value: object, where: str) -> Row:
    """Return an object of the reply. Raises FeedError for anything else."""
    if not isinstance(value, Mapping):
        refuse(where, f"it is {_short(value)} where an object belongs")
    return value


def rows_of(value: object, where: str) -> Sequence[Any]:
    """Return a list of the reply. Raises FeedError for anything else."""
    if not isinstance(value, list):
        refuse(where, f"it is {_short(value)} where a list belongs")
    return value


def known_only(row: Row, known: Collection[str], where: str) -> Row:
    """Return the row when it has no field beyond `known`. Raises FeedError naming the stranger."""
    strangers = [name for name in row if name not in known]
    if strangers:
        lost = [name for name in known if name not in row]
        near = difflib.get_close_matches(strangers[0], lost, n=1, cutoff=0.0)
        renamed = f"; {near[0]} is not there: has it been renamed?" if near else ""
        refuse(where, f"there is a field {strangers[0]} that nobody knows{renamed}")
    return row


def value_of(row: Row, name: str, where: str) -> Any:
    """Return a field. Raises FeedError when it is missing, naming the nearest that is there."""
    if name not in row:
        near = difflib.get_close_matches(name, row, n=1, cutoff=0.6)
        refuse(
            where, f"the field {name} is missing{f'; there is {near[0]}: was it renamed?' if near else ''}"
        )
    return row[name]


def text_of(row: Row, name: str, where: str) -> str:
    """Return a field that is a text. Raises FeedError."""
    value = value_of(row, name, where)
    if not isinstance(value, str):
        refuse(where, f"the field {name} is {_short(value)} and no text")
    return value


def same(row: Row, name: str, expected: str, where: str) -> None:
    """Raise FeedError unless a field says what it always said: a unit, a name."""
    found = text_of(row, name, where).strip()
    if found != expected:
        refuse(
            where, f"the field {name} is {_short(found)} and was always {expected!r}: has the unit changed?"
        )


def day_of(row: Row, name: str, where: str) -> date:
    """Return a field that is a day, alone or as midnight. Raises FeedError."""
    text = text_of(row, name, where)
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        refuse(where, f"the field {name} is {_short(text)} and no day")
    if at.time() != datetime.min.time():
        refuse(where, f"the field {name} is {_short(text)}, and a whole day was always meant")
    return at.date()


def number_of(row: Row, name: str, where: str, least: float, most: float) -> float:
    """Return a field that is a number, or a text of one, within two bounds. Raises FeedError."""
    value = value_of(row, name, where)
    try:
        number = (
            float(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else None
        )
    except (ValueError, OverflowError):
        number = None
    if number is None:
        refuse(where, f"the field {name} is {_short(value)} and no number")
    if not least <= number <= most:
        refuse(where, f"the field {name} is {value}, outside {least:g} to {most:g}: has its unit changed?")
    return number


def whole_of(row: Row, name: str, where: str, most: int) -> int:
    """Return a field that is a whole number from 0 to `most`. Raises FeedError."""
    number = number_of(row, name, where, 0, most)
    if number != int(number):
        refuse(where, f"the field {name} is {number:g}, and only whole numbers are possible")
    return int(number)


def refuse(where: str, why: str) -> NoReturn:
    """Raise the FeedError: nothing of this reply is taken."""
    raise FeedError(
        f"{where}: {why}. Nothing of it was taken; compare the vendor's page with the adapter."
    ) from None


def _short(value: object) -> str:
    return f"{value!r:.60}"
