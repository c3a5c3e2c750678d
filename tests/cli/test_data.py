"""`qgtm data`: what was known when, how fresh it is, what is wrong with it."""

import json
import os
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from qgtm import cli
from qgtm.adapters.calendar import xnys
from qgtm.adapters.inbox import Inbox
from qgtm.adapters.lake import LakeWriter
from qgtm.adapters.publication import is_described, published_at
from qgtm.adapters.quarantine import Held, Quarantine
from qgtm.core.bar import Bar, BarSet
from qgtm.core.commands import ReleaseData
from qgtm.core.corporate_action import ActionKind, CorporateAction
from qgtm.core.fact import Fact
from qgtm.core.series import SERIES, Cadence

REPO = Path(__file__).parents[2]
SUNDAY = datetime(2023, 3, 12, 16, tzinfo=UTC)


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("QGTM_STATE_DIR", str(tmp_path))
    monkeypatch.setenv("QGTM_CONFIG", str(REPO / "qgtm_config.toml"))
    monkeypatch.setenv("COLUMNS", "140")
    monkeypatch.chdir(tmp_path)
    for key in [name for name in os.environ if name.startswith("APCA_")]:
        monkeypatch.delenv(key)
    (tmp_path / "exchange").mkdir()
    anchor = {
        "venue_at": SUNDAY.isoformat(), "monotonic_at": 0.0, "wall_at": SUNDAY.isoformat(),
        "boot_id": "another", "speed": 1.0, "held_by": [], "mode": "synthetic",
    }  # fmt: skip
    (tmp_path / "exchange" / "venue.json").write_text(json.dumps(anchor))
    return tmp_path


def fill(root: Path, until: datetime) -> None:
    """Put down what was published by a moment: every series for two weeks, and GLD's bars with a split."""
    start = date(2023, 2, 20)
    facts = []
    for name, series in SERIES.items():
        for n in range(25):
            day = start + timedelta(days=n)
            at = datetime(day.year, day.month, day.day, 5, tzinfo=UTC)
            if series.cadence is Cadence.HOURLY:
                facts += [
                    Fact(name, at + timedelta(hours=h), at + timedelta(hours=h), 1.0) for h in range(24)
                ]
            elif is_described(name, day):
                facts.append(Fact(name, at, published_at(name, day), float(n)))
    sets = [
        BarSet(
            session=s.day,
            known_at=s.close_at,
            bars={
                "GLD": Bar(
                    symbol="GLD", session=s.day, known_at=s.close_at,
                    open=100.0, high=100.0, low=100.0, close=100.0, volume=1.0,
                )
            },
        )
        for s in xnys().sessions(start, until.date())
    ]  # fmt: skip
    split = CorporateAction("GLD", ActionKind.SPLIT, date(2023, 3, 10), datetime(2023, 3, 1, tzinfo=UTC), 2.0)
    with LakeWriter(root / "store") as writer:
        writer.append([fact for fact in facts if fact.known_at <= until])
        writer.append_bars(sets)
        writer.append_actions([split])


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    with pytest.raises(SystemExit) as end:
        cli.main(["data", *words])
    told = capsys.readouterr()
    return int(end.value.code or 0), told.out + told.err


def told(capsys: pytest.CaptureFixture[str], *words: str) -> Any:
    code, out = run(capsys, *words, "--json")
    assert code == 0
    return json.loads(out)


