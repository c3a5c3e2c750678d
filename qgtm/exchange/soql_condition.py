"""A `$where` of Socrata's query language as a test of a row; no text of a client is ever executed."""

import re
from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any, Final, NoReturn

Row = Mapping[str, str]
Test = Callable[[Row], bool]
Term = Callable[[Row], Any]
_MOST_TOKENS: Final = 2000
_DEEPEST: Final = 100
_TOKEN: Final = re.compile(
    r"\s*(?:('(?:[^']|'')*')|(\d+(?:\.\d+)?)|([A-Za-z_:@][\w:@]*)|(!=|<>|<=|>=|[=<>(),*-]))"
)
_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}:\d{2}(\.\d{3})?)?")
_COMPARE: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "=": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<>": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}
_TEXT: Final[dict[str, Callable[[str], str]]] = {"upper": str.upper, "lower": str.lower, "trim": str.strip}
_WORDS: Final = frozenset({"and", "or", "not", "in", "between", "like", "is", "null"})


class QueryError(ValueError):
    """A query that cannot be answered: Socrata's code for it, and its message."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def comparable(value: str | None) -> Any:
    """Return a text as what it is compared as: a date with its time, a number, or the text itself."""
    if value is None:
        return None
    if _DATE.fullmatch(value):
        return value if "." in value else f"{value}.000" if "T" in value else f"{value}T00:00:00.000"
    return value


def no_column(name: str) -> NoReturn:
    """Refuse a column that the table does not have."""
    raise QueryError("query.soql.no-such-column", f"No such column: {name}")


def number_of(value: str) -> float | None:
    """Return a text as a number, None when it is none."""
    try:
        return float(value)
    except ValueError:
        return None


class Condition:
    """A `$where` as a test of a row. Raises `QueryError` for what cannot be read."""

    def __init__(self, text: str, columns: frozenset[str]) -> None:
        self._columns = columns
        self._text = text
        self._tokens = _tokens(text)
        self._place = 0
        if sum(token in ("(", "not") for token in self._tokens) > _DEEPEST:
            self._cannot()
        self.test = self._either()
        if self._place < len(self._tokens):
            self._cannot()

    def _either(self) -> Test:
        tests = [self._both()]
        while self._take("or"):
            tests.append(self._both())
        return lambda row: any(test(row) for test in tests)

    def _both(self) -> Test:
        tests = [self._one()]
        while self._take("and"):
            tests.append(self._one())
        return lambda row: all(test(row) for test in tests)

    def _one(self) -> Test:
        if self._take("not"):
            test = self._one()
            return lambda row: not test(row)
        if self._peek() == "(":
            self._expect("(")
            test = self._either()
            self._expect(")")
            return test
        return self._comparison()

    def _comparison(self) -> Test:
        if self._peek() == "starts_with":
            return self._starts_with()
        left = self._term()
        is_not = self._take("not")
        if self._take("in"):
            return _turned(self._in(left), is_not)
        if self._take("between"):
            low = self._term()
            self._expect("and")
            high = self._term()
            return _turned(lambda row: _compared("<=", low(row), left(row), high(row)), is_not)
        if self._take("like"):
            return _turned(_like(left, self._term()), is_not)
        if is_not:
            self._cannot()
        if self._take("is"):
            is_not = self._take("not")
            self._expect("null")
            return _turned(lambda row: left(row) is None, is_not)
        sign = self._next()
        if sign not in _COMPARE:
            self._cannot()
        right = self._term()
        return lambda row: _compared(sign, left(row), right(row))

    def _starts_with(self) -> Test:
        self._next()
        self._expect("(")
        left = self._term()
        self._expect(",")
        right = self._term()
        self._expect(")")
        return lambda row: str(left(row) or "").startswith(str(right(row)))

    def _in(self, left: Term) -> Test:
        self._expect("(")
        terms = [self._term()]
        while self._take(","):
            terms.append(self._term())
        self._expect(")")
        return lambda row: any(_compared("=", left(row), term(row)) for term in terms)

    def _term(self) -> Term:
        token = self._next()
        if token.startswith("'"):
            text = comparable(token[1:-1].replace("''", "'"))
            return lambda _: text
        if token == "-" and self._peek()[:1].isdigit():
            token += self._next()
        if token.lstrip("-")[:1].isdigit():
            number = float(token)
            return lambda _: number
        if token in _TEXT and self._peek() == "(":
            self._expect("(")
            inner = self._term()
            self._expect(")")
            change = _TEXT[token]
            return lambda row: None if inner(row) is None else change(str(inner(row)))
        if token not in self._columns:
            if token in _WORDS or not token[:1].isalpha():
                self._cannot()
            no_column(token)
        return lambda row: comparable(row.get(token))

    def _peek(self) -> str:
        return self._tokens[self._place] if self._place < len(self._tokens) else ""

    def _next(self) -> str:
        token = self._peek()
        if not token:
            self._cannot()
        self._place += 1
        return token

    def _take(self, word: str) -> bool:
        is_there = self._peek() == word
        self._place += is_there
        return is_there

    def _expect(self, word: str) -> None:
        if not self._take(word):
            self._cannot()

    def _cannot(self) -> NoReturn:
        near = self._peek() or "its end"
        raise QueryError(
            "query.soql.parse-error", f"Could not parse SoQL query at {near} of where {self._text[:200]}"
        )


def _tokens(text: str) -> list[str]:
    found: list[str] = []
    place = 0
    text = text.rstrip()
    while place < len(text):
        match = _TOKEN.match(text, place)
        if match is None or len(found) >= _MOST_TOKENS:
            raise QueryError("query.soql.parse-error", f"Could not parse SoQL query at {text[place:][:40]}")
        quoted, number, word, sign = match.groups()
        found.append(quoted or number or (word or "").lower() or sign)
        place = match.end()
    return found


def _turned(test: Test, is_not: bool) -> Test:
    return (lambda row: not test(row)) if is_not else test


def _compared(sign: str, *values: Any) -> bool:
    """Compare one value with the next: as numbers where one is a number, else as texts; null fits nothing."""
    if any(value is None for value in values):
        return False
    if any(isinstance(value, float) for value in values):
        numbers = [value if isinstance(value, float) else number_of(value) for value in values]
        if any(number is None for number in numbers):
            raise QueryError("query.soql.type-mismatch", "Type mismatch for op$" + sign)
        values = tuple(numbers)
    elif sign not in ("=", "!=", "<>") and all(number_of(value) is not None for value in values):
        values = tuple(number_of(value) for value in values)
    compare = _COMPARE[sign]
    return all(compare(a, b) for a, b in pairwise(values))


def _like(left: Term, right: Term) -> Test:
    def test(row: Row) -> bool:
        value, pattern = left(row), str(right(row))
        form = "".join(".*" if c == "%" else "." if c == "_" else re.escape(c) for c in pattern)
        return value is not None and re.fullmatch(form, str(value), re.DOTALL) is not None

    return test
