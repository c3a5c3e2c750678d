"""Read a TOML table into a frozen dataclass, telling every problem in a sentence with the next step."""

import dataclasses
import difflib
import typing
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import time
from decimal import Decimal
from typing import Any, Final, TypeVar

T = TypeVar("T")
SECRET_WORDS: Final = ("secret", "password", "passwd", "token", "api_key", "key_id", "smtp_url")
SAID: Final[dict[object, str]] = {
    str: 'a text in quotes, such as "text"',
    int: "a whole number, without quotes",
    Decimal: "a number, without quotes",
    bool: "true or false, without quotes",
    time: "a time without quotes, such as 18:00:00",
    tuple[str, ...]: 'a list of texts, such as ["GLD", "SLV"]',
    tuple[int, ...]: "a list of whole numbers, such as [300, 600]",
}


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a key's value must also be: one of a few words, or within two numbers, both included."""

    one_of: tuple[str, ...] = ()
    least: int | None = None
    most: int | None = None

    def problem(self, value: Any) -> str | None:
        """Return what a value (or one of a list) is lacking, None when nothing."""
        problems = map(self._problem, value if isinstance(value, tuple) else (value,))
        return next((problem for problem in problems if problem), None)

    def _problem(self, value: Any) -> str | None:
        if self.one_of and value not in self.one_of:
            return f"{_shown(value)} is not one of {', '.join(self.one_of)}"
        if self.least is not None and value < self.least:
            return f"{value} is below {self.least}"
        if self.most is not None and value > self.most:
            return f"{value} is above {self.most}"
        return None


def words(*allowed: str) -> Bounds:
    """Return what makes `Annotated[str, words(…)]` one of `allowed`, as every text of a list."""
    return Bounds(one_of=allowed)


def between(least: int, most: int) -> Bounds:
    """Return what makes `Annotated[int, between(…)]` lie within the two, as every number of a list."""
    return Bounds(least=least, most=most)


def find_problems(kind: Any, table: object, path: str) -> Iterator[str]:
    """Yield a sentence for everything that keeps `table` from being a `kind`."""
    if not isinstance(table, Mapping):
        yield f"{path} is {table!r}, and a section is meant: write [{path}] and its keys below it."
        return
    hints = typing.get_type_hints(kind, include_extras=True)
    yield from find_strangers(table, hints, path)
    for each in dataclasses.fields(kind):
        name = f"{path}.{each.name}" if path else each.name
        if each.name in table:
            yield from _value_problems(*_hint_and_bounds(hints[each.name]), table[each.name], name)
        elif each.default is dataclasses.MISSING:
            yield f"{name} is missing: write {_said(_hint_and_bounds(hints[each.name])[0], each.name)}."


def find_strangers(table: Mapping[str, object], known: Mapping[str, object], path: str = "") -> Iterator[str]:
    """Yield a sentence for every key of `table` that is not `known`, naming the nearest."""
    prefix = f"{path}." if path else ""
    for key in table:
        if key in known:
            continue
        if any(word in key.lower() for word in SECRET_WORDS):
            yield f"{prefix}{key} looks like a secret, and none belongs in this file: {WHERE_KEYS_GO}."
        else:
            near = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
            cure = f"did you mean {prefix}{near[0]}?" if near else f"delete it; known are {', '.join(known)}."
            yield f"{prefix}{key} is no key that we know: {cure}"


WHERE_KEYS_GO: Final = "delete it, and put keys into the environment or a file .env beside this (chmod 600)"


def _said(hint: Any, name: str) -> str:
    if dataclasses.is_dataclass(hint):
        return f"a section [{name}]"
    return f"{name} = …, {SAID[hint]}"


def _hint_and_bounds(hint: Any) -> tuple[Any, Bounds | None]:
    arguments = typing.get_args(hint)
    if typing.get_origin(hint) is typing.Annotated:
        return arguments[0], arguments[1]
    if type(None) in arguments:  # optional: when it is there, it is the other
        return next(each for each in arguments if each is not type(None)), None
    return hint, None


def _value_problems(hint: Any, bounds: Bounds | None, value: object, name: str) -> Iterator[str]:
    if dataclasses.is_dataclass(hint):
        yield from find_problems(hint, value, name)
        return
    fitting = FIT[hint](value)
    if fitting is None:
        yield f"{name} is {_shown(value)}: write {SAID[hint]}."
    elif name.endswith("_frac") and not 0 <= fitting <= 1:
        meant = Decimal(str(fitting)) / 100
        yield f"{name} is {fitting}, and a fraction is meant: did you mean {meant.normalize():f}?"
    elif isinstance(fitting, tuple) and (twice := _twice(fitting)) is not None:
        yield f"{name} names {_shown(twice)} twice: delete one of the two."
    elif problem := bounds and bounds.problem(fitting):
        yield f"{name}: {problem}; correct it."


def _twice(values: tuple[Any, ...]) -> Any:
    return next((value for number, value in enumerate(values) if value in values[:number]), None)


def _shown(value: object) -> str:
    # Not a whole text: somebody may have pasted a secret into the wrong place.
    return str(value) if isinstance(value, Decimal) else f"{value!r:.20}"


def _list(fits: Callable[[object], Any]) -> Callable[[object], Any]:
    def fit(value: object) -> Any:
        items = [fits(item) for item in value] if isinstance(value, list) else [None]
        return None if None in items else tuple(items)

    return fit


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _number(value: object) -> Decimal | None:
    if isinstance(value, Decimal):
        return value if value.is_finite() else None
    return None if _whole(value) is None else Decimal(str(value))


FIT: Final[dict[object, Callable[[object], Any]]] = {
    str: _text,
    int: _whole,
    Decimal: _number,
    bool: lambda value: value if isinstance(value, bool) else None,
    time: lambda value: value if isinstance(value, time) else None,
    tuple[str, ...]: _list(_text),
    tuple[int, ...]: _list(_whole),
}


def built(kind: type[T], table: Mapping[str, Any]) -> T:
    """Return a `kind` from a table in which no problem was found."""
    hints = typing.get_type_hints(kind)
    return kind(**{name: _value(_hint_and_bounds(hints[name])[0], value) for name, value in table.items()})


def _value(hint: Any, value: Any) -> Any:
    return FIT[hint](value) if hint in FIT else built(hint, value)
