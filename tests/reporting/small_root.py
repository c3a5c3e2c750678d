"""A small project folder: the real review, one strategy whose notebook takes no time, and their pipeline."""

import json
import shutil
from pathlib import Path

import nbformat
import yaml

REPO = Path(__file__).resolve().parents[2]
REVIEW = "notebooks/reviews/weekly_review.ipynb"
CARD = {
    "name": "alpha",
    "inputs": {"ohlcv": "synthetic"},
    "proof": {"sharpe": 1.0, "overfit": 0.1, "deflated": 0.99},
    "kill_condition": "it has lost 15% of its budget",
}


def made(root: Path) -> Path:
    """Make the folder and return it."""
    (root / "notebooks" / "reviews").mkdir(parents=True)
    (root / "qgtm").symlink_to(REPO / "qgtm")
    shutil.copy(REPO / REVIEW, root / REVIEW)
    nbformat.write(strategy(), root / "notebooks" / "alpha.ipynb")
    spec = yaml.safe_load((REPO / "pipelines.yaml").read_text())
    (review,) = (task for task in spec["tasks"] if task["name"] == "weekly_review")
    review["upstream"] = ["alpha"]
    alpha = {
        "source": "notebooks/alpha.ipynb",
        "name": "alpha",
        "static_analysis": "regular",
        "product": {"nb": "out/alpha.ipynb", "card": "out/alpha.json"},
        "params": {"code": "none"},
    }
    (root / "pipelines.yaml").write_text(yaml.safe_dump({**spec, "tasks": [alpha, review]}, sort_keys=False))
    return root


def strategy() -> nbformat.NotebookNode:
    knobs = nbformat.v4.new_code_cell("upstream = None\nproduct = None", metadata={"tags": ["parameters"]})
    write = f"import json\nfrom pathlib import Path\nPath(product['card']).write_text(json.dumps({CARD!r}))"
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_markdown_cell("# Alpha"), knobs, nbformat.v4.new_code_cell(write)]
    )
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return notebook


def put_source(notebook: Path, number: int, source: str) -> None:
    """Replace the source of a cell, counted from 1."""
    content = json.loads(notebook.read_text())
    content["cells"][number - 1] = {**content["cells"][number - 1], "source": source}
    notebook.write_text(json.dumps(content))
