"""The rules of a notebook that is printed, in the order in which a reader would look.

Each rule is a function from a notebook to its refusals; later ones run only when the cells can be read.
"""

import ast
import keyword
import re
from collections.abc import Callable, Iterator
from itertools import chain

from qgtm.export.knob import Knob, find_knobs
from qgtm.export.notebook import TAGS, Cell, Notebook, Refusal
from qgtm.export.params import check_params
from qgtm.export.purity import find_impurities
from qgtm.export.source import (
    bound_names,
    defined_names,
    find_magics,
    imported_modules,
    imported_names,
    late_imports,
    leaning_names,
    syntax_error,
    without_magics,
)

TITLE = re.compile(r"\A# (?P<title>\S.*)\n+> (?P<sentence>\S.*(?:\n> ?\S.*)*)", re.MULTILINE)
READERS_OF_NOTEBOOKS = frozenset({"notebooks", "import_ipynb", "nbimporter", "ipynb", "testbook", "importnb"})
RUN_NOTEBOOK = re.compile(r"^\s*%(run|load)\s+\S*\.ipynb", re.MULTILINE)
STRATEGY = ("NAME", "CATEGORY", "FEEDS", "symbols", "warm_up", "Params", "PARAMS", "signal")
CARRIED = ("State", "start", "view", "update")
RESERVED = ("__all__",)

Rule = Callable[[Notebook], Iterator[Refusal]]


def find_refusals(notebook: Notebook) -> tuple[Refusal, ...]:
    """Return every reason why a notebook cannot be printed; none means that it can."""
    readable = tuple(chain.from_iterable(rule(notebook) for rule in OF_CELLS))
    if readable:
        return readable
    knobs, refusals = knobs_of(notebook)
    return (
        *refusals,
        *check_params(notebook, knobs),
        *chain.from_iterable(rule(notebook) for rule in OF_CODE),
    )


def knobs_of(notebook: Notebook) -> tuple[tuple[Knob, ...], tuple[Refusal, ...]]:
    """Return the knobs of the notebook's one parameters cell, and the refusals of lines that are none."""
    return find_knobs(notebook, notebook.tagged("parameters")[0])


def title_of(notebook: Notebook) -> tuple[str, str] | None:
    """Return the title and the sentence of the first cell, or None when it does not hold both."""
    first = notebook.cells[0] if notebook.cells else None
    match = TITLE.match(first.source.strip()) if first and first.kind == "markdown" else None
    if match is None:
        return None
    sentence = " ".join(line.removeprefix(">").strip() for line in match["sentence"].splitlines())
    return match["title"].strip(), sentence


def _name(notebook: Notebook) -> Iterator[Refusal]:
    name = notebook.name.partition("/")[2]
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or keyword.iskeyword(name):
        cure = "Rename the file in lower case with underscores"
        yield notebook.refuse("name", None, name, f"`{name}` cannot be the name of a module", cure)


def _title(notebook: Notebook) -> Iterator[Refusal]:
    if title_of(notebook) is None:
        said = "the first cell lacks a title or its sentence, from which the module's docstring is made"
        cure = "Begin the notebook with a Markdown cell of two lines, `# Title` and `> one sentence`"
        yield notebook.refuse("title", 1, "title", said, cure)


def _tags(notebook: Notebook) -> Iterator[Refusal]:
    for cell in notebook.cells:
        for tag in sorted(set(cell.tags) - set(TAGS)):
            said = f"the tag `{tag}` is unknown"
            yield notebook.refuse("unknown tag", cell, tag, said, f"Use one of {', '.join(TAGS)}, or none")
        known = [tag for tag in cell.tags if tag in TAGS]
        if len(known) > 1:
            said = f"the cell carries the tags {' and '.join(known)}"
            yield notebook.refuse("two tags", cell, known[1], said, "Split the cell: one tag each")
        if cell.kind != "code" and set(known) - {"report"}:
            said = f"a {cell.kind} cell carries the tag `{known[0]}`"
            yield notebook.refuse(
                "tag on text", cell, known[0], said, "Remove the tag, or make it a code cell"
            )


def _outputs(notebook: Notebook) -> Iterator[Refusal]:
    numbers = [str(cell.number) for cell in notebook.cells if cell.is_run]
    if numbers:
        said = f"outputs or counts of a run are saved in cell {', '.join(numbers)}"
        cure = f"Run `nbstripout --keep-id {notebook.path}`, which keeps the tags"
        yield notebook.refuse("outputs", int(numbers[0]), "outputs", said, cure)


def _one_parameters_cell(notebook: Notebook) -> Iterator[Refusal]:
    found = notebook.tagged("parameters")
    if not found:
        said = "no cell is tagged `parameters`, so the pipeline has nowhere to put its values"
        cure = "Add one that holds at least `upstream = None` and `product = None`"
        yield notebook.refuse("no parameters cell", None, "parameters", said, cure)
    if len(found) > 1:
        numbers = " and ".join(str(cell.number) for cell in found)
        said = f"the cells {numbers} are tagged `parameters`, and papermill obeys the first alone"
        yield notebook.refuse(
            "two parameters cells", found[1], "parameters", said, "Put all knobs into one cell"
        )
    if not notebook.tagged("export"):
        said = "no cell is tagged `export`, so there is nothing to print"
        cure = "Tag the cells that the module is made of, or move the notebook to notebooks/scratch"
        yield notebook.refuse("nothing to export", None, "export", said, cure)


def _readable(notebook: Notebook) -> Iterator[Refusal]:
    for tag in ("parameters", "export", "check"):
        for cell in notebook.tagged(tag):
            error = syntax_error(cell.source) if cell.kind == "code" else None
            if error:
                yield _unreadable(notebook, cell, tag, error)


