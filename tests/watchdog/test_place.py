"""Where the watchdog stands: its own reading of the configuration and of the keys, and what it refuses."""

from pathlib import Path

import pytest

from qgtm.core.errors import ConfigError
from qgtm.watchdog.place import Place, place_from

REPO = Path(__file__).resolve().parents[2]
PAPER = {"APCA_API_KEY_ID": "PKDAEMON", "APCA_API_SECRET_KEY": "daemons-secret"}
OWN = {"APCA_WATCHDOG_KEY_ID": "PKWATCH", "APCA_WATCHDOG_SECRET_KEY": "own-secret"}
LIVE = {"APCA_API_KEY_ID": "AKDAEMON", "APCA_API_SECRET_KEY": "daemons-secret"}
YES = {"QGTM_I_TRADE_REAL_MONEY": "yes"}


def place(folder: Path, *changes: tuple[str, str], dead_man: str = "", **environ: str) -> Place:
    text = (REPO / "qgtm_config.toml").read_text("utf-8")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    (folder / "qgtm_config.toml").write_text(text, "utf-8")
    return place_from(folder / "qgtm_config.toml", environ, dead_man)


def test_without_keys_the_broker_is_the_embedded_exchange(tmp_path: Path) -> None:
    found = place(tmp_path)
    assert (found.url, found.is_embedded, found.state) == ("http://127.0.0.1:8701", True, tmp_path / "var")
    assert (found.settings.alerts_s, found.settings.flatten_s) == ((300.0, 600.0), 900.0)
    assert not found.is_short


def test_own_keys_of_the_watchdogs_come_before_the_daemons(tmp_path: Path) -> None:
    assert place(tmp_path, **PAPER).keys.secret == "daemons-secret"
    found = place(tmp_path, **PAPER, **OWN)
    assert (found.keys.key_id, found.keys.secret) == ("PKWATCH", "own-secret")
    assert found.url == "https://paper-api.alpaca.markets"


def test_own_keys_alone_leave_the_watchdog_where_the_daemon_is(tmp_path: Path) -> None:
    assert place(tmp_path, **OWN).is_embedded


def test_keys_come_from_the_file_beside_the_config_too(tmp_path: Path) -> None:
    env = tmp_path / ".env"
    env.write_text("".join(f"{name}={text}\n" for name, text in {**PAPER, **OWN}.items()))
    env.chmod(0o600)
    assert place(tmp_path).keys.secret == "own-secret"
    env.chmod(0o640)
    with pytest.raises(ConfigError, match="chmod 600"):
        place(tmp_path)


def test_dead_man_of_seconds_is_for_the_embedded_exchange_alone(tmp_path: Path) -> None:
    found = place(tmp_path, dead_man="7,13,20")
    assert (found.settings.alerts_s, found.settings.flatten_s, found.is_short) == ((7.0, 13.0), 20.0, True)
    with pytest.raises(ConfigError, match="--dead-man is for the embedded exchange"):
        place(tmp_path, dead_man="7,13,20", **PAPER)


@pytest.mark.parametrize("flatten", ["2", "20", "299"])
def test_short_limits_of_the_config_are_refused_with_a_real_broker(tmp_path: Path, flatten: str) -> None:
    changes = (("flatten_s = 900", f"flatten_s = {flatten}"), ("alerts_s = [300, 600]", "alerts_s = [1]"))
    assert place(tmp_path, *changes).settings.flatten_s == float(flatten)
    with pytest.raises(ConfigError, match="300 s at least"):
        place(tmp_path, *changes, **PAPER)


@pytest.mark.parametrize("words", ["20", "13,7,20", "7,13,x", "7,7,20", "0,1,1.5", "1,2,901"])
def test_dead_man_that_does_not_rise_or_is_out_of_bounds_is_refused(tmp_path: Path, words: str) -> None:
    if words == "20":  # no alert before it is a choice, too
        assert place(tmp_path, dead_man=words).settings.alerts_s == ()
        return
    with pytest.raises(ConfigError, match=r"dead man|no seconds"):
        place(tmp_path, dead_man=words)


def test_real_money_takes_three_keys_here_as_well(tmp_path: Path) -> None:
    live = ('mode = "paper"', 'mode = "live"')
    with pytest.raises(ConfigError, match="QGTM_I_TRADE_REAL_MONEY"):
        place(tmp_path, live, **LIVE)
    with pytest.raises(ConfigError, match="these are paper keys"):
        place(tmp_path, live, **PAPER, **YES)
    with pytest.raises(ConfigError, match="these are live keys"):
        place(tmp_path, **LIVE, **YES)
    with pytest.raises(ConfigError, match="these are paper keys"):
        place(tmp_path, live, **LIVE, **OWN, **YES)
    pinned = place(tmp_path, live, ('account_number = ""', 'account_number = "123"'), **LIVE, **YES)
    assert (pinned.url, pinned.settings.account_number) == ("https://api.alpaca.markets", "123")


def test_half_a_key_pair_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="APCA_WATCHDOG_SECRET_KEY is not set"):
        place(tmp_path, **PAPER, APCA_WATCHDOG_KEY_ID="PKWATCH")


def test_secrets_do_not_show_in_the_place(tmp_path: Path) -> None:
    found = place(
        tmp_path, **PAPER, QGTM_SMTP_URL="smtp://a:canary@b", QGTM_WATCHDOG_PUSH_URLS="https://x/canary"
    )
    assert "canary" not in repr(found)
    assert "daemons-secret" not in repr(found)


def test_config_that_is_not_there_names_the_next_step(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--config"):
        place_from(tmp_path / "none.toml", {})
