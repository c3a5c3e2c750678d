"""Each refusal by name: the notebook, the cell, what is wrong and the cure stand in one sentence."""

import json
from typing import Any

import pytest

from qgtm.core.errors import ExportError
from qgtm.export.press import plan_export, write_plan

Pages = dict[str, Any]

# rule, the page that is spoilt, the text replaced and by what, words the sentence must hold
SPOILT = [
    (
        "annotated knob",
        "knobs",
        "lookback = 63",
        "lookback: int = 63",
        ["cell 2", "`lookback`", "without the type"],
    ),
    ("computed knob", "knobs", "= 63", "= 3 * 21", ["cell 2", "`lookback`", "`3 * 21`"]),
    ("computed knob", "knobs", "= 63", "= max(1, 63)", ["`lookback`", "Write its value"]),
    ("computed knob", "knobs", "= 63", "= [63]", ["`lookback`", "a tuple"]),
    ("not a knob", "knobs", "upstream", "import os\nupstream", ["cell 2", "`import os`"]),
    ("knob without help", "knobs", "  # sessions [21, 252]", "", ["`lookback`", "no comment", "[low, high]"]),
    ("knob without range", "knobs", "[21, 252]", "", ["`lookback`", "no range"]),
    ("knob without range", "knobs", "[21, 252]", "[252, 21]", ["`lookback`", "no range"]),
    ("knob outside range", "knobs", "= 63", "= 20", ["`lookback`", "20", "[21, 252]"]),
    ("pipeline knob", "knobs", "product = None", "", ["`product`", "Add the line"]),
    ("pipeline knob", "knobs", "product = None", "product = 'x.html'", ["`product`", "`product = None`"]),
    ("duplicate", "knobs", "upstream", "lookback = 63  # sessions [21, 252]\nupstream", ["set twice"]),
    (
        "knob without field",
        "knobs",
        "upstream",
        "skip = 5  # sessions [0, 21]\nupstream",
        ["`skip`", "`Params`"],
    ),
    ("knob without field", "params", "class Params", "class Knobs", ["no export cell defines `Params`"]),
    ("field without knob", "params", "lookback: int", "lookback: int\n    skip: int", ["`skip`", "no knob"]),
    ("field with default", "params", "lookback: int", "lookback: int = 63", ["`lookback`", "two places"]),
    ("params not frozen", "params", "(frozen=True)", "", ["cell 4", "frozen=True"]),
    (
        "params not filled",
        "params",
        "(lookback=lookback)",
        "(lookback=63)",
        ["PARAMS = Params(lookback=lookback)"],
    ),
    (
        "params not filled",
        "params",
        "PARAMS = Params(lookback=lookback)",
        "",
        ["no export cell fills `PARAMS`"],
    ),
    (
        "notebook global",
        "slope",
        "/ lookback",
        "/ lookback * scale",
        ["cell 5", "`scale`", "take it as an argument"],
    ),
    ("notebook global", "slope", "PARAMS.lookback", "lookback", ["cell 5", "`PARAMS.lookback`"]),
    ("notebook global", "check", "slope(", "prices + slope(", ["cell 6", "`prices`", "check cell"]),
    (
        "forbidden import",
        "imports",
        "import numpy as np",
        "import os\n\nimport numpy as np",
        ["cell 3", "`import os`"],
    ),
    (
        "forbidden import",
        "imports",
        "import numpy",
        "import pandas as pd\nimport numpy",
        ["pandas", "numpy alone"],
    ),
    (
        "forbidden import",
        "imports",
        "import numpy",
        "from urllib.request import urlopen\nimport numpy",
        ["urllib"],
    ),
    (
        "forbidden import",
        "imports",
        "import numpy",
        "from qgtm.adapters.clock import now\nimport numpy",
        ["may import"],
    ),
    (
        "forbidden import",
        "imports",
        "import numpy",
        "from qgtm.risk.var import x\nimport numpy",
        ["core, features"],
    ),
    ("forbidden import", "imports", "import numpy", "from .trend import x\nimport numpy", ["relative"]),
    ("forbidden import", "slope", "    return", "    import time\n    return", ["`import time`"]),
    ("forbidden call", "slope", "    return", "    open('x')\n    return", ["`open(...)`"]),
    ("forbidden call", "slope", "    return", "    np.random.normal()\n    return", ["np.random.Generator"]),
    (
        "late import",
        "slope",
        "def slope",
        "import math\n\n\ndef slope",
        ["cell 5", "top of the first export cell"],
    ),
    ("assert", "slope", "    return", "    assert lookback\n    return", ["check cell"]),
    (
        "acting statement",
        "slope",
        "def slope",
        "np.zeros(3)\n\n\ndef slope",
        ["`np.zeros(3)`", "without the tag"],
    ),
    (
        "magic",
        "slope",
        "def slope",
        "%matplotlib inline\ndef slope",
        ["cell 5", "`%matplotlib inline`", "Jupyter"],
    ),
    ("magic", "imports", "import numpy", "!pip install numpy\nimport numpy", ["`!pip install numpy`"]),
    ("syntax", "slope", "def slope", "def slope(", ["cell 5", "line"]),
    ("title", "title", "# Slope", "Slope", ["cell 1", "`# Title`"]),
    ("title", "title", "> How", "How", ["cell 1", "`> one sentence`"]),
    ("reserved name", "slope", "def slope", "__all__ = ['slope']\n\n\ndef slope", ["`__all__`"]),
    ("duplicate", "slope", "def slope", "def warm_up() -> None: ...\n\n\ndef slope", ["`warm_up`", "cell 4"]),
    ("contract", "params", "warm_up = PARAMS.lookback", "", ["`features`", "`warm_up`"]),
    (
        "notebook import",
        "picture",
        "slope",
        "from notebooks.features import x\nslope",
        ["cell 7", "print instead"],
    ),
    ("notebook import", "picture", "slope", "%run ../risk/limits.ipynb\nslope", ["cell 7", "limits.ipynb"]),
    (
        "missing print",
        "imports",
        "import numpy",
        "from qgtm.features.trend import x\nimport numpy",
        ["features.trend"],
    ),
]


