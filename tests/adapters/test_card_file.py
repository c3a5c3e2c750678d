"""Cards where they lie: only `qgtm evidence` over recorded bars, of the print as it is, lets a rule trade."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import qgtm
from qgtm.adapters.card_file import CHANGED, OF_A_RUN, keep_card, print_sha, verdicts
from qgtm.adapters.manifest import Manifest, load_manifest
from qgtm.core.gate import NO_CARD, Standing

MANIFEST = load_manifest(Path(qgtm.__file__).parent)
CARD: dict[str, Any] = {
    "name": "real_rate_gold",
    "inputs": {"ohlcv": "recorded", "fred": "recorded"},
    "proof": {"sharpe": 0.8, "overfit": 0.2, "deflated": 0.96},
    "print": print_sha(MANIFEST, "real_rate_gold"),
}


def words(reports: Path, manifest: Manifest = MANIFEST, name: str = "real_rate_gold") -> str:
    return verdicts(reports, manifest, [name])[name].words


def edited(name: str) -> Manifest:
    return Manifest({**MANIFEST.prints, name: replace(MANIFEST.prints[name], module_sha256="other")})


def test_passing_card_of_the_print_as_it_is_lets_trade(tmp_path: Path) -> None:
    keep_card(tmp_path, CARD)
    assert verdicts(tmp_path, MANIFEST, ["real_rate_gold"])["real_rate_gold"].standing is Standing.PROVEN


def test_strategy_without_a_card_is_a_shadow(tmp_path: Path) -> None:
    keep_card(tmp_path, CARD)
    assert words(tmp_path, name="tsmom") == f"shadow: {NO_CARD}"


@pytest.mark.parametrize("what", ["strategies/real_rate_gold", "features/dollar", "features/rolling"])
def test_card_of_another_print_proves_nothing(tmp_path: Path, what: str) -> None:
    """Neither of another rule nor of other features that it leans on, however far down."""
    keep_card(tmp_path, CARD)
    assert words(tmp_path, edited(what)) == f"shadow: {CHANGED}"


def test_card_is_not_troubled_by_a_print_that_it_does_not_lean_on(tmp_path: Path) -> None:
    keep_card(tmp_path, CARD)
    assert words(tmp_path, edited("strategies/tsmom")) == "proven: passes all gates"


def test_card_of_one_strategy_does_not_prove_another(tmp_path: Path) -> None:
    (tmp_path / "evidence").mkdir()
    (tmp_path / "evidence" / "tsmom.json").write_text(json.dumps(CARD))
    assert words(tmp_path, name="tsmom") == f"shadow: {CHANGED}"


@pytest.mark.parametrize("kept", ["{", "[]", "{}", '{"proof": 3}', "\x00"])
def test_card_that_cannot_be_read_is_a_shadow(tmp_path: Path, kept: str) -> None:
    keep_card(tmp_path, CARD).write_text(kept)
    assert words(tmp_path) == "shadow: its card has no figures that can be read"


def test_card_of_a_notebook_s_run_is_shown_and_proves_nothing(tmp_path: Path) -> None:
    (tmp_path / "pipeline").mkdir()
    path = tmp_path / "pipeline" / "real_rate_gold.json"
    path.write_text(json.dumps(CARD))
    assert words(tmp_path) == f"shadow: {OF_A_RUN}"
    path.write_text(json.dumps(CARD | {"inputs": {"ohlcv": "synthetic"}}))
    assert words(tmp_path) == "shadow: no real evidence yet (ohlcv synthetic)"
    keep_card(tmp_path, CARD)
    assert words(tmp_path) == "proven: passes all gates"
