"""`qgtm audit`: verify, tail, show."""

import json
from datetime import UTC, datetime
from pathlib import Path

import apsw
import pytest

from qgtm import cli
from qgtm.adapters.journal import SqliteJournal
from qgtm.adapters.snapshot import Snapshots
from qgtm.core.events import AlertRaised, BrokerLost
from qgtm.ports import Head

AT = datetime(2024, 3, 1, 21, 0, tzinfo=UTC)


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as end:
        cli.main(["audit", *arguments])
    code = end.value.code
    assert isinstance(code, int)
    return code


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "journal.db"
    with SqliteJournal(path) as journal:
        journal.append([BrokerLost(reason=f"reason {n}") for n in range(1, 6)], AT)
        journal.append([AlertRaised(level="red", cause="test", text="[bold]not markup[/bold]")], AT)
    return path


def head_of(path: Path) -> Head:
    with SqliteJournal(path) as journal:
        return journal.head()


def spoil(path: Path, statement: str) -> None:
    connection = apsw.Connection(str(path))
    guards = connection.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").fetchall()
    for name, _ in guards:
        connection.execute(f"DROP TRIGGER {name}")
    connection.execute(statement)
    for _, sql in guards:
        connection.execute(sql)
    connection.close()


def test_verify_of_a_sound_journal_says_how_many_rows_and_the_head(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    head = head_of(path)
    assert run("verify", "--journal", str(path)) == 0
    assert capsys.readouterr().out == f"{path}: 6 rows hold. Head 6:{head.hash}\n"


def test_verify_of_a_changed_journal_names_the_first_bad_row_and_exits_1(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spoil(path, 'UPDATE journal SET body = \'{"reason":"nothing"}\' WHERE seq = 3')
    assert run("verify", "--journal", str(path)) == 1
    said = capsys.readouterr().out
    assert "2 rows hold, and row 3 (BrokerLost) does not: its hash does not follow" in said
    assert "restore the last backup" in said


def test_verify_in_json_holds_the_same(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spoil(path, 'UPDATE journal SET body = \'{"reason":"nothing"}\' WHERE seq = 3')
    assert run("verify", "--journal", str(path), "--json") == 1
    found = json.loads(capsys.readouterr().out)
    assert (found["is_ok"], found["rows"], found["bad"]["seq"], found["bad"]["kind"]) == (
        False,
        2,
        3,
        "BrokerLost",
    )


def test_verify_against_a_head_noted_earlier_finds_what_was_cut(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    head = head_of(path)
    spoil(path, "DELETE FROM journal WHERE seq > 4")
    assert run("verify", "--journal", str(path)) == 0
    assert run("verify", "--journal", str(path), "--head", f"6:{head.hash}") == 1
    assert "the journal ends at row 4, and row 6 was there before" in capsys.readouterr().out


def test_verify_takes_the_snapshots_heads_without_being_told(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Snapshots(path.parent / "snapshots", "code").write({}, head_of(path), AT)
    spoil(path, "DELETE FROM journal WHERE seq > 4")
    assert run("verify", "--journal", str(path)) == 1
    assert "row 6 was there before" in capsys.readouterr().out


def test_verify_with_a_head_that_is_none_exits_2(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("verify", "--journal", str(path), "--head", "6") == 2
    assert "NUMBER:HASH" in capsys.readouterr().err


def test_verify_without_a_journal_names_the_next_step(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("verify", "--journal", str(tmp_path / "journal.db")) == 1
    assert "`make run` or `qgtm daemon` makes one" in capsys.readouterr().err


def test_tail_lists_the_newest_rows_and_takes_no_text_for_markup(
    path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    assert run("tail", "-n", "2", "--journal", str(path)) == 0
    said = capsys.readouterr().out
    assert "reason 5" in said
    assert "reason 4" not in said
    assert "[bold]not markup[/bold]" in said


def test_tail_of_one_kind_in_json_lists_only_that(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("tail", "-n", "2", "--kind", "BrokerLost", "--journal", str(path), "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert [(row["seq"], row["kind"], row["body"]) for row in found] == [
        (4, "BrokerLost", {"reason": "reason 4"}),
        (5, "BrokerLost", {"reason": "reason 5"}),
    ]


def test_show_prints_one_row_in_full(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("show", "2", "--journal", str(path)) == 0
    said = capsys.readouterr().out
    assert said.startswith("row 2, 2024-03-01T21:00:00.000000Z, BrokerLost, hash ")
    assert '"reason": "reason 2"' in said


@pytest.mark.parametrize("seq", ["0", "7"])
def test_show_of_a_row_that_is_not_there_names_the_next_step(
    path: Path, seq: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("show", seq, "--journal", str(path)) == 1
    assert f"the journal has no row {seq}: `qgtm audit tail`" in capsys.readouterr().err


def test_journal_is_found_in_the_state_folder(
    path: Path, repo: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("QGTM_STATE_DIR", str(path.parent))
    assert run("verify", "--config", str(repo / "qgtm_config.toml")) == 0
    assert capsys.readouterr().out.startswith(f"{path}: 6 rows hold")