@pytest.mark.parametrize(("rule", "spoilt", "old", "new", "words"), SPOILT)
def test_spoilt_notebook_is_refused_by_name_with_a_cure(
    project: Any, pages: Pages, rule: str, spoilt: str, old: str, new: str, words: list[str]
) -> None:
    assert old in pages[spoilt].source
    pages[spoilt].source = pages[spoilt].source.replace(old, new, 1)
    project.write(pages=pages)
    refusals = plan_export(project.root).refusals
    sentences = [refusal.sentence for refusal in refusals if refusal.rule == rule]
    assert any(all(word in sentence for word in words) for sentence in sentences), refusals
    assert all(sentence.startswith("notebooks/features/slope.ipynb") for sentence in sentences)


TAGGED = [
    ("unknown tag", "picture", "slide", "cell 7, `slide`"),
    ("two tags", "check", "check report", "cell 6, check and report"),
    ("tag on text", "title", "export", "cell 1, export"),
    ("two parameters cells", "picture", "parameters", "cell 7, 2 and 7"),
    ("no parameters cell", "knobs", "", "parameters, upstream = None"),
]


@pytest.mark.parametrize(("rule", "spoilt", "tag", "words"), TAGGED)
def test_wrong_tag_is_refused_by_name(
    project: Any, pages: Pages, rule: str, spoilt: str, tag: str, words: str
) -> None:
    pages[spoilt].tag = tag
    project.write(pages=pages)
    (refusal,) = [refusal for refusal in plan_export(project.root).refusals if refusal.rule == rule]
    assert all(word in refusal.sentence for word in words.split(", "))


def test_notebook_without_an_export_cell_is_refused(project: Any, pages: Pages) -> None:
    project.write(pages={name: pages[name] for name in ("title", "knobs")})
    assert [refusal.rule for refusal in plan_export(project.root).refusals] == ["nothing to export"]


def test_saved_outputs_are_refused_with_the_command_that_strips_them(project: Any, pages: Pages) -> None:
    pages["picture"].more = {"execution_count": 3}
    project.write(pages=pages)
    (refusal,) = plan_export(project.root).refusals
    assert refusal.rule == "outputs"
    assert "nbstripout --keep-id notebooks/features/slope.ipynb" in refusal.sentence


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", '{"cells": 3}', '{"cells": [], "metadata": {}, "nbformat": 3}', '{"cells": [{}]}'],
)
def test_file_that_is_no_notebook_is_refused_and_named(project: Any, content: str) -> None:
    project.write().write_text(content, encoding="utf-8")
    (refusal,) = plan_export(project.root).refusals
    assert refusal.rule == "unreadable"
    assert "notebooks/features/slope.ipynb" in refusal.sentence


