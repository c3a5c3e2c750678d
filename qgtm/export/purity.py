"""What the inside must not do: reach out, ask the time, draw lots, or act while it is imported."""

import ast
import sys
from collections.abc import Iterator

from qgtm.export.notebook import Cell, Notebook, Refusal
from qgtm.export.source import imported_modules

CURE_IMPORT = "Pass what it gives in as an argument, or move the code out of the export cell"

# The design names the first two lines; the rest reach files, processes, the network or the clock as well.
FORBIDDEN_LIBRARY = frozenset(
    {
        *("asyncio", "logging", "os", "pathlib", "random", "socket", "sqlite3", "subprocess"),
        *("threading", "time", "urllib"),
        *("concurrent", "ctypes", "dbm", "fcntl", "ftplib", "getpass", "glob", "http", "imaplib"),
        *("importlib", "io", "mmap", "multiprocessing", "pickle", "platform", "poplib", "pty", "queue"),
        *("sched", "secrets", "select", "selectors", "shelve", "shutil", "signal", "smtplib"),
        *("socketserver", "ssl", "sys", "tempfile", "tkinter", "uuid", "webbrowser", "xmlrpc"),
    }
)
ALLOWED_VENDORS = frozenset({"numpy"})
MAY_IMPORT = {  # the same as the contract that import-linter holds
    "features": ("core", "features"),
    "strategies": ("core", "features", "strategies"),
    "allocation": ("core", "features", "allocation"),
    "risk": ("core", "features", "risk"),
    "engine": ("core", "features", "strategies", "allocation", "risk", "engine"),
}
FORBIDDEN_CALLS = frozenset({"open", "print", "input", "exec", "eval", "compile", "breakpoint", "__import__"})
CLOCKS = frozenset({"datetime.now", "datetime.utcnow", "datetime.today", "date.today"})


def find_impurities(notebook: Notebook, cell: Cell) -> Iterator[Refusal]:
    """Yield a refusal for each import, call and statement of an export cell that the inside forbids."""
    for module in sorted(imported_modules(cell.source)):
        why = _forbidden_import(notebook.section, module)
        if why:
            said = f"`import {module}` is not for the inside: {why}"
            yield notebook.refuse("forbidden import", cell, module, said, CURE_IMPORT)
    for node in ast.walk(ast.parse(cell.source)):
        yield from _impure_node(notebook, cell, node)
    for statement in ast.parse(cell.source).body:
        yield from _acting_statement(notebook, cell, statement)


def _forbidden_import(section: str, module: str) -> str | None:
    root = module.partition(".")[0]
    if not root:
        return "a relative import has another meaning in the notebook"
    if root == "qgtm":
        return _wrong_direction(section, module)
    if root in FORBIDDEN_LIBRARY:
        return "it reaches files, processes, the network, the clock or chance"
    if root in sys.stdlib_module_names or root in ALLOWED_VENDORS:
        return None
    return f"of vendors it knows {', '.join(sorted(ALLOWED_VENDORS))} alone"


def _wrong_direction(section: str, module: str) -> str | None:
    package = module.split(".")[1] if "." in module else ""
    if not package or package in MAY_IMPORT[section]:
        return None
    return f"`{section}` may import {', '.join(MAY_IMPORT[section])} of qgtm"


def _impure_node(notebook: Notebook, cell: Cell, node: ast.AST) -> Iterator[Refusal]:
    if isinstance(node, ast.Assert):
        said = f"`{ast.unparse(node)}` asserts in what is printed"
        yield notebook.refuse("assert", cell, "assert", said, "Raise an error, or move it to a check cell")
    elif isinstance(node, ast.Call):
        yield from _impure_call(notebook, cell, ast.unparse(node.func))
    elif isinstance(node, ast.Attribute) and _is_global_chance(node):
        said = f"`{ast.unparse(node)}` draws from a generator that nobody passed in"
        cure = "Take an `np.random.Generator` as an argument"
        yield notebook.refuse("forbidden call", cell, ast.unparse(node), said, cure)


def _impure_call(notebook: Notebook, cell: Cell, called: str) -> Iterator[Refusal]:
    if called in FORBIDDEN_CALLS:
        said = f"`{called}(...)` is not for the inside, which does nothing but compute"
        yield notebook.refuse("forbidden call", cell, called, said, CURE_IMPORT)
    if ".".join(called.split(".")[-2:]) in CLOCKS:
        said = f"`{called}()` asks what time it is"
        yield notebook.refuse("forbidden call", cell, called, said, "Take `now` as an argument")


def _is_global_chance(node: ast.Attribute) -> bool:
    return ast.unparse(node.value) in ("np.random", "numpy.random") and node.attr != "Generator"


def _acting_statement(notebook: Notebook, cell: Cell, statement: ast.stmt) -> Iterator[Refusal]:
    if isinstance(statement, ast.Expr) and not isinstance(getattr(statement.value, "value", None), str):
        text = ast.unparse(statement).splitlines()[0]
        said = f"`{text}` shows or does something when the module is imported"
        yield notebook.refuse(
            "acting statement", cell, text, said, "Move it to a cell without the tag `export`"
        )
