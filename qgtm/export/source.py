"""What a cell's source binds, leans on, imports and does: found by reading it, never by running it."""

import ast
import builtins
import re
import symtable
from collections.abc import Iterator

MAGIC = re.compile(r"^\s*(%|!)|\?\s*$")
NAMES_OF_PYTHON = frozenset(dir(builtins)) - {"exit", "quit", "copyright", "credits", "license"}


def syntax_error(source: str) -> str | None:
    """Return what Python says of a source that it cannot read, with the line; None when it can."""
    try:
        ast.parse(source)
    except (SyntaxError, ValueError) as error:
        return f"{getattr(error, 'msg', error)}, line {getattr(error, 'lineno', 1)}"
    return None


def find_magics(source: str) -> tuple[str, ...]:
    """Return the lines that only Jupyter understands, of a source that Python cannot read."""
    return tuple(line.strip() for line in source.splitlines() if MAGIC.search(line))


def without_magics(source: str) -> str:
    """Return the source with Jupyter's own lines emptied, so that the rest can be read."""
    return "\n".join("" if MAGIC.search(line) else line for line in source.splitlines())


def bound_names(source: str) -> frozenset[str]:
    """Return the names that a source defines or imports at its top level."""
    return frozenset(_bound(symtable.symtable(source, "<cell>", "exec")))


def leaning_names(source: str) -> frozenset[str]:
    """Return the names that a source uses from outside itself, Python's own apart."""
    table = symtable.symtable(source, "<cell>", "exec")
    return frozenset(_used_globals(table, is_top=True)) - _bound(table) - NAMES_OF_PYTHON


def _bound(table: symtable.SymbolTable) -> set[str]:
    return {s.get_name() for s in table.get_symbols() if s.is_assigned() or s.is_imported()}


def _used_globals(table: symtable.SymbolTable, is_top: bool) -> Iterator[str]:
    for symbol in table.get_symbols():
        if symbol.is_referenced() and (is_top or symbol.is_global()) and symbol.get_name().isidentifier():
            yield symbol.get_name()
    for child in table.get_children():
        yield from _used_globals(child, is_top=False)


def defined_names(source: str) -> Iterator[str]:
    """Yield the top-level names that a source defines, once for each definition, overloads apart."""
    for statement in ast.parse(source).body:
        yield from _defined_by(statement)


def _defined_by(statement: ast.stmt) -> Iterator[str]:
    match statement:
        case ast.FunctionDef(name=name, decorator_list=decorators):
            if "overload" not in {ast.unparse(decorator).rpartition(".")[2] for decorator in decorators}:
                yield name
        case ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            yield name
        case ast.Assign(targets=targets):
            yield from (name for target in targets for name in _stored(target))
        case ast.AnnAssign(target=ast.Name(id=name), value=value) if value is not None:
            yield name
        case _ if type(statement).__name__ == "TypeAlias":  # Python 3.12 and later
            yield ast.unparse(statement).split()[1].partition("[")[0]


def _stored(target: ast.expr) -> Iterator[str]:
    for node in ast.walk(target):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id


def imported_names(source: str) -> Iterator[str]:
    """Yield the names that a source imports at its top level, once for each import."""
    for statement in ast.parse(source).body:
        if isinstance(statement, ast.Import | ast.ImportFrom):
            yield from (alias.asname or alias.name.partition(".")[0] for alias in statement.names)


def imported_modules(source: str) -> frozenset[str]:
    """Return every module that a source imports anywhere, and `module.name` for names taken from it.

    A relative import begins with its dots.
    """
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            found.add(module)
            found.update(
                f"{module}.{alias.name}" for alias in node.names if module == "qgtm" or _is_package(module)
            )
    return frozenset(found)


def _is_package(module: str) -> bool:
    return module.startswith("qgtm.") and module.count(".") == 1


def late_imports(source: str, has_code_above: bool) -> Iterator[str]:
    """Yield the top-level imports of a source that stand below other code."""
    for statement in ast.parse(source).body:
        if isinstance(statement, ast.Import | ast.ImportFrom):
            if has_code_above:
                yield ast.unparse(statement)
        elif not _is_text(statement):
            has_code_above = True


def _is_text(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(getattr(statement.value, "value", None), str)