def _unreadable(notebook: Notebook, cell: Cell, tag: str, error: str) -> Refusal:
    magics = find_magics(cell.source)
    if magics:
        said = f"`{magics[0]}` is a command of Jupyter and no Python"
        cure = f"Move it to a cell without the tag `{tag}`"
        return notebook.refuse("magic", cell, magics[0], said, cure)
    said = f"Python cannot read the cell ({error})"
    return notebook.refuse("syntax", cell, error, said, "Correct it in JupyterLab")


def _no_other_notebook(notebook: Notebook) -> Iterator[Refusal]:
    for cell in notebook.cells:
        if cell.kind == "code":
            yield from _notebooks_read(notebook, cell)


def _notebooks_read(notebook: Notebook, cell: Cell) -> Iterator[Refusal]:
    plain = without_magics(cell.source)
    roots = set() if syntax_error(plain) else {name.partition(".")[0] for name in imported_modules(plain)}
    magic = RUN_NOTEBOOK.search(cell.source)
    for found in [*sorted(roots & READERS_OF_NOTEBOOKS), *([magic.group().strip()] if magic else [])]:
        said = f"`{found}` brings in another notebook"
        cure = "Import its print instead, as in `from qgtm.features.returns import log_returns`"
        yield notebook.refuse("notebook import", cell, found, said, cure)


def _imports_on_top(notebook: Notebook) -> Iterator[Refusal]:
    for cell in notebook.tagged("export"):
        is_later = cell is not notebook.tagged("export")[0]
        for line in late_imports(cell.source, is_later):
            said = f"`{line}` stands below other code of the module"
            cure = "Move it to the top of the first export cell"
            yield notebook.refuse("late import", cell, line, said, cure)


def _pure(notebook: Notebook) -> Iterator[Refusal]:
    for cell in notebook.tagged("export"):
        yield from find_impurities(notebook, cell)


def _defined_once(notebook: Notebook) -> Iterator[Refusal]:
    first: dict[str, int] = {}
    for cell in notebook.tagged("export"):
        for name in (*imported_names(cell.source), *defined_names(cell.source)):
            if name in RESERVED:
                said = f"`{name}` is defined, which the exporter writes from the public names"
                yield notebook.refuse("reserved name", cell, name, said, "Remove it")
            if name in first:
                said = f"`{name}` is defined a second time; the first stands in cell {first[name]}"
                yield notebook.refuse("duplicate", cell, name, said, "Rename or remove one of them")
            first.setdefault(name, cell.number)


def _leans_on_nothing(notebook: Notebook) -> Iterator[Refusal]:
    exported = exported_names(notebook)
    for cell in notebook.tagged("export"):
        for name in sorted(leaning_names(_without_filling(cell.source)) - exported):
            yield _leaning(notebook, cell, name, "export")
    known = set(exported)
    for cell in notebook.tagged("check"):
        for name in sorted(leaning_names(cell.source) - known):
            yield _leaning(notebook, cell, name, "check")
        known |= bound_names(cell.source)


def _leaning(notebook: Notebook, cell: Cell, name: str, tag: str) -> Refusal:
    said = f"the {tag} cell leans on `{name}`, which no export cell defines"
    if name in bound_names(notebook.tagged("parameters")[0].source):
        cure = f"Read the knob as `PARAMS.{name}`, or take it as an argument"
    elif tag == "check":
        cure = "Define it in the check cell, so that the check runs on the print too"
    else:
        cure = "Define or import it in an export cell, or take it as an argument"
    return notebook.refuse("notebook global", cell, name, said, cure)


def exported_names(notebook: Notebook) -> frozenset[str]:
    """Return all names that the export cells bind, imports among them."""
    return frozenset(chain.from_iterable(bound_names(cell.source) for cell in notebook.tagged("export")))


def _without_filling(source: str) -> str:
    # The one place that may name a knob; `check_params` has judged it.
    body = [s for s in ast.parse(source).body if not (isinstance(s, ast.Assign) and _fills(s))]
    return ast.unparse(ast.Module(body, []))


def _fills(statement: ast.Assign) -> bool:
    return any(isinstance(target, ast.Name) and target.id == "PARAMS" for target in statement.targets)


def _keeps_its_contract(notebook: Notebook) -> Iterator[Refusal]:
    names = exported_names(notebook)
    for name in _wanted(notebook, names):
        if name not in names:
            said = f"a module of `{notebook.section}` defines `{name}`, and no export cell does"
            yield notebook.refuse("contract", None, name, said, f"Define `{name}` in an export cell")


def _wanted(notebook: Notebook, names: frozenset[str]) -> tuple[str, ...]:
    if notebook.section == "strategies":
        return (*STRATEGY, *CARRIED) if names & {"State", "start", "update"} else STRATEGY
    return ("warm_up",) if notebook.section == "features" and "PARAMS" in names else ()


def _says_its_name(notebook: Notebook) -> Iterator[Refusal]:
    name = notebook.name.partition("/")[2]
    for cell in notebook.tagged("export") if notebook.section == "strategies" else ():
        for statement in ast.parse(cell.source).body:
            match statement:
                case ast.Assign(targets=[ast.Name(id="NAME")], value=value) if ast.unparse(value) != repr(
                    name
                ):
                    said = f"`NAME` is {ast.unparse(value)}, and the notebook is called {name}"
                    yield notebook.refuse("contract", cell, "NAME", said, f'Write `NAME = "{name}"`')


OF_CELLS: tuple[Rule, ...] = (_name, _title, _tags, _outputs, _one_parameters_cell, _readable)
OF_CODE: tuple[Rule, ...] = (
    _no_other_notebook,
    _imports_on_top,
    _pure,
    _defined_once,
    _leans_on_nothing,
    _keeps_its_contract,
    _says_its_name,
)
