"""`qgtm test`: the working copy of a strategy held against all that the tests ask of a printed one."""

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, cast

from qgtm.features.seen import Seen
from qgtm.research.examination import SEED, Case, Check, examined, markets
from qgtm.research.history import history_from_folder
from qgtm.research.made_up_panel import made_up_panel
from qgtm.workbench.working import Working

ENGINE: Final = "qgtm-fork"
GRAMMAR: Final = "rfc3987_syntax"  # of international addresses: longer to import than a notebook to run
SESSIONS: Final = 1000


def tried(working: Working, bars: Path | None = None) -> Iterator[Check]:
    """Yield every check of a working copy, the quick ones first; `bars` is a folder of recorded ones.

    Raises MarketError when the folder cannot be read.
    """
    there: dict[str, Seen] = markets(working.strategy)
    if bars is not None:
        recorded = history_from_folder(bars).tail(SESSIONS)
        there[str(bars)] = Seen(recorded, made_up_panel(recorded, SEED))  # a folder has prices alone
    yield check_cells(working)
    yield from examined(Case(working.strategy, there, working.claims))
    yield run(working)


def check_cells(working: Working) -> Check:
    """Run the notebook's own check cells on its print."""
    names = dict(vars(working.strategy.module))
    for cell in working.notebook.tagged("check"):
        try:
            exec(compile(cell.source, f"{working.notebook.path}, cell {cell.number}", "exec"), names)
        except Exception as problem:  # noqa: BLE001  whatever a check raises is its answer
            said = f"cell {cell.number}: {type(problem).__name__} {problem}".rstrip()
            return Check("check cells", False, said, "Correct the rule, or what the cell expects of it.")
    return Check("check cells", True, "the notebook's own assertions hold")


def run(working: Working) -> Check:
    """Run the whole notebook with its tiny parameters, on a kernel, as the pipeline does."""
    sys.modules.setdefault(GRAMMAR, cast(Any, None))
    try:
        import papermill
    except ImportError as problem:
        cure = "`pip install '.[pipeline]'` brings what runs notebooks."
        return Check("tiny run", False, f"{problem.name} is not installed here", cure)
    with tempfile.TemporaryDirectory(prefix="qgtm-test-") as folder:
        product = {"nb": f"{folder}/done.ipynb", "card": f"{folder}/card.json"}
        try:
            papermill.execute_notebook(
                working.path,
                product["nb"],
                {**working.tiny, "product": product},
                engine_name=ENGINE,
                progress_bar=False,
                cwd=folder,
            )
        except papermill.PapermillExecutionError as problem:
            # counted from 0, and papermill has put a cell of parameters before it
            said = f"cell {problem.cell_index}: {problem.ename}: {problem.evalue}".removesuffix(": ")
            return Check("tiny run", False, said, "Correct that cell; JupyterLab shows the whole traceback.")
        if not Path(product["card"]).is_file():
            cure = "End the notebook with `tale.card(...)`."
            return Check("tiny run", False, "it ends without a card", cure)
    return Check("tiny run", True, f"runs with {working.tiny or 'its own parameters'} and leaves a card")
