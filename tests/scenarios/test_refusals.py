"""What a stranger does wrong at the command line, and the sentence that is said to it."""

import re
import socket
import sqlite3
from pathlib import Path

import pytest

from tests.scenarios.terminal import Desk


def refusal(place: Desk, *words: str) -> str:
    """Return what is said to a command that must be refused in one go, without a traceback."""
    said = place.here(*words)
    assert said.code == 1, said
    assert "Traceback" not in said.all
    return said.err


@pytest.mark.fault("I1", "I2")
@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("single_name_frac =", "singel_name_frac =", "did you mean single_name_frac?"),
        ("speed = 390", "sped = 390", "did you mean exchange.speed?"),
        ("hard_cap_frac = 0.12", "", "limits.hard_cap_frac is missing"),
        ("soft_cap_frac = 0.08", "soft_cap_frac = 8", "soft_cap_frac is 8, .*did you mean 0.08?"),
        ('mode = "paper" ', "mode = paper", "is no TOML: .*line 6"),
        ('mode = "paper" ', 'mode = "live"', "gates.enforce must be true"),
    ],
)
def test_config_that_cannot_be_used_stops_every_start_with_the_cure(
    place: Desk, old: str, new: str, words: str
) -> None:
    place.change(old, new)
    for verb in ("up", "daemon", "exchange", "status", "replay"):
        more = ("--bars", "x") if verb == "replay" else ()
        assert re.search(words, refusal(place, verb, *more))
    assert not place.state.exists()


def test_config_that_is_nowhere_is_told_with_where_to_start(place: Desk) -> None:
    place.config.unlink()
    assert "start in the folder that holds qgtm_config.toml" in refusal(place, "up")
    said = place.here("status", "--json")
    assert (said.code, said.err, said.json()["kind"]) == (1, "", "ConfigError")


def test_keys_that_others_can_read_and_half_a_pair_are_refused_before_anything_starts(
    place: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = place.folder / ".env"
    keys.write_text("APCA_API_KEY_ID=PK123\nAPCA_API_SECRET_KEY=s3cret\n")
    keys.chmod(0o644)
    assert f"chmod 600 {keys}" in refusal(place, "up")
    keys.unlink()
    monkeypatch.setenv("APCA_API_KEY_ID", "PK123")
    assert "APCA_API_SECRET_KEY is not: set both" in refusal(place, "up")
    assert not place.state.exists()


def test_real_money_half_asked_for_is_refused(place: Desk) -> None:
    place.change('mode = "paper" ', 'mode = "live"')
    place.change("enforce = false", "enforce = true")
    place.change('account_number = ""', 'account_number = "123"')
    assert "live" in refusal(place, "up")
    assert not place.state.exists()


@pytest.mark.parametrize("key", ["web", "exchange"])
def test_port_in_use_is_named_with_the_key_to_change(place: Desk, key: str) -> None:
    port = place.web if key == "web" else place.venue
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port))
        taken.listen(1)
        for verb in ("up", "serve" if key == "web" else "exchange"):
            said = refusal(place, verb)
            assert f"port {port}" in said or f":{port}" in said
            assert f"{key}.port" in said or "--port" in said


def test_both_ports_in_use_are_named_at_once(place: Desk) -> None:
    with socket.socket() as web, socket.socket() as venue:
        for taken, port in ((web, place.web), (venue, place.venue)):
            taken.bind(("127.0.0.1", port))
            taken.listen(1)
        said = refusal(place, "up")
    assert "set web.port to another" in said
    assert "set exchange.port to another" in said


@pytest.mark.parametrize("host", ["no.such.host.invalid", "192.0.2.1"])
def test_host_that_is_not_this_machine_is_not_told_as_a_port_in_use(place: Desk, host: str) -> None:
    place.change('host = "127.0.0.1"', f'host = "{host}"')
    assert f"web.host {host} is no address of this machine" in refusal(place, "up")


