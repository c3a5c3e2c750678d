"""Reading a cell: what it leans on, under every way in which Python binds a name."""

import pytest

from qgtm.export.source import defined_names, find_magics, imported_modules, leaning_names

LEANING = [
    ("x = 1\ny = x", set()),
    ("y = x", {"x"}),
    ("def f(a, *b, c=d, **e):\n    return a, b, c, e", {"d"}),
    ("def f():\n    return g()\ndef g():\n    return f()", set()),
    ("def f():\n    y = 1\n    def g():\n        return y + z\n    return g", {"z"}),
    ("x = [a for a in range(3)]", set()),
    ("x = [a for a in rows if a > low]", {"rows", "low"}),
    ("def f():\n    return [a + b for a in range(3) for b in c]", {"c"}),
    ("f = lambda a: a + b", {"b"}),
    ("class C:\n    x: int = 1\n    y = x\n    def m(self) -> 'C':\n        return self", set()),
    ("class C(Base):\n    x: Kind", {"Base", "Kind"}),
    ("def f(a: Kind) -> Other:\n    return a", {"Kind", "Other"}),
    ("@wrapped\ndef f():\n    pass", {"wrapped"}),
    ("import numpy as np\nx = np.nan", set()),
    ("from math import pi as p\nx = pi", {"pi"}),
    ("try:\n    x = 1\nexcept ValueError as e:\n    raise TypeError(e)", set()),
    ("def f():\n    with thing as t:\n        return t", {"thing"}),
    ("if (n := 3) > 2:\n    m = n", set()),
    ("match v:\n    case (a, b):\n        a + b\n    case Point(x=q):\n        q", {"v", "Point"}),
    ("def f():\n    global counted\n    counted = 1", {"counted"}),
    ("x += 1", set()),
    ("print(__name__, len(''), ValueError)", set()),
    ("display(x_)\nget_ipython()", {"display", "x_", "get_ipython"}),
    ("f'{width:>{deep}}'", {"width", "deep"}),
]  # fmt: skip


@pytest.mark.parametrize(("source", "leaning"), LEANING)
def test_names_a_cell_leans_on_are_those_it_does_not_bind(source: str, leaning: set[str]) -> None:
    assert leaning_names(source) - {"counted"} == leaning - {"counted"}


def test_definitions_are_counted_once_each_overloads_apart() -> None:
    source = "@overload\ndef f(a: int) -> int: ...\n@overload\ndef f(a: str) -> str: ...\ndef f(a): return a"
    assert list(defined_names(source)) == ["f"]
    assert list(defined_names("a = b = 1\nc, (d, *e) = x\nf: int = 2\ng: int")) == [
        "a",
        "b",
        "c",
        "d",
        "e",
        "f",
    ]
    assert list(defined_names("a[0] = 1\nb.c = 2")) == []


def test_imports_are_found_wherever_they_stand() -> None:
    source = (
        "import a.b as c\ndef f():\n    from d import e\nfrom qgtm.features import trend\nfrom . import x"
    )
    assert imported_modules(source) == {"a.b", "d", "qgtm.features", "qgtm.features.trend", "."}


def test_lines_of_jupyter_are_told_from_remainders() -> None:
    assert find_magics("%time\n!ls\nf?\n  %%bash") == ("%time", "!ls", "f?", "%%bash")
    assert find_magics("x = 7 % 3\ny = x != 2") == ()