@pytest.mark.parametrize("name", ["features/Slope", "features/2slope", "features/class", "features/a-b"])
def test_name_that_cannot_be_a_module_is_refused(project: Any, name: str) -> None:
    project.write(name)
    assert "name" in {refusal.rule for refusal in plan_export(project.root).refusals}


@pytest.mark.parametrize("name", ["slope", "lost/slope", "features/deep/slope"])
def test_notebook_in_no_section_is_refused(project: Any, name: str) -> None:
    project.write(name)
    (refusal,) = plan_export(project.root).refusals
    assert refusal.rule == "place"


@pytest.mark.parametrize("name", ["scratch/2024-01-02-idea", "reviews/weekly_review", "scratch/old/idea"])
def test_notebook_of_scratch_or_reviews_is_never_printed(project: Any, pages: Pages, name: str) -> None:
    pages["slope"].source = "%broken"
    project.write(name, pages)
    plan = plan_export(project.root)
    assert (plan.prints, plan.refusals) == ((), ())


def test_print_over_a_handwritten_module_is_refused(project: Any) -> None:
    project.write()
    project.module().write_text('"""By hand."""\n', encoding="utf-8")
    (refusal,) = plan_export(project.root).refusals
    assert refusal.rule == "handwritten module"
    with pytest.raises(ExportError, match="written by hand"):
        write_plan(project.root, plan_export(project.root))
    assert project.module().read_text(encoding="utf-8") == '"""By hand."""\n'


def test_prints_that_import_each_other_are_refused_with_the_ring(project: Any, pages: Pages) -> None:
    for name, other in (("one", "two"), ("two", "one")):
        pages["imports"].source = f"import numpy as np\n\nfrom qgtm.features.{other} import slope as other"
        pages["imports"].source = "from dataclasses import dataclass\n\n" + pages["imports"].source
        pages["imports"].source += "\nfrom numpy.typing import NDArray"
        project.write(f"features/{name}", pages)
    (refusal,) = plan_export(project.root).refusals
    assert refusal.rule == "import cycle"
    assert "features/one" in refusal.sentence
    assert "features/two" in refusal.sentence


def test_one_refusal_leaves_every_print_and_the_manifest_as_they_were(project: Any, pages: Pages) -> None:
    project.write("features/good")
    write_plan(project.root, plan_export(project.root))
    before = project.files()
    pages["slope"].source = pages["slope"].source.replace("/ lookback", "/ 2")
    project.write("features/good", pages)
    pages["title"].source = "no title"
    project.write("features/bad", pages)
    with pytest.raises(ExportError, match=r"notebooks/features/bad\.ipynb"):
        write_plan(project.root, plan_export(project.root))
    assert project.files() == before


def test_strategy_that_lacks_part_of_its_contract_is_refused_by_name(project: Any) -> None:
    project.write("strategies/slope")
    subjects = {r.subject for r in plan_export(project.root).refusals if r.rule == "contract"}
    assert subjects == {"NAME", "CATEGORY", "FEEDS", "symbols", "signal"}


def test_strategy_with_carried_state_needs_all_of_it(project: Any, pages: Pages) -> None:
    pages["slope"].source += "\n\n\nState = int\nNAME = 'slop'"
    project.write("strategies/slope", pages)
    refusals = plan_export(project.root).refusals
    assert {"start", "view", "update"} <= {refusal.subject for refusal in refusals}
    assert any('Write `NAME = "slope"`' in refusal.sentence for refusal in refusals)


def test_every_reason_is_named_at_once(project: Any, pages: Pages) -> None:
    pages["knobs"].source = pages["knobs"].source.replace("= 63", "= 20")
    pages["slope"].source = pages["slope"].source.replace("/ lookback", "/ scale")
    project.write(pages=pages)
    rules = {refusal.rule for refusal in plan_export(project.root).refusals}
    assert {"knob outside range", "notebook global"} <= rules


def test_good_notebook_is_not_refused(project: Any) -> None:
    path = project.write()
    assert plan_export(project.root).refusals == ()
    assert json.loads(path.read_text(encoding="utf-8"))["nbformat"] == 4