@pytest.mark.fault("H7")
@pytest.mark.parametrize("verb", ["up", "daemon", "exchange", "deploy", "killswitch", "ack"])
def test_state_folder_that_cannot_be_written_is_told_with_the_cure(place: Desk, verb: str) -> None:
    place.state.write_text("a file stands here")
    words = {"killswitch": ("--halt", "--reason", "x"), "ack": ("disconnected", "--reason", "x")}
    more = words.get(verb, ())
    said = refusal(place, verb, *more)
    assert "var" in said
    assert "cannot be used" in said
    assert "QGTM_STATE_DIR" in said
    assert place.state.read_text() == "a file stands here"


@pytest.mark.fault("H1")
def test_disk_that_is_full_stops_the_exchange_and_the_daemon_with_a_sentence(place: Desk) -> None:
    for words in (("exchange", "--speed", "0"), ("killswitch", "--halt", "--reason", "x")):
        said = place.type(*words, file_bytes=8192)
        assert said.code == 1, said
        assert "Traceback" not in said.all
        assert re.search(r"cannot be used|is full|could not|cannot", said.err), said.err


def test_journal_that_is_not_ours_is_left_as_it_is(place: Desk) -> None:
    place.state.mkdir()
    journal = place.state / "journal.db"
    with sqlite3.connect(journal) as theirs:
        theirs.execute("create table theirs (x)")
    theirs.close()
    before = journal.read_bytes()
    for words in (("daemon",), ("audit", "verify"), ("audit", "tail"), ("signals",)):
        said = place.here(*words)
        assert said.code == 1
        assert "another program's database" in said.all
    assert journal.read_bytes() == before


@pytest.mark.fault("H3")
def test_journal_that_is_damaged_is_named_and_kept(place: Desk) -> None:
    place.state.mkdir()
    (place.state / "journal.db").write_bytes(b"nonsense" * 1000)
    for words in (("daemon",), ("audit", "verify"), ("audit", "tail"), ("signals",)):
        assert "restore the last backup" in refusal(place, *words)
    assert "RED" in place.here("status").out
    assert (place.state / "journal.db").read_bytes() == b"nonsense" * 1000


def test_daemon_without_an_exchange_names_what_to_start(place: Desk) -> None:
    said = refusal(place, "daemon")
    assert "`qgtm up`, which starts everything, or `qgtm exchange`" in said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("staus",), "did you mean `qgtm status`?"),
        (("status", "--jsn"), "--json"),
        (("audit", "verfy"), "verify"),
        (("ack", "operator_halt"), "--reason"),
        (("replay",), "--bars"),
        (("up", "--speed", "0"), "--speed"),
        (("up", "--start", "soon"), "--start"),
        (("exchange", "--speed", "-1"), "--speed"),
        (("exchange", "--port", "99999"), "--port"),
    ],
)
def test_command_that_is_not_understood_exits_2_and_names_what_is_meant(
    place: Desk, words: tuple[str, ...], said: str
) -> None:
    answer = place.here(*words)
    assert (answer.code, answer.out) == (2, "")
    assert said in answer.err


def test_command_given_with_no_daemon_says_that_nothing_has_changed_yet(place: Desk) -> None:
    said = place.here("killswitch", "--halt", "--reason", "a test")
    assert said.code == 0
    assert "NO DAEMON RUNS NOW" in said.out


def test_status_before_anything_ran_is_red_and_guesses_nothing(place: Desk) -> None:
    said = place.type("status", "--summary", COLUMNS="60", NO_COLOR="1")
    assert said.code == 0
    assert "RED" in said.out
    assert "unknown" in said.out
    assert "\x1b[" not in said.out
    assert max(map(len, said.out.splitlines())) <= 60
    assert said.out.count("$") == 0
    found = place.status()
    assert (found["positions"], found["notional_usd"], found["dot"]) == (None, None, "red")
    assert not Path(place.state).exists()
