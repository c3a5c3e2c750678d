"""How the knobs reach the print: `Params` names them, `PARAMS` fills it, and the print holds literals."""

import ast
import json
from collections.abc import Iterator

from qgtm.export.knob import Knob
from qgtm.export.notebook import Cell, Notebook, Refusal


def check_params(notebook: Notebook, knobs: tuple[Knob, ...]) -> Iterator[Refusal]:
    """Yield a refusal for each knob, field or keyword where knobs, `Params` and `PARAMS` do not agree."""
    decided = tuple(knob for knob in knobs if not knob.is_run)
    fields = _find_class(notebook)
    filled = _find_filling(notebook)
    if fields is None or filled is None:
        yield from _lacking(notebook, decided, fields is not None, filled is not None)
        return
    yield from _compare_fields(notebook, decided, *fields)
    yield from _compare_keywords(notebook, decided, *filled)


def _find_class(notebook: Notebook) -> tuple[Cell, ast.ClassDef] | None:
    for cell in notebook.tagged("export"):
        for statement in ast.parse(cell.source).body:
            if isinstance(statement, ast.ClassDef) and statement.name == "Params":
                return cell, statement
    return None


def _find_filling(notebook: Notebook) -> tuple[Cell, ast.Assign] | None:
    for cell in notebook.tagged("export"):
        for statement in ast.parse(cell.source).body:
            if is_filling(statement) and isinstance(statement, ast.Assign):
                return cell, statement
    return None


def is_filling(statement: ast.stmt) -> bool:
    """Tell whether a statement is `PARAMS = ...`, whatever stands on its right."""
    match statement:
        case ast.Assign(targets=[ast.Name(id="PARAMS")]):
            return True
    return False


def _lacking(
    notebook: Notebook, knobs: tuple[Knob, ...], has_class: bool, has_filling: bool
) -> Iterator[Refusal]:
    if not knobs and not has_class and not has_filling:
        return
    keywords = ", ".join(f"{knob.name}={knob.name}" for knob in knobs)
    if not has_class:
        names = ", ".join(f"`{knob.name}`" for knob in knobs) or "no knob"
        said = f"no export cell defines `Params`, so it lacks {names}"
        cure = "Define a frozen dataclass `Params` whose fields are the knobs"
        yield notebook.refuse("knob without field", None, "Params", said, cure)
    if not has_filling:
        said = "no export cell fills `PARAMS`"
        cure = f"Add the line `PARAMS = Params({keywords})` below the class"
        yield notebook.refuse("params not filled", None, "PARAMS", said, cure)


def _compare_fields(
    notebook: Notebook, knobs: tuple[Knob, ...], cell: Cell, made: ast.ClassDef
) -> Iterator[Refusal]:
    if not any(_is_frozen(decorator) for decorator in made.decorator_list):
        cure = "Write `@dataclass(frozen=True)` above it"
        yield notebook.refuse("params not frozen", cell, "Params", "`Params` is no frozen dataclass", cure)
    fields = [s for s in made.body if isinstance(s, ast.AnnAssign) and isinstance(s.target, ast.Name)]
    names = {ast.unparse(field.target) for field in fields}
    for field in fields:
        yield from _check_field(notebook, cell, field, {knob.name for knob in knobs})
    for knob in knobs:
        if knob.name not in names:
            said = f"the knob `{knob.name}` is lacking in `Params`"
            cure = (
                f"Add the field `{knob.name}` with its type, or begin the knob's comment with `run:` "
                "if it belongs to the run alone"
            )
            yield notebook.refuse("knob without field", cell, knob.name, said, cure)


def _is_frozen(decorator: ast.expr) -> bool:
    return isinstance(decorator, ast.Call) and any(
        keyword.arg == "frozen" and getattr(keyword.value, "value", False) is True
        for keyword in decorator.keywords
    )


def _check_field(notebook: Notebook, cell: Cell, field: ast.AnnAssign, knobs: set[str]) -> Iterator[Refusal]:
    name = ast.unparse(field.target)
    if name not in knobs:
        said = f"the field `{name}` of `Params` has no knob in the parameters cell"
        cure = f"Add the line `{name} = ...  # unit [low, high]` there, or remove the field"
        yield notebook.refuse("field without knob", cell, name, said, cure)
    if field.value is not None:
        said = f"the field `{name}` of `Params` has a default beside its knob: two places for one number"
        cure = "Remove the default"
        yield notebook.refuse("field with default", cell, name, said, cure)


def _compare_keywords(
    notebook: Notebook, knobs: tuple[Knob, ...], cell: Cell, statement: ast.Assign
) -> Iterator[Refusal]:
    wanted = f"PARAMS = Params({', '.join(f'{knob.name}={knob.name}' for knob in knobs)})"
    filled = _keywords(statement.value)
    names = {knob.name for knob in knobs}
    if filled is None or any(value != name for name, value in filled.items()) or set(filled) != names:
        said = f"`{ast.unparse(statement)}` does not fill each field with the knob of its name"
        yield notebook.refuse("params not filled", cell, "PARAMS", said, f"Write `{wanted}`")


def _keywords(value: ast.expr) -> dict[str, str] | None:
    match value:
        case ast.Call(func=ast.Name(id="Params"), args=[], keywords=keywords):
            return {str(keyword.arg): ast.unparse(keyword.value) for keyword in keywords}
    return None


def with_literals(source: str, knobs: tuple[Knob, ...]) -> str:
    """Return an export cell's source with the filling of `PARAMS` written out in literals."""
    lines = source.splitlines()
    for statement in ast.parse(source).body:
        if is_filling(statement):
            lines[statement.lineno - 1 : statement.end_lineno] = _filled(knobs)
            break
    return "\n".join(lines)


def _filled(knobs: tuple[Knob, ...]) -> list[str]:
    decided = [knob for knob in knobs if not knob.is_run]
    if not decided:
        return ["PARAMS = Params()"]
    return ["PARAMS = Params(", *(line for knob in decided for line in _keyword_lines(knob)), ")"]


def _keyword_lines(knob: Knob) -> list[str]:
    if "\n" not in knob.source:
        return [f"    {knob.name}={knob.source},  # {knob.comment}"]
    if not isinstance(knob.value, tuple):
        return [f"    {knob.name}={_literal_text(knob.value)},  # {knob.comment}"]
    elements = [f"        {_literal_text(element)}," for element in knob.value]
    return [f"    # {knob.comment}", f"    {knob.name}=(", *elements, "    ),"]


def _literal_text(value: object) -> str:
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, tuple):
        inner = ", ".join(_literal_text(element) for element in value)
        return f"({inner},)" if len(value) == 1 else f"({inner})"
    return repr(value)
