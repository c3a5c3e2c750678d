"""Keys: where they come from, that they are never printed, and that real money takes three."""

from dataclasses import replace
from pathlib import Path

import pytest

from qgtm.config import Config, config_from_text
from qgtm.core.errors import ConfigError
from qgtm.keys import Keys, Secret, endpoints, load_keys, venue

CANARY = "canary-4f1d"
PAPER = {"APCA_API_KEY_ID": "PKCANARY", "APCA_API_SECRET_KEY": CANARY}
LIVE = {"APCA_API_KEY_ID": "AKCANARY", "APCA_API_SECRET_KEY": CANARY}


@pytest.fixture(scope="module")
def config() -> Config:
    path = Path(__file__).parents[1] / "qgtm_config.toml"
    return config_from_text(path.read_text(), path)


@pytest.fixture
def live(config: Config) -> Config:
    return replace(config, fund=replace(config.fund, mode="live"))


def env_file(folder: Path, text: str, mode: int = 0o600) -> Path:
    path = folder / ".env"
    path.write_text(text)
    path.chmod(mode)
    return folder / "qgtm_config.toml"


def test_no_keys_mean_the_embedded_exchange(tmp_path: Path, config: Config) -> None:
    keys = load_keys(tmp_path / "qgtm_config.toml", {})
    assert keys.broker is None
    assert venue(config, keys, {}) == "embedded"


def test_keys_come_from_the_environment(tmp_path: Path, config: Config) -> None:
    keys = load_keys(tmp_path / "qgtm_config.toml", PAPER)
    assert keys.broker is not None
    assert (keys.broker.key_id.reveal(), keys.broker.secret.reveal()) == ("PKCANARY", CANARY)
    assert venue(config, keys, PAPER) == "paper"


def test_keys_come_from_a_file_beside_the_config_and_the_environment_wins(tmp_path: Path) -> None:
    text = f"# keys\n\nexport APCA_API_KEY_ID='PKFILE'\nAPCA_API_SECRET_KEY = \"{CANARY}\"\nOTHER=x\n"
    config_path = env_file(tmp_path, text)
    keys = load_keys(config_path, {"APCA_API_KEY_ID": "PKENV"})
    assert keys.broker is not None
    assert (keys.broker.key_id.reveal(), keys.broker.secret.reveal()) == ("PKENV", CANARY)
    assert "OTHER" not in keys.found


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660])
def test_file_that_others_can_read_is_refused_with_the_cure(tmp_path: Path, mode: int) -> None:
    config_path = env_file(tmp_path, f"FRED_API_KEY={CANARY}", mode)
    with pytest.raises(ConfigError, match=r"others can read it: run `chmod 600 .*\.env`") as caught:
        load_keys(config_path, {})
    assert CANARY not in str(caught.value)


def test_file_that_is_no_text_is_refused_with_what_belongs_there(tmp_path: Path) -> None:
    config_path = env_file(tmp_path, "")
    (tmp_path / ".env").write_bytes(b"\xff\xfeA")
    with pytest.raises(ConfigError, match="is no text: write a line NAME=value"):
        load_keys(config_path, {})


@pytest.mark.fault("I6")
@pytest.mark.parametrize("name", ["APCA_API_KEY_ID", "APCA_API_SECRET_KEY"])
def test_half_of_the_pair_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match=f"{name} is set and") as caught:
        load_keys(tmp_path / "qgtm_config.toml", {name: CANARY})
    assert CANARY not in str(caught.value)


@pytest.mark.fault("J13")
@pytest.mark.invariant("V27")
def test_keys_are_never_printed(tmp_path: Path) -> None:
    keys = load_keys(tmp_path / "qgtm_config.toml", {**PAPER, "QGTM_SMTP_URL": f"smtp://x:{CANARY}@y"})
    for shown in (
        repr(keys),
        str(keys),
        repr(keys.broker),
        f"{keys.broker}",
        repr(Secret(CANARY)),
        f"{Secret(CANARY)}",
    ):
        assert CANARY not in shown


@pytest.mark.fault("I6")
@pytest.mark.parametrize(
    ("keys", "environ", "said"),
    [
        ({}, {"QGTM_I_TRADE_REAL_MONEY": "yes"}, "there are no keys"),
        (PAPER, {"QGTM_I_TRADE_REAL_MONEY": "yes"}, "these are paper keys"),
        (LIVE, {}, "set QGTM_I_TRADE_REAL_MONEY=yes"),
        (LIVE, {"QGTM_I_TRADE_REAL_MONEY": "no"}, "set QGTM_I_TRADE_REAL_MONEY=yes"),
        (LIVE, {"QGTM_I_TRADE_REAL_MONEY": "YES"}, "set QGTM_I_TRADE_REAL_MONEY=yes"),
    ],
)
def test_real_money_with_one_of_its_three_keys_missing_is_refused(live: Config, keys, environ, said) -> None:
    with pytest.raises(ConfigError, match=said):
        venue(live, Keys({name: Secret(value) for name, value in keys.items()}), environ)


def test_real_money_with_all_three_keys_is_live(live: Config) -> None:
    keys = Keys({name: Secret(value) for name, value in LIVE.items()})
    assert venue(live, keys, {"QGTM_I_TRADE_REAL_MONEY": "yes"}) == "live"


@pytest.mark.fault("I6")
def test_live_keys_where_paper_is_meant_are_refused(config: Config) -> None:
    keys = Keys({name: Secret(value) for name, value in LIVE.items()})
    with pytest.raises(ConfigError, match=r"these are live keys and fund\.mode is .paper."):
        venue(config, keys, {"QGTM_I_TRADE_REAL_MONEY": "yes"})


@pytest.mark.parametrize(
    ("where", "trading", "trading_stream", "data", "data_stream"),
    [
        (
            "embedded",
            "http://127.0.0.1:8701",
            "ws://127.0.0.1:8701/stream",
            "http://127.0.0.1:8701",
            "ws://127.0.0.1:8701/v2/iex",
        ),
        (
            "paper",
            "https://paper-api.alpaca.markets",
            "wss://paper-api.alpaca.markets/stream",
            "https://data.alpaca.markets",
            "wss://stream.data.alpaca.markets/v2/iex",
        ),
        (
            "live",
            "https://api.alpaca.markets",
            "wss://api.alpaca.markets/stream",
            "https://data.alpaca.markets",
            "wss://stream.data.alpaca.markets/v2/iex",
        ),
    ],
)
def test_addresses_are_as_the_broker_documents_them(
    config: Config, where, trading, trading_stream, data, data_stream
) -> None:
    found = endpoints(config, where)
    assert (found.trading_url, found.trading_stream_url) == (trading, trading_stream)
    assert (found.data_url, found.data_stream_url) == (data, data_stream)


def test_slash_at_the_end_of_an_address_does_no_harm(config: Config) -> None:
    slashed = replace(
        config, broker=replace(config.broker, paper_url="https://x/", data_stream_url="wss://y/")
    )
    found = endpoints(slashed, "paper")
    assert (found.trading_url, found.trading_stream_url) == ("https://x", "wss://x/stream")
    assert found.data_stream_url == "wss://y/v2/iex"