def test_what_was_known_then_is_shown_with_since_when(
    state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(state, SUNDAY)
    found = told(capsys, "--as-of", "2023-03-10", "GLD", "DFII10", "--rows", "2")
    assert found["as_of"] == "2023-03-10T21:00:00+00:00"
    assert [(row["described"], row["value"]) for row in found["known"]["GLD"]] == [
        ("2023-03-09", 50.0), ("2023-03-10", 100.0),
    ]  # fmt: skip
    # the yield of the 9th is out on the 10th at 16:15, after the close
    assert [row["described"] for row in found["known"]["DFII10"]] == ["2023-03-07", "2023-03-08"]
    later = told(capsys, "--as-of", "2023-03-10T16:15", "DFII10", "--rows", "1")
    assert later["known"]["DFII10"][0]["known_at"] == "2023-03-10T21:15:00+00:00"
    code, out = run(capsys, "--as-of", "2023-03-10", "GLD", "SOFR")
    assert code == 0
    assert "Known at Fri 2023-03-10 16:00 New York" in out


def test_name_that_nobody_knows_is_refused(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out = run(capsys, "--as-of", "2023-03-10", "GOLDBUGS")
    assert (code, "GOLDBUGS is no symbol and no series" in out) == (1, True)


def test_nothing_that_was_known_is_said_to_be_nothing(
    state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(state, SUNDAY)
    assert told(capsys, "--as-of", "2020-03-10", "DFII10")["known"] == {"DFII10": []}
    assert "nothing was known" in run(capsys, "--as-of", "2020-03-10", "DFII10")[1]


@pytest.mark.parametrize("words", [(), ("--freshness", "--audit"), ("--bars", ".")])
def test_one_question_is_asked_at_a_time(
    state: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    code, out = run(capsys, *words)
    assert (code, "choose one of --as-of" in out) == (1, True)


def test_feeds_of_a_quiet_sunday_are_fresh(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fill(state, SUNDAY)
    found = {each["feed"]: each for each in told(capsys, "--freshness")["feeds"]}
    assert {name: each["state"] for name, each in found.items()} == {
        "ohlcv": "fresh", "cot": "on schedule", "fred": "fresh", "options_vol": "fresh", "sentiment": "fresh",
    }  # fmt: skip
    code, out = run(capsys, "--freshness")
    assert code == 0
    for line in ("OHLCV (Alpaca)", "2023-03-10 21:00 UTC", "✓ on schedule", "2023-03-12 16:00 UTC"):
        assert line in out


@pytest.mark.fault("E1")
def test_feed_that_came_to_a_halt_is_stale_with_what_is_late(
    state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(state, SUNDAY - timedelta(days=4))
    (state / "feeds").mkdir()
    word = {
        "off": "FRED_API_KEY not set", "tried_at": None, "succeeded_at": None, "new_facts": 0, "problem": "",
        "missing": [], "failures": 0, "next_due_at": None,
    }  # fmt: skip
    (state / "feeds" / "status.json").write_text(json.dumps({"feeds": {"fred": word}}))
    found = {each["feed"]: each for each in told(capsys, "--freshness")["feeds"]}
    assert {name: each["state"] for name, each in found.items()} == {
        "ohlcv": "stale", "cot": "stale", "fred": "off", "options_vol": "stale", "sentiment": "stale",
    }  # fmt: skip
    assert found["fred"]["why"] == "FRED_API_KEY not set"
    assert "REDDIT_GOLD_COUNT due by" in found["sentiment"]["why"]
    assert "✗ stale" in run(capsys, "--freshness")[1]


def test_audit_of_the_store_is_a_page_and_a_table(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fill(state, SUNDAY)
    page = state / "page.html"
    found = told(capsys, "--audit", "--html", str(page))
    assert found["page"] == str(page)
    # constant prices and values that count days are made up, and the audit says so
    assert {each["fault"] for each in found["findings"]} >= {"interpolated"}
    assert found["findings"][0]["id"] in page.read_text()
    code, out = run(capsys, "--audit", "--html", str(page))
    assert code == 0
    assert "findings:" in out
    assert found["findings"][0]["id"] in out


def test_audit_without_a_store_says_what_to_do(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out = run(capsys, "--audit")
    assert (code, "there is no store" in out) == (1, True)


@pytest.mark.fault("E4")
def test_value_that_waits_is_named_and_released_through_the_inbox(
    state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(state, SUNDAY)
    odd = Fact("VIXCLS", SUNDAY - timedelta(days=2), SUNDAY, 180.0)
    held = Held(odd, "VIXCLS of 2023-03-10 is 180, 10 times the 18 before it")
    Quarantine(state / "feeds" / "held.json").keep([held])
    assert told(capsys, "--freshness")["held"] == [{"item": held.item, "why": held.why}]
    assert f"qgtm data --release {held.item}" in " ".join(run(capsys, "--freshness")[1].split())
    assert run(capsys, "--release", held.item)[0] == 1  # without a reason
    code, out = run(capsys, "--release", "VIXCLS-2023-03-10-0000", "--reason", "x")
    assert (code, f"there wait {held.item}" in out) == (1, True)
    assert told(capsys, "--release", held.item, "--reason", "seen at Cboe")["kind"] == "ReleaseData"
    with Inbox(state / "inbox.db") as inbox:
        (wish,) = inbox.wishes(0)
    assert wish.command == ReleaseData(item=held.item, reason="seen at Cboe", by="OpA")
