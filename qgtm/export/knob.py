"""The knobs of a notebook: what its parameters cell may hold, and what it means."""

import ast
import io
import math
import re
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass

from qgtm.export.notebook import Cell, Notebook, Refusal

Literal = bool | int | float | str | tuple["Literal", ...] | None

OBLIGATORY = ("upstream", "product")
PIPELINE = (*OBLIGATORY, "code")
RUN_MARK = "run:"
RANGE = re.compile(r"^(?P<unit>[^\[\]]*)\[(?P<low>[^,\[\]]+),(?P<high>[^,\[\]]+)\]")


@dataclass(frozen=True, slots=True)
class Knob:
    """Hold one knob: its value, its comment, and unit and range where it is a number.

    `is_run` says that it belongs to the run of the notebook and not to the decision that is printed.
    """

    name: str
    value: Literal
    source: str
    comment: str
    unit: str
    low: float | None
    high: float | None
    is_run: bool


def find_knobs(notebook: Notebook, cell: Cell) -> tuple[tuple[Knob, ...], tuple[Refusal, ...]]:
    """Return the knobs of a parameters cell, and a refusal for each statement that is none.

    `upstream`, `product` and `code` belong to the pipeline and are not among the knobs. The cell's source
    must parse.
    """
    comments = _comments(cell.source)
    knobs: list[Knob] = []
    refusals: list[Refusal] = []
    for statement in ast.parse(cell.source).body:
        found = _knob(notebook, cell, statement, comments.get(statement.end_lineno or 0, ""))
        if isinstance(found, Refusal):
            refusals.append(found)
        elif found.name not in PIPELINE:
            knobs.append(found)
    return tuple(knobs), (*refusals, *_whole_cell(notebook, cell))


def _comments(source: str) -> dict[int, str]:
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return {
        token.start[0]: token.string.lstrip("#").strip() for token in tokens if token.type == tokenize.COMMENT
    }


def _whole_cell(notebook: Notebook, cell: Cell) -> Iterator[Refusal]:
    names = [
        target.id
        for statement in ast.parse(cell.source).body
        for target in getattr(statement, "targets", ())
        if isinstance(target, ast.Name)
    ]
    for name in OBLIGATORY:
        if name not in names:
            said = f"the parameters cell lacks `{name}`, which the pipeline sets"
            yield notebook.refuse("pipeline knob", cell, name, said, f"Add the line `{name} = None`")
    for name in sorted({name for name in names if names.count(name) > 1}):
        cure = "Keep one of the lines"
        yield notebook.refuse("duplicate", cell, name, f"the knob `{name}` is set twice", cure)


def _knob(notebook: Notebook, cell: Cell, statement: ast.stmt, comment: str) -> Knob | Refusal:
    match statement:
        case ast.Assign(targets=[ast.Name(id=name)], value=value):
            return _assigned(notebook, cell, name, value, comment)
        case ast.AnnAssign(target=target):
            name = ast.unparse(target)
            said = f"the knob `{name}` is annotated, which the pipeline's analysis cannot read"
            cure = f"Write `{name} = ...` without the type"
            return notebook.refuse("annotated knob", cell, name, said, cure)
    text = ast.unparse(statement).splitlines()[0]
    cure = "Keep only lines `name = literal  # unit [low, high]` here and move the rest to another cell"
    return notebook.refuse("not a knob", cell, text, f"`{text}` is no knob", cure)


def _assigned(notebook: Notebook, cell: Cell, name: str, node: ast.expr, comment: str) -> Knob | Refusal:
    if not is_literal(node):
        said = f"the knob `{name}` is computed as `{ast.unparse(node)}`"
        cure = "Write its value as a number, a text, True, False or a tuple of these"
        return notebook.refuse("computed knob", cell, name, said, cure)
    value: Literal = ast.literal_eval(node)
    if name in PIPELINE:
        return _pipeline(notebook, cell, name, value)
    source = ast.get_source_segment(cell.source, node) or ast.unparse(node)
    return _ranged(notebook, cell, Knob(name, value, source, comment, "", None, None, _is_run(comment)))


def _is_run(comment: str) -> bool:
    return comment.startswith(RUN_MARK)


def is_literal(node: ast.expr) -> bool:
    """Tell whether an expression is a plain value: a constant, a signed number or a tuple of these."""
    if isinstance(node, ast.Tuple):
        return all(is_literal(element) for element in node.elts)
    if isinstance(node, ast.UnaryOp):
        return isinstance(node.op, ast.USub) and is_number(getattr(node.operand, "value", None))
    return isinstance(node, ast.Constant) and isinstance(node.value, bool | int | float | str | None)


def is_number(value: object) -> bool:
    """Tell whether a value is a number that can have a range; a truth value is not."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _pipeline(notebook: Notebook, cell: Cell, name: str, value: Literal) -> Knob | Refusal:
    if value is not None:
        said = f"`{name}` is {value!r}, but it belongs to the pipeline, which sets it"
        return notebook.refuse("pipeline knob", cell, name, said, f"Write `{name} = None`")
    return Knob(name, None, "None", "", "", None, None, True)


def _ranged(notebook: Notebook, cell: Cell, knob: Knob) -> Knob | Refusal:
    if not knob.comment.removeprefix(RUN_MARK).strip():
        said = f"the knob `{knob.name}` has no comment that says what it is"
        return notebook.refuse("knob without help", cell, knob.name, said, _write_range(knob))
    if not isinstance(knob.value, int | float) or isinstance(knob.value, bool):
        return knob
    bounds = _bounds(knob.comment)
    if bounds is None:
        said = f"the comment of the number `{knob.name}` has no range that can be read"
        return notebook.refuse("knob without range", cell, knob.name, said, _write_range(knob))
    unit, low, high = bounds
    if not low <= knob.value <= high:
        said = f"the knob `{knob.name}` is {knob.source}, outside its own range [{low:g}, {high:g}]"
        cure = "Correct the value or the range"
        return notebook.refuse("knob outside range", cell, knob.name, said, cure)
    return Knob(knob.name, knob.value, knob.source, knob.comment, unit, low, high, knob.is_run)


def _write_range(knob: Knob) -> str:
    shown = knob.source if "\n" not in knob.source else "(...)"
    bounds = " [low, high]" if is_number(knob.value) else ""
    return f"Write `{knob.name} = {shown}  # unit{bounds}`"


def _bounds(comment: str) -> tuple[str, float, float] | None:
    match = RANGE.match(comment.removeprefix(RUN_MARK).strip())
    if match is None:
        return None
    try:
        low, high = float(match["low"]), float(match["high"])
    except ValueError:
        return None
    is_range = math.isfinite(low) and math.isfinite(high) and low < high
    return (match["unit"].strip(), low, high) if is_range else None
