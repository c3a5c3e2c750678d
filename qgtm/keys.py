"""Keys: from the environment, or from a file `.env` beside the config that nobody else can read."""

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from qgtm.adapters.channel import NAMES as CHANNELS
from qgtm.adapters.files import unread
from qgtm.config import Config
from qgtm.core.errors import ConfigError

NAMES: Final = (
    "APCA_API_KEY_ID",
    "APCA_API_SECRET_KEY",
    "FRED_API_KEY",
    "REDDIT_CLIENT_ID",
    "REDDIT_CLIENT_SECRET",
    *CHANNELS,
)
CONSENT: Final = "QGTM_I_TRADE_REAL_MONEY"
Venue = Literal["embedded", "paper", "live"]


class Secret:
    """A text that prints as stars: only `reveal` gives it away."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the text itself, for the one call that needs it."""
        return self._text

    def __repr__(self) -> str:
        return "Secret(***)"

    def __str__(self) -> str:
        return "***"


@dataclass(frozen=True, slots=True)
class BrokerKeys:
    """What signs us in at the broker."""

    key_id: Secret
    secret: Secret


@dataclass(frozen=True, slots=True)
class Keys:
    """Every key that was found, by its name in the environment."""

    found: Mapping[str, Secret]

    @property
    def broker(self) -> BrokerKeys | None:
        """Return the broker's keys, None when none are set and the embedded exchange takes its place."""
        if "APCA_API_KEY_ID" not in self.found:
            return None
        return BrokerKeys(self.found["APCA_API_KEY_ID"], self.found["APCA_API_SECRET_KEY"])


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where alpaca-py's clients are pointed (alpaca.md 2.1): REST without path, streams with theirs."""

    trading_url: str
    trading_stream_url: str
    data_url: str
    data_stream_url: str


def load_keys(config_path: Path, environ: Mapping[str, str]) -> Keys:
    """Return the keys of the environment, else of `.env` beside the config.

    Raises ConfigError when others can read the file, or when half of the broker's pair is missing.
    """
    texts = {**_env_file(config_path.absolute().parent / ".env"), **environ}
    found = {name: Secret(texts[name]) for name in NAMES if texts.get(name)}
    pair = [name for name in NAMES[:2] if name in found]
    if len(pair) == 1:
        other = NAMES[1] if pair[0] == NAMES[0] else NAMES[0]
        raise ConfigError(
            f"{pair[0]} is set and {other} is not: set both, or neither for the embedded exchange."
        )
    return Keys(found)


def _env_file(path: Path) -> dict[str, str]:
    try:
        status = path.stat()
    except FileNotFoundError:
        return {}
    if stat.S_IMODE(status.st_mode) & 0o077:
        raise ConfigError(f"{path} holds keys and others can read it: run `chmod 600 {path}`.")
    if status.st_uid != os.getuid():
        raise ConfigError(f"{path} holds keys and belongs to another user: run `sudo chown $USER {path}`.")
    try:
        return dict(_pairs(path.read_text("utf-8")))
    except OSError as problem:
        raise ConfigError(f"the file of keys {unread(problem, path)}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path} is no text: write a line NAME=value for each key.") from None


def _pairs(text: str) -> list[tuple[str, str]]:
    lines = [line.strip().removeprefix("export ") for line in text.splitlines()]
    cut = [line.partition("=") for line in lines if "=" in line and not line.startswith("#")]
    return [(name.strip(), value.strip().strip("'\"")) for name, _, value in cut]


def venue(config: Config, keys: Keys, environ: Mapping[str, str]) -> Venue:
    """Return where orders go: the embedded exchange without keys, else the broker's paper or live side.

    Real money takes three keys: the mode, live keys and the consent. Raises ConfigError for anything
    half way, and for live keys where paper is meant.
    """
    key_id = keys.broker.key_id.reveal() if keys.broker else ""
    if config.fund.mode == "live":
        return _live(key_id, environ)
    if key_id.startswith("AK"):
        raise ConfigError(
            'these are live keys and fund.mode is "paper": use paper keys (they begin with PK), '
            "so that no real money can move."
        )
    return "paper" if key_id else "embedded"


def _live(key_id: str, environ: Mapping[str, str]) -> Venue:
    if not key_id:
        raise ConfigError(
            'fund.mode is "live" and there are no keys: set APCA_API_KEY_ID and APCA_API_SECRET_KEY.'
        )
    if key_id.startswith("PK"):
        raise ConfigError(
            'fund.mode is "live" and these are paper keys: set live ones, or fund.mode = "paper".'
        )
    if environ.get(CONSENT) != "yes":
        raise ConfigError(
            f'fund.mode is "live": set {CONSENT}=yes to trade real money, or fund.mode = "paper".'
        )
    return "live"


def endpoints(config: Config, where: Venue) -> Endpoints:
    """Return the addresses of `where`; the embedded exchange serves all four on one port."""
    if where == "embedded":
        host = f"127.0.0.1:{config.exchange.port}"
        trading, data, stream = f"http://{host}", f"http://{host}", f"ws://{host}"
    else:
        trading = config.broker.live_url if where == "live" else config.broker.paper_url
        data, stream = config.broker.data_url, config.broker.data_stream_url
    trading = trading.rstrip("/")  # a trailing slash breaks every call
    return Endpoints(
        trading_url=trading,
        trading_stream_url=f"ws{trading.removeprefix('http')}/stream",
        data_url=data.rstrip("/"),
        data_stream_url=f"{stream.rstrip('/')}/v2/{config.broker.feed}",
    )
