"""The catalogue's page: every feature is told on it, it is current, and it needs nothing but itself."""

import re
from pathlib import Path

import numpy as np
import pytest

from qgtm.features.bars import FloatArray
from qgtm.features.catalogue import CATALOGUE
from qgtm.features.feature import Feature
from qgtm.features.seen import Seen
from qgtm.research.features_page import PAGE, SEED, SESSIONS, main, page
from qgtm.research.made_up_panel import made_up_seen

ROOT = Path(__file__).resolve().parents[2]
PICTURE = re.compile(r"<figure>.*?</figure>", re.DOTALL)


@pytest.fixture(scope="module")
def made() -> str:
    return page(CATALOGUE.values(), made_up_seen(SESSIONS, SEED))


def test_committed_page_is_current(made: str) -> None:
    committed = (ROOT / PAGE).read_text(encoding="utf-8")
    assert PICTURE.sub("", committed) == PICTURE.sub("", made), "make export writes docs/features.html anew"


def test_every_feature_has_a_picture_on_the_committed_page() -> None:
    committed = (ROOT / PAGE).read_text(encoding="utf-8")
    assert re.findall(r'<article id="([^"]+)">', committed) == list(CATALOGUE)
    assert committed.count("<path d=") == len(CATALOGUE)


def test_pictures_are_the_same_each_time(made: str) -> None:
    again = page(CATALOGUE.values(), made_up_seen(SESSIONS, SEED))
    assert PICTURE.findall(again) == PICTURE.findall(made)


def test_page_needs_nothing_from_elsewhere_and_is_small(made: str) -> None:
    assert re.findall(r"(?:src|href)=\"(?!#)|url\(|@import|<script", made) == []
    assert len(made.encode()) < 600_000
    assert 'name="viewport"' in made


def test_page_is_written_where_it_is_looked_for(tmp_path: Path, made: str) -> None:
    (tmp_path / "docs").mkdir()
    main(tmp_path)
    assert (tmp_path / PAGE).read_text(encoding="utf-8") == made


def feature_of(values: FloatArray, name: str = "planted") -> Feature:
    return Feature(
        name=name, family="planted <b>", formula="a < b & c", unit="frac", source="a source",
        reads=("close",), warm_up=3, missing="not known", compute=lambda seen: values,
    )  # fmt: skip


def test_text_is_escaped_and_facts_are_told() -> None:
    seen = made_up_seen(300, SEED)
    text = page([feature_of(np.linspace(0, 1, 300))], Seen(seen.bars))
    assert "a &lt; b &amp; c" in text
    assert "Planted &lt;b&gt;" in text
    assert "<dt>Warm-up</dt><dd>3 sessions</dd>" in text
    assert "<dt>Holes</dt><dd>not known</dd>" in text


def test_line_rises_to_the_top_and_is_lifted_over_a_hole() -> None:
    values = np.linspace(0, 1, 300)
    values[150:160] = np.nan
    text = page([feature_of(values)], Seen(made_up_seen(300, SEED).bars))
    (path,) = re.findall(r'<path d="([^"]+)"', text)
    assert path.startswith("M0 61")
    assert path.endswith("L320 3")
    assert path.count("M") == 2


def test_feature_of_which_nothing_is_known_says_so() -> None:
    text = page([feature_of(np.full(300, np.nan))], Seen(made_up_seen(300, SEED).bars))
    assert "Not known in the made-up market." in text
