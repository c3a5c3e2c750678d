"""The review: one real run of the pipeline over the hand-made journal, and the same cells on lesser ones."""

import ast
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import nbformat
import papermill
import pytest

from qgtm.adapters.clock import SystemClock
from qgtm.reporting.make import Order, make
from qgtm.reporting.run_ledger import Run
from qgtm.views.action import Caps
from tests.reporting.hand_made import WEEK, D, Timed, begun, closed, events, opened, written
from tests.reporting.small_root import REPO, REVIEW, made, put_source

CAPS = Caps(soft_frac=D("0.08"), hard_frac=D("0.12"))
SUNDAY = datetime(2026, 1, 12, 1, tzinfo=UTC)
ALIVE = {"script", "link", "iframe", "object", "embed", "base", "form", "video", "audio"}

pytestmark = [pytest.mark.notebook, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def outdoors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return a folder for the runs; nobody's own IPython profile gets into them."""
    folder = tmp_path_factory.mktemp("review")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IPYTHONDIR", str(folder / "ipython"))
        yield folder


@pytest.fixture(scope="module")
def said() -> list[tuple[str, str]]:
    return []


@pytest.fixture(scope="module")
def run(outdoors: Path, said: list[tuple[str, str]]) -> Run:
    """Return the one real run that the tests below look at."""
    root = made(outdoors / "root")
    journal = written(outdoors / "journal.db", events())
    order = Order(
        journal=journal,
        reports=outdoors / "reports",
        now=SUNDAY,
        caps=CAPS,
        week=WEEK,
        root=root,
        limit_s=200,
    )
    return make(order, SystemClock(), lambda task, state: said.append((task, state)))


@pytest.fixture(scope="module")
def page(run: Run, outdoors: Path) -> str:
    assert run.state == "done", (
        outdoors / "reports" / "weekly_review" / WEEK / "001" / "pipeline.log"
    ).read_text()
    return (outdoors / "reports" / "latest.html").read_text(encoding="utf-8")


def text_of(html: str) -> str:
    """Return what a reader reads, without style and tags."""
    body = re.sub(r"<(style|svg)\b.*?</\1>", " ", html, flags=re.DOTALL)
    body = re.sub(r"</?(span|strong|code)\b[^>]*>", "", body)
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", body)))


class Links(HTMLParser):
    """Collect everything that a browser would fetch."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, str]] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.found += [
            (name, value or "") for name, value in attrs if name.endswith(("src", "href", "data", "srcset"))
        ]


@pytest.mark.mistake(20)
def test_figures_on_the_page_are_those_reckoned_by_hand(page: str) -> None:
    text = text_of(page)
    rows = ("alpha +$53.00 +0.05%", "beta +$5.00 0.00%", "(residual) −$3.50 0.00%", "Account +$54.50 +0.05%")
    assert [row for row in rows if row not in text] == []
    assert "earned $54.50 (0.05%) in 5 sessions and stood at $101,054.50" in text
    assert "2 fills moved $5,438, which cost $12.00 more" in text
    assert "Money in and out, +$1,000.00, is left aside" in text


def test_page_tells_slippage_denials_alerts_weights_and_what_to_do(page: str) -> None:
    text = text_of(page)
    for part in (
        "22.1 bp on average",
        "buy 10 GLD 402.00 24.9 bp $10.00",
        "spread 2 GDXJ, SIL GDXJ is too much",
        "Alert, orange: the <feed> & its vendor are slow",
        "beta was switched off: it returned 7",
        "alpha +3.0%",
        "beta is switched off: it returned 7. Mend its notebook",
    ):
        assert part in text


def test_page_shows_the_cards_that_the_pipeline_made_first(page: str) -> None:
    said = "shadow: no real evidence yet (ohlcv synthetic) it has lost 15% of its budget"
    assert said in text_of(page)


@pytest.mark.mistake(20)
def test_page_holds_the_journals_count_and_head(page: str, run: Run) -> None:
    assert f"Journal: {run.rows} rows, head {run.head}" in text_of(page)
    assert run.rows == len(events())


def test_page_fetches_nothing(page: str) -> None:
    links = Links()
    links.feed(page)
    assert [value for _, value in links.found if not value.startswith(("#", "data:"))] == []
    assert links.tags & ALIVE == set()
    urls = set(re.findall(r"https?://[^\s\"'<]+", page))
    assert urls <= {
        "http://www.w3.org/2000/svg",
        "http://www.w3.org/1998/Math/MathML",
        "http://www.w3.org/1999/xlink",
    }
    assert re.findall(r"url\((?!#)", page) == []
    assert "@import" not in page


def test_page_hides_code_and_draws_pictures_and_formulas_in_place(page: str) -> None:
    assert "load_week(" not in page
    assert page.count("<svg ") >= 3
    assert "<math" in page
    assert "$$" not in text_of(page)


def test_ids_on_the_page_are_given_once(page: str) -> None:
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert sorted(ids) == sorted(set(ids))


def test_paper_comes_from_the_same_run(page: str, outdoors: Path, run: Run) -> None:
    paper = (outdoors / "reports" / "latest.pdf").read_bytes()
    assert paper.startswith(b"%PDF-")
    assert paper.rstrip().endswith(b"%%EOF")
    assert (outdoors / "reports" / "weekly_review" / WEEK / "001" / "report.pdf").read_bytes() == paper


def test_progress_names_every_task_in_order(run: Run, said: list[tuple[str, str]]) -> None:
    assert run.state == "done"
    assert [task for task, state in said if state == "done"] == ["alpha", "weekly_review", "page and paper"]


def test_notebook_that_raises_puts_a_failed_page_in_the_place_of_latest(run: Run, outdoors: Path) -> None:
    root, reports = made(outdoors / "broken"), outdoors / "broken-reports"
    put_source(root / REVIEW, 5, 'raise ValueError("row 17 of <GLD> is missing")')
    (reports / "weekly_review").mkdir(parents=True)
    (reports / "latest.html").write_text("last week's")
    order = Order(
        journal=outdoors / "journal.db",
        reports=reports,
        now=SUNDAY,
        caps=CAPS,
        week=WEEK,
        root=root,
        limit_s=200,
    )
    broken = make(order, SystemClock())
    assert (broken.state, broken.task, broken.cell) == ("failed", "weekly_review", 5)
    text = text_of((reports / "latest.html").read_text())
    for part in (
        "FAILED",
        "ValueError: row 17 of <GLD> is missing",
        "weekly_review, cell 5",
        "make report",
        REVIEW,
    ):
        assert part in text
    paper = (reports / "latest.pdf").read_bytes()
    assert paper.startswith(b"%PDF-")
    assert b"Courier" not in paper  # set by Typst, not the plain text of the last resort
    assert json.loads((reports / "latest.json").read_text())["state"] == "failed"


# -- lesser journals ---------------------------------------------------------------------------------


def shown(journal: Path, **more: Any) -> str:
    """Run the notebook's cells here and now, and return what the reader would see of them."""
    notebook = nbformat.read(REPO / REVIEW, as_version=4)  # type: ignore[no-untyped-call]
    names: dict[str, Any] = {}
    pieces = []
    for cell in (cell for cell in notebook.cells if cell.cell_type == "code"):
        tree = ast.parse(cell.source)
        last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
        exec(compile(tree, "cell", "exec"), names)
        if "parameters" in cell.metadata.get("tags", []):
            names |= {"journal": str(journal), **more}
        if last is not None:
            value = eval(compile(ast.Expression(last.value), "cell", "eval"), names)
            pieces.append("" if value is None else value._repr_html_())
    return text_of("\n".join(pieces))


@pytest.mark.mistake(14)
@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ([], "The journal is empty: nothing has run yet."),
        (begun(), "No session of this week is finished, so there is no result to attribute."),
        ([*begun(), opened(5), *closed(5, 400.0, 70.0)], "Nothing was traded."),
        ([*begun(), opened(5), *closed(5, 400.0, 70.0)], "neither earned nor lost a cent"),
    ],
    ids=["empty", "nothing finished", "no fill", "no result"],
)
def test_journal_with_little_in_it_gives_a_page_that_says_so(
    rows: list[Timed], sentence: str, tmp_path: Path
) -> None:
    text = shown(written(tmp_path / "journal.db", rows))
    assert sentence in text
    assert "Nothing. Every rule was looked at" in text


def test_notebook_runs_by_plain_papermill(outdoors: Path, tmp_path: Path) -> None:
    journal = written(tmp_path / "journal.db", begun())
    done = tmp_path / "review.ipynb"
    papermill.execute_notebook(REPO / REVIEW, done, {"journal": str(journal)}, progress_bar=False)
    notebook = nbformat.read(done, as_version=4)  # type: ignore[no-untyped-call]
    assert not notebook.metadata.papermill.exception


def test_rows_beyond_those_asked_for_are_not_read(tmp_path: Path) -> None:
    journal = written(tmp_path / "journal.db", events())
    whole, cut = shown(journal), shown(journal, rows=13)
    assert "in 5 sessions" in whole
    assert "in 1 session and stood" in cut
