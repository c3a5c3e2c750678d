"""The configuration: what stands in the repository is sound, and each mistake gets a sentence."""

import errno
from datetime import time
from decimal import Decimal
from pathlib import Path

import pytest

from qgtm.adapters.proof import site_of
from qgtm.config import Config, config_from_text, find_config, is_origin, load_config
from qgtm.core.errors import ConfigError
from qgtm.core.universe import REFERENCE, TRADED


@pytest.fixture(scope="module")
def text() -> str:
    return (Path(__file__).parents[1] / "qgtm_config.toml").read_text()


@pytest.fixture(scope="module")
def config(text: str) -> Config:
    return config_from_text(text, Path("/fund/qgtm_config.toml"))


def changed(text: str, *replacements: tuple[str, str]) -> str:
    for old, new in replacements:
        assert text.count(old) == 1, f"{old!r} must stand once"
        text = text.replace(old, new)
    return text


def refusal(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        config_from_text(text, Path("/fund/qgtm_config.toml"))
    return str(caught.value)


def test_config_of_the_repository_says_what_was_decided(config: Config) -> None:
    assert config.fund.mode == "paper"
    assert config.fund.starting_cash_usd == Decimal(250_000)
    assert (config.web.host, config.web.port, config.exchange.port) == ("127.0.0.1", 8700, 8701)
    assert (config.watchdog.alerts_s, config.watchdog.flatten_s) == ((300, 600), 900)
    assert not config.gates.enforce
    assert config.universe.symbols == TRADED + REFERENCE
    assert config.schedule.weights_et == time(21)


@pytest.mark.parametrize(
    ("name", "decided"),
    [
        ("single_name_frac", "0.25"),
        ("sector_frac", "0.6"),
        ("gross_frac", "2"),
        ("net_frac", "1.5"),
        ("order_frac", "0.1"),
        ("order_shares", "50000"),
        ("order_adv_frac", "0.05"),
        ("spread_bps", "25"),
        ("collar_frac", "0.02"),
        ("orders_per_minute", "30"),
        ("orders_per_day", "300"),
        ("same_order_per_minute", "2"),
        ("turnover_day_frac", "2"),
        ("daily_loss_frac", "0.03"),
        ("weekly_loss_frac", "0.05"),
        ("value_at_risk_frac", "0.03"),
        ("soft_cap_frac", "0.08"),
        ("hard_cap_frac", "0.12"),
        ("volatility_target_frac", "0.12"),
        ("no_trade_band_frac", "0.005"),
    ],
)
def test_limit_in_the_repository_is_the_one_decided_on(config: Config, name: str, decided: str) -> None:
    assert getattr(config.limits, name) == Decimal(decided)


def test_feeds_in_the_repository_are_those_that_are_meant_without_a_word_of_them(
    text: str, config: Config
) -> None:
    start, end = text.index("# The embedded exchange serves the next four"), text.index("[web]")
    bare = config_from_text(text[:start] + text[end:], Path("/fund/qgtm_config.toml"))
    assert bare.feeds == config.feeds
    assert config.feeds.fred.url == "https://api.stlouisfed.org"
    assert all((config.feeds.cot.enabled, config.feeds.options_vol.enabled, config.feeds.sentiment.enabled))


def test_limits_by_symbol_and_factor_are_the_ones_decided_on(config: Config) -> None:
    assert config.limits.single_name("GLD") == Decimal("0.5")
    assert config.limits.single_name("SLV") == Decimal("0.35")
    assert config.limits.single_name("GDX") == Decimal("0.25")
    assert dict(config.limits.factor_share_frac) == {
        "real_rate": Decimal("0.4"),
        "dollar": Decimal("0.3"),
        "gold_volatility": Decimal("0.25"),
        "silver_volatility": Decimal("0.2"),
        "curve": Decimal("0.15"),
        "equity": Decimal("0.15"),
    }


BAD = [
    ("[web]\n", '[web]\nhots = "x"\n', "web.hots is no key that we know: did you mean web.host?"),
    ("[web]\n", "[wbe]\n", "wbe is no key that we know: did you mean web?"),
    ("[web]\n", "[web]\nzzzzz = 1\n", "is no key that we know: delete it; known are host, port, origin."),
    ("port = 8700\n", "", "web.port is missing: write port = …, a whole number, without quotes."),
    ("port = 8700\n", 'port = "8700"\n', "web.port is '8700': write a whole number, without quotes."),
    ("port = 8700\n", "port = 8700.5\n", "web.port is 8700.5: write a whole number"),
    ("port = 8700\n", "port = true\n", "web.port is True: write a whole number"),
    ("port = 8700\n", "port = 70000\n", "web.port: 70000 is above 65535; correct it."),
    ("port = 8700\n", "port = 8701\n", "web.port and exchange.port are both 8701"),
    ('mode = "paper" ', 'mode = "papre" ', "fund.mode: 'papre' is not one of paper, live"),
    ("starting_cash_usd = 250_000", "starting_cash_usd = -5", "fund.starting_cash_usd: -5 is below 1"),
    ("starting_cash_usd = 250_000", "starting_cash_usd = nan", "fund.starting_cash_usd is NaN: write"),
    ('"SGOL"', '"GOOG"', "universe.traded: 'GOOG' is not one of GLD"),
    ('feed = "iex" ', "feed = 1 ", 'broker.feed is 1: write a text in quotes, such as "text".'),
    ("tape_share_frac = 1.0 ", "tape_share_frac = 8 ", "is 8, and a fraction is meant: did you mean 0.08?"),
    ("enforce = false ", 'enforce = "no" ', "gates.enforce is 'no': write true or false"),
    ("digest_et = 18:00:00", 'digest_et = "18:00"', "digest_et is '18:00': write a time without quotes"),
    ("alerts_s = [300, 600]", "alerts_s = 300", "watchdog.alerts_s is 300: write a list of whole numbers"),
    ("alerts_s = [300, 600]", "alerts_s = [300, 900]", "alerts_s: 900 must be below watchdog.flatten_s"),
    ('market = "synthetic" ', 'market = "recorded" ', "name the folder of bars in exchange.bars_dir"),
    ("speed = 390 ", "speed = 0 ", "exchange.speed: 0 is below 1"),
    ("seed = 7", "seed = -1", "exchange.seed: -1 is below 0"),
    ('"GLD", "IAU"', '"GLD", "GLD"', "universe.traded names 'GLD' twice: delete one of the two."),
    ('"tsmom",', '"tsmom", "tsmom",', "strategies.enabled names 'tsmom' twice"),
    ("[feeds.ohlcv]", "[feeds.ohlvc]", "feeds.ohlvc is no key that we know: did you mean feeds.ohlcv?"),
    ("[feeds.sentiment] ", "[feeds.sentimant] ", "did you mean feeds.sentiment?"),
    ("subs = [", "sub = [", "feeds.sentiment.sub is no key that we know: did you mean feeds.sentiment.subs?"),
    ('# files_url = "https://www.cftc.gov"', "file_url = 1", "did you mean feeds.cot.files_url?"),
    ("[feeds.cot]  ", "[feeds.sentiment.x] ", "feeds.sentiment.x is no key that we know"),
    ("soft_cap_frac = 0.08 ", "soft_cap_frac = 8 ", "did you mean 0.08?"),
    ("soft_cap_frac = 0.08 ", "", "limits.soft_cap_frac is missing, and a limit has no default"),
    ("soft_cap_frac = 0.08 ", "soft_cap = 0.08 ", "did you mean soft_cap_frac?"),
    ("order_shares = 50_000", "order_shares = 1_000_000_000_000", "outer bound"),
    ("hard_cap_frac = 0.12", "hard_cap_frac = 0.08", "the soft cap would never act"),
    ('mode = "paper" ', 'mode = "live" ', 'gates.enforce must be true with fund.mode = "live"'),
    ('mode = "paper" ', 'mode = "live" ', "broker.account_number must pin the account"),
]  # fmt: skip


@pytest.mark.fault("I1", "I2")
@pytest.mark.parametrize(("old", "new", "said"), BAD, ids=[f"{number}" for number in range(len(BAD))])
def test_mistake_is_told_in_a_sentence_with_the_next_step(text: str, old: str, new: str, said: str) -> None:
    assert said in refusal(changed(text, (old, new)))


def test_all_mistakes_are_told_at_once(text: str) -> None:
    spoilt = changed(
        text, ("port = 8700\n", ""), ("seed = 7", "sed = 7"), ("gross_frac = 2.0", "gross_frac = 200")
    )
    said = refusal(spoilt)
    assert said.startswith("/fund/qgtm_config.toml cannot be used:\n")
    for each in (
        "web.port is missing",
        "exchange.sed is no key",
        "exchange.seed is missing",
        "limits.gross_frac",
    ):
        assert each in said


def test_file_that_cannot_be_read_wants_no_right_to_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> str:
        raise PermissionError(errno.EACCES, "Permission denied")

    path = tmp_path / "qgtm_config.toml"
    path.touch()
    monkeypatch.setattr(Path, "read_text", refused)  # the administrator may read everything
    with pytest.raises(ConfigError) as caught:
        load_config(path, {})
    assert f"{path} cannot be read: Permission denied" in str(caught.value)
    assert "right to read it" in str(caught.value)
    assert "write" not in str(caught.value)


@pytest.mark.parametrize("section", ["fund", "broker", "limits", "universe", "gates", "watchdog", "exchange"])
def test_section_that_is_missing_is_named(text: str, section: str) -> None:
    kept, is_in = [], False
    for line in text.splitlines():
        is_in = line.startswith((f"[{section}]", f"[{section}.")) if line.startswith("[") else is_in
        kept += [] if is_in else [line]
    said = refusal("\n".join(kept))
    assert f"{section} is missing" in said
    assert f"[{section}]" in said


@pytest.mark.fault("J13")
@pytest.mark.invariant("V27")
@pytest.mark.parametrize("key", ["APCA_API_SECRET_KEY", "apca_api_key_id", "password", "smtp_url", "token"])
def test_secret_in_the_file_is_refused_and_not_repeated(text: str, key: str) -> None:
    said = refusal(changed(text, ("[broker]\n", f'[broker]\n{key} = "hunter2hunter2"\n')))
    assert f"broker.{key} looks like a secret" in said
    assert "chmod 600" in said
    assert "hunter2" not in said


@pytest.mark.parametrize("broken", ["[fund", "x = ", "mode = paper", "[a]\n[a]\n", "x = 1979-13-01"])
def test_text_that_is_no_toml_names_the_line(broken: str) -> None:
    said = refusal(broken)
    assert said.startswith("/fund/qgtm_config.toml is no TOML: ")
    assert said.endswith("Correct that line.")


def test_empty_text_names_what_is_missing() -> None:
    said = refusal("")
    assert "fund is missing: write a section [fund]." in said
    assert "limits is missing, and a limit has no default" in said


def test_sha_is_of_what_the_file_says_and_not_of_its_layout(text: str, config: Config) -> None:
    path = config.path
    bare = "\n".join(line.split("   #")[0] for line in text.splitlines() if not line.startswith("#"))
    assert config_from_text(bare, path).sha == config.sha
    assert config_from_text(changed(text, ("seed = 7", "seed = 8")), path).sha != config.sha
    assert len(config.sha) == 64


def test_config_is_frozen(config: Config) -> None:
    with pytest.raises(AttributeError):
        config.fund.mode = "live"  # type: ignore[misc]


def test_config_is_found_by_option_then_environment_then_here(
    tmp_path: Path, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = {name: tmp_path / name / "qgtm_config.toml" for name in ("option", "environment", "here")}
    for path in paths.values():
        path.parent.mkdir()
        path.write_text(text)
    monkeypatch.chdir(tmp_path / "here")
    environ = {"QGTM_CONFIG": str(paths["environment"])}
    assert load_config(paths["option"], environ).path == paths["option"]
    assert load_config(None, environ).path == paths["environment"]
    assert load_config(None, {}).path == paths["here"]


def test_config_that_is_nowhere_names_the_next_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        ConfigError, match=r"there is no configuration qgtm_config\.toml: start in the folder"
    ):
        find_config(None, {})
    (tmp_path / "odd.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="no UTF-8"):
        load_config(tmp_path / "odd.toml", {})


def test_state_folder_lies_beside_the_config(config: Config) -> None:
    assert config.state_dir({}).root == Path("/fund/var")
    assert config.state_dir({"QGTM_STATE_DIR": "/mnt/x"}).journal == Path("/mnt/x/journal.db")


@pytest.mark.parametrize(
    ("origin", "is_one"),
    [
        ("https://fund.example", True), ("https://Fund.Example:8443", True), ("https://localhost", True),
        ("https://xn--fnd-hoa.xn--p1ai", True), ("http://fund.example", False), ("https://10.0.0.1", False),
        ("https://fünd.example", False), ("https://fund.example:99999", False), ("https://[::1]", False),
        ("https://fund .example", False), ("https://", False), ("https://fund.example/", False),
        ("https://a..b", False),
    ],
)  # fmt: skip
def test_origin_is_an_https_address_of_a_name_as_a_browser_says_it(origin: str, is_one: bool) -> None:
    assert is_origin(origin) is is_one
    if is_one:  # and whatever is taken gives a site
        assert site_of(origin, 8700).origins == (origin.lower(),)
    assert site_of("https://fund.example:443", 8700) == site_of("https://fund.example", 8700)
