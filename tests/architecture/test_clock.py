"""The clock ban: time and randomness come in as arguments.

Ruff's banned-api catches the plain names. This reads the syntax tree, so that an alias, a method of an
event loop, or a generator without a seed is caught too.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ALLOWED = {
    # file: what it may call besides, and why; everything for the two clocks themselves
    "qgtm/adapters/clock.py": (None, "the daemon's one clock"),
    "qgtm/watchdog/clock.py": (None, "the watchdog shares no code with the daemon, its clock included"),
    "qgtm/adapters/chance.py": (None, "what must not be guessed: tokens, nonces, sessions"),
    "qgtm/adapters/alpaca_stream.py": (
        {"asyncio.sleep"},
        "waits between two connections, in process time, on a thread of its own; tests pass the waits in",
    ),
    "qgtm/exchange/server.py": (
        {"asyncio.sleep"},
        "the sockets' front: paces real clients in process time; the core behind it is told what time it is",
    ),
}

WHOLE_MODULES = {"secrets"}  # randomness only
BANNED = {
    "time": {
        "time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns", "process_time",
        "sleep", "localtime", "gmtime",
    },
    "datetime.datetime": {"now", "utcnow", "today"},
    "datetime.date": {"today"},
    "uuid": {"uuid1", "uuid4"},
    "os": {"urandom", "getrandom"},
    "random": {
        "random", "randint", "randrange", "choice", "choices", "shuffle", "sample", "uniform", "gauss",
        "normalvariate", "seed", "getrandbits", "SystemRandom",
    },
    "numpy.random": {
        "rand", "randn", "randint", "random", "choice", "normal", "uniform", "seed", "shuffle", "permutation",
    },
    "pandas.Timestamp": {"now", "today", "utcnow"},
    "asyncio": {"sleep"},
}  # fmt: skip
SEEDED = {"random.Random", "numpy.random.default_rng", "numpy.random.RandomState"}


def names_of_imports(tree: ast.AST) -> dict[str, str]:
    """Return what each imported name stands for, dotted."""
    known: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                first = alias.name.split(".")[0]
                known[alias.asname or first] = alias.name if alias.asname else first
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            known.update({a.asname or a.name: f"{node.module}.{a.name}" for a in node.names})
    return known


def dotted(node: ast.expr, known: dict[str, str]) -> str:
    """Return the full name that an expression refers to, or an empty string."""
    if isinstance(node, ast.Name):
        return known.get(node.id, "")
    if isinstance(node, ast.Attribute):
        owner = dotted(node.value, known)
        return f"{owner}.{node.attr}" if owner else ""
    return ""


def is_yield_to_the_loop(call: ast.Call) -> bool:
    """Return whether this is `asyncio.sleep(0)`, which waits for nothing."""
    return bool(call.args) and isinstance(call.args[0], ast.Constant) and call.args[0].value == 0


def is_banned(name: str) -> bool:
    owner, _, leaf = name.rpartition(".")
    return leaf in BANNED.get(owner, ()) or name.split(".")[0] in WHOLE_MODULES


def uses_of_time_or_chance(source: str) -> Iterator[tuple[int, str]]:
    """Yield line and name of each use of the machine's clock or of unseeded chance."""
    tree = ast.parse(source)
    known = names_of_imports(tree)
    harmless: set[ast.AST] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = dotted(node.func, known)
            if name == "asyncio.sleep" and is_yield_to_the_loop(node):
                harmless.add(node.func)
            if name in SEEDED and not (node.args or node.keywords):
                yield node.lineno, f"{name}() without a seed"
    for node in ast.walk(tree):
        if isinstance(node, ast.Name | ast.Attribute) and node not in harmless:
            name = dotted(node, known)
            if is_banned(name):
                yield node.lineno, name


def is_allowed(file: str, name: str) -> bool:
    """Return whether the allow-list lets a file use a name."""
    names = ALLOWED[file][0] if file in ALLOWED else set()
    return names is None or name in names


def test_only_the_clock_modules_read_the_clock(repo: Path) -> None:
    found = [
        f"{file}:{line} {name}"
        for path in sorted((repo / "qgtm").rglob("*.py"))
        for line, name in uses_of_time_or_chance(path.read_text())
        if not is_allowed(file := path.relative_to(repo).as_posix(), name)
    ]
    assert not found, "take `now` or a Clock as an argument instead of:\n" + "\n".join(found)


def test_allow_list_names_only_what_is_used(repo: Path) -> None:
    used = {
        file: {name for _, name in uses_of_time_or_chance((repo / file).read_text())}
        for file in ALLOWED
        if (repo / file).exists()
    }
    idle = [file for file, names in used.items() if not names or not (ALLOWED[file][0] or names) <= names]
    assert not idle, f"no longer needed in ALLOWED: {idle}"


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("import time\ntime.sleep(1)", "time.sleep"),
        ("import time as t\nwait = t.sleep", "time.sleep"),
        ("from time import monotonic as m\nm()", "time.monotonic"),
        ("import datetime\ndatetime.datetime.now()", "datetime.datetime.now"),
        ("from datetime import datetime as D\nD.utcnow()", "datetime.datetime.utcnow"),
        ("from datetime import date\ndate.today()", "datetime.date.today"),
        ("import uuid\nuuid.uuid4()", "uuid.uuid4"),
        ("from os import urandom\nurandom(8)", "os.urandom"),
        ("import secrets\nsecrets.token_hex()", "secrets.token_hex"),
        ("import random\nrandom.random()", "random.random"),
        ("import random\nrandom.Random()", "random.Random() without a seed"),
        ("import numpy as np\nnp.random.default_rng()", "numpy.random.default_rng() without a seed"),
        ("import numpy as np\nnp.random.normal()", "numpy.random.normal"),
        ("import asyncio\nasyncio.sleep(1)", "asyncio.sleep"),
    ],
)
def test_use_of_clock_or_chance_is_found_under_any_name(source: str, name: str) -> None:
    assert name in [found for _, found in uses_of_time_or_chance(source)]


@pytest.mark.parametrize(
    "source",
    [
        "from datetime import datetime\ndatetime(2024, 1, 2)",
        "import random\nrandom.Random(7)",
        "import numpy as np\nnp.random.default_rng(seed=7)",
        "import asyncio\nasyncio.sleep(0)",
        "def f(time):\n    return time.time",
    ],
)
def test_passed_in_time_and_seeded_chance_are_let_through(source: str) -> None:
    assert list(uses_of_time_or_chance(source)) == []
