"""`qgtm evidence`: cards over a folder of bars, figures and words alike in all places."""

import csv
import json
from datetime import date
from pathlib import Path
from types import ModuleType

import pytest

from qgtm.adapters.card_file import verdicts
from qgtm.adapters.manifest import load_manifest
from qgtm.cli.evidence import card_of, cells, command
from qgtm.core.errors import MarketError
from qgtm.features.seen import Seen
from qgtm.reporting.make import ROOT
from qgtm.research.made_up import made_up
from qgtm.strategies import BY_NAME

MANIFEST = load_manifest(ROOT / "qgtm")
TSMOM: ModuleType = BY_NAME["tsmom"].module


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of bars as somebody might have recorded them."""
    made, place = made_up(760, 5), tmp_path_factory.mktemp("bars")
    for k, symbol in enumerate(made.symbols):
        with (place / f"{symbol}.csv").open("w", newline="") as file:
            written = csv.writer(file)
            written.writerow(["date", "open", "high", "low", "close", "volume"])
            for i, day in enumerate(made.sessions):
                row = (made.open, made.high, made.low, made.close, made.volume)
                written.writerow([date.fromordinal(int(day)), *(repr(float(each[i, k])) for each in row)])
    return place


def test_one_strategy_is_told_and_its_card_is_kept_with_the_same_words(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command("tsmom", bars=folder, reports=tmp_path)
    said = capsys.readouterr().out.splitlines()
    card = json.loads((tmp_path / "evidence" / "tsmom.json").read_text())
    assert said[:2] == ["tsmom", card["evidence"]]
    assert said[2].startswith("Out of sample: ")
    assert (card["inputs"], card["state"]) == ({"ohlcv": "recorded"}, "shadow")
    assert verdicts(tmp_path, MANIFEST, ["tsmom"])["tsmom"].words == card["evidence"]


def test_cards_are_kept_where_the_daemon_of_the_configuration_looks(folder: Path, tmp_path: Path) -> None:
    config = tmp_path / "qgtm_config.toml"
    config.write_text((ROOT / "qgtm_config.toml").read_text())
    command("overnight_gold", bars=folder, config=config, as_json=True)
    assert (tmp_path / "reports" / "evidence" / "overnight_gold.json").is_file()


def test_made_up_market_is_told_as_json_and_leaves_no_card(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command("policy_path", sessions=400, reports=tmp_path, as_json=True)
    (card,) = json.loads(capsys.readouterr().out)
    assert card["evidence"] == "shadow: no real evidence yet (fred synthetic, ohlcv synthetic)"
    assert not (tmp_path / "evidence").exists()


def test_symbol_without_bars_and_strategy_that_is_none_are_named() -> None:
    there = Seen(made_up(60, 1).select(("GLD", "SLV", "PPLT")))
    card = card_of(TSMOM, there, "recorded", 3.0, 1, MANIFEST)
    assert card["evidence"] == "shadow: no real evidence yet (ohlcv lacking GDX, PALL)"
    assert cells(card) == ["tsmom", "0", "-", "-", "-", "-"]
    with pytest.raises(MarketError, match="there is no strategy 'tsmum'"):
        command("tsmum")
