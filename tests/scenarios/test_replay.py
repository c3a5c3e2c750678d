"""`qgtm replay` as a person types it: on folders that are right, and on folders that are not."""

import shutil
from pathlib import Path

import pytest

from tests.scenarios.terminal import Desk

KEYS = (
    "sessions signals intents denied orders fills costs_usd final_equity_usd return_frac volatility_frac "
    "sharpe max_drawdown_frac head"
).split()


@pytest.fixture
def mine(place: Desk, bars: Path) -> Path:
    """Return a copy of the bars that a test may spoil."""
    return shutil.copytree(bars, place.folder / "mine")


def spoiled(folder: Path, number: int, change: str) -> None:
    """Do something to one line of GLD.csv; the header is line 1."""
    path = folder / "GLD.csv"
    lines = path.read_text("utf-8").splitlines()
    line = lines[number - 1]
    day = line.split(",")[0]
    if change == "nan":
        lines[number - 1] = f"{day},nan," + line.split(",", 2)[2]
    elif change == "twice":
        lines.insert(number, line)
    else:
        lines[number - 1], lines[number] = lines[number], line
    path.write_text("\n".join(lines) + "\n", "utf-8")


@pytest.mark.parametrize(
    ("change", "line", "cure"),
    [
        ("nan", 50, "correct it or delete the line"),
        ("twice", 51, "delete one of the two lines"),
        ("swapped", 51, "sort the file by date"),
    ],
)
def test_bar_that_cannot_be_is_named_by_file_line_and_cure(
    place: Desk, mine: Path, change: str, line: int, cure: str
) -> None:
    spoiled(mine, 50, change)
    said = place.here("replay", "--bars", "mine")
    assert (said.code, said.out) == (1, "")
    assert f"GLD.csv, line {line} " in said.err
    assert said.err.rstrip().endswith(cure)
    assert len(said.err.splitlines()) == 1


def test_empty_file_and_unknown_symbol_and_no_file_are_named(place: Desk, mine: Path) -> None:
    (mine / "SLV.csv").write_text("", "utf-8")
    said = place.here("replay", "--bars", "mine", "--json")
    assert said.code == 1
    assert said.json()["kind"] == "MarketError"
    assert "SLV.csv is empty" in said.json()["error"]
    (mine / "SLV.csv").rename(mine / "XYZ.csv")
    assert "XYZ is no symbol of the universe" in place.here("replay", "--bars", "mine").err
    (place.folder / "none").mkdir()
    assert "holds no .csv or .parquet file" in place.here("replay", "--bars", "none").err


def test_answer_has_the_promised_keys_and_is_the_same_on_each_run(place: Desk, mine: Path) -> None:
    first, second = (place.type("replay", "--bars", "mine", "--json") for _ in range(2))
    assert first.code == 0
    assert first.err == ""
    assert list(first.json()) == KEYS
    assert first.json()["sessions"] == 180
    assert first.json()["orders"] > 0
    assert isinstance(first.json()["final_equity_usd"], float)
    assert first.out == second.out


def test_head_stands_in_one_piece_on_a_narrow_terminal(place: Desk, mine: Path) -> None:
    head = place.here("replay", "--bars", "mine", "--json").json()["head"]
    assert head in place.here("replay", "--bars", "mine").out


def test_replay_to_a_day_equals_a_folder_that_ends_there(place: Desk, mine: Path) -> None:
    last = (mine / "GLD.csv").read_text("utf-8").splitlines()[160].split(",")[0]
    until = place.here("replay", "--bars", "mine", "--to", last, "--json").json()
    for path in mine.iterdir():
        path.write_text("\n".join(path.read_text("utf-8").splitlines()[:161]) + "\n", "utf-8")
    assert place.here("replay", "--bars", "mine", "--json").json() == until
    assert until["sessions"] == 160


def test_parquet_alone_or_among_csv_gives_the_same_head(place: Desk, mine: Path) -> None:
    import duckdb

    expected = place.here("replay", "--bars", "mine", "--json").json()["head"]
    for number, path in enumerate(sorted(mine.glob("*.csv"))):
        with duckdb.connect() as connection:
            source = f"read_csv('{path}', types={{'date': 'DATE'}})"
            connection.execute(f"copy (select * from {source}) to '{path.with_suffix('.parquet')}'")
        path.unlink()
        if number != 1:  # among two CSV files, and then alone
            assert place.here("replay", "--bars", "mine", "--json").json()["head"] == expected
    assert not list(mine.glob("*.csv"))


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--from", "2031-01-01"), 1, "move --from or --to"),
        (("--from", "2020-06-02", "--to", "2020-06-01"), 1, "move --from or --to"),
        (("--from", "soon"), 2, "'soon' does not match"),
        (("--strategy", "tsmon"), 1, "there is no strategy tsmon"),
    ],
)
def test_range_or_strategy_that_is_not_there_is_refused(
    place: Desk, mine: Path, words: tuple[str, ...], code: int, said: str
) -> None:
    answer = place.here("replay", "--bars", "mine", *words)
    assert (answer.code, answer.out) == (code, "")
    assert said in answer.err
