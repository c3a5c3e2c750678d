"""The configuration: one TOML file, read into frozen dataclasses or refused with a sentence a problem."""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import time
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

from qgtm.adapters.feed_setting import (
    COT,
    FRED,
    OPTIONS,
    SENTIMENT,
    CotSetting,
    FredSetting,
    OptionsSetting,
    SentimentSetting,
)
from qgtm.adapters.files import StateDir, state_dir, unread
from qgtm.core.codec import canonical
from qgtm.core.errors import ConfigError
from qgtm.core.request import Person
from qgtm.core.universe import REFERENCE, TRADED
from qgtm.risk.limits import Limits, limits_from
from qgtm.section import between, built, find_problems, find_strangers, words

FILE_NAME: Final = "qgtm_config.toml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fund:
    """Whose money, how much of it, and where the state lies."""

    mode: Annotated[str, words("paper", "live")]
    starting_cash_usd: Annotated[Decimal, between(1, 1_000_000_000)]
    state_dir: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerSection:
    """Where the broker is and which account is ours; an empty `account_number` pins none."""

    paper_url: str
    live_url: str
    data_url: str
    data_stream_url: str
    feed: Annotated[str, words("iex", "sip")]
    account_number: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Universe:
    """What may be traded and what is only read; neither may pass the closed lists of `core.universe`."""

    traded: Annotated[tuple[str, ...], words(*TRADED)]
    reference: Annotated[tuple[str, ...], words(*REFERENCE)]

    @property
    def symbols(self) -> tuple[str, ...]:
        """Return all that is fetched."""
        return self.traded + self.reference


@dataclass(frozen=True, slots=True, kw_only=True)
class Strategies:
    """Which strategies run, by name."""

    enabled: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Gates:
    """Whether a strategy must have proven itself before it trades."""

    enforce: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """New York's wall clock: the morning line on every session, the others on Sundays."""

    morning_et: time
    digest_et: time
    review_et: time
    weights_et: time


@dataclass(frozen=True, slots=True, kw_only=True)
class Daemon:
    """How often the loop does what it does by the clock."""

    snapshot_every_s: Annotated[int, between(1, 3600)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Watchdog:
    """After how many seconds without progress somebody is told, and everything is flattened."""

    alerts_s: Annotated[tuple[int, ...], between(1, 900)]
    flatten_s: Annotated[int, between(2, 900)]


@dataclass(frozen=True, slots=True, kw_only=True)
class OhlcvFeed:
    """The bars: what part of the volume they hold, and how many sessions are kept warm."""

    tape_share_frac: Decimal
    history_sessions: Annotated[int, between(252, 10_000)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Feeds:
    """The feeds, by name; only the bars' must be there."""

    ohlcv: OhlcvFeed
    cot: CotSetting = COT
    fred: FredSetting = FRED
    options_vol: OptionsSetting = OPTIONS
    sentiment: SentimentSetting = SENTIMENT


@dataclass(frozen=True, slots=True, kw_only=True)
class Web:
    """Where the pages listen, and under which https address OpB opens them, None for this machine alone."""

    host: str
    port: Annotated[int, between(1, 65535)]
    origin: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Operators:
    """Where mail reaches each operator; their keys and other channels are no matter of this file."""

    opa_mail: str | None = None
    opb_mail: str | None = None

    @property
    def mails(self) -> Mapping[Person, str]:
        """Return each person's mail address, where there is one."""
        both = {Person.OPA: self.opa_mail, Person.OPB: self.opb_mail}
        return {person: mail for person, mail in both.items() if mail}


NO_MAIL: Final = Operators()


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeSection:
    """The embedded paper exchange; `speed` is venue seconds a second."""

    port: Annotated[int, between(1, 65535)]
    market: Annotated[str, words("synthetic", "recorded")]
    seed: Annotated[int, between(0, 2**63 - 1)]
    speed: Annotated[Decimal, between(1, 100_000)]
    bars_dir: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sections:
    """All sections but the limits, which the printed module `risk.limits` reads."""

    fund: Fund
    broker: BrokerSection
    universe: Universe
    strategies: Strategies
    gates: Gates
    schedule: Schedule
    daemon: Daemon
    watchdog: Watchdog
    feeds: Feeds
    web: Web
    operators: Operators = NO_MAIL
    exchange: ExchangeSection


@dataclass(frozen=True, slots=True, kw_only=True)
class Config(Sections):
    """Everything that is configured; `sha` is of what it says, whatever its layout and comments."""

    limits: Limits
    path: Path
    sha: str

    def state_dir(self, environ: Mapping[str, str]) -> StateDir:
        """Return the state folder: QGTM_STATE_DIR, else the config's, else `var` beside the config file."""
        return state_dir(environ, self.path, self.fund.state_dir)


def load_config(chosen: Path | None, environ: Mapping[str, str]) -> Config:
    """Return the configuration of `chosen`, else of QGTM_CONFIG, else of qgtm_config.toml here.

    Raises ConfigError with one sentence a problem, each naming the next step.
    """
    path = find_config(chosen, environ)
    try:
        text = path.read_text("utf-8")
    except OSError as problem:
        raise ConfigError(f"the configuration {unread(problem, path)}") from problem
    except UnicodeDecodeError as problem:
        raise ConfigError(f"{path} is no UTF-8 text; save it as UTF-8: {problem}") from problem
    return config_from_text(text, path)


def find_config(chosen: Path | None, environ: Mapping[str, str]) -> Path:
    """Return the config file's path; raise ConfigError when there is none."""
    path = chosen or Path(environ.get("QGTM_CONFIG") or FILE_NAME)
    if not path.is_file():
        raise ConfigError(
            f"there is no configuration {path}: start in the folder that holds {FILE_NAME}, "
            "or name one with --config or QGTM_CONFIG."
        )
    return path.absolute()


def config_from_text(text: str, path: Path) -> Config:
    """Return what `text` configures; relative paths in it start at the folder of `path`.

    Raises ConfigError with one sentence a problem.
    """
    try:
        table = tomllib.loads(text, parse_float=Decimal)
    except (tomllib.TOMLDecodeError, ArithmeticError) as problem:
        raise ConfigError(f"{path} is no TOML: {problem}. Correct that line.") from problem
    problems = list(_problems(table))
    limits = _limits(table, problems)
    if problems or limits is None:
        raise ConfigError("\n".join([f"{path} cannot be used:", *problems]))
    sections = built(Sections, {key: value for key, value in table.items() if key != "limits"})
    each = {name: getattr(sections, name) for name in Sections.__dataclass_fields__}
    return Config(**each, limits=limits, path=path, sha=config_sha(table))


def config_sha(table: Mapping[str, Any]) -> str:
    """Return the sha256 in hex of what a configuration says."""
    return sha256(canonical(_without_times(table)).encode()).hexdigest()


def _without_times(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_times(item) for key, item in value.items()}
    return value.isoformat() if isinstance(value, time) else value


def _limits(table: Mapping[str, Any], problems: list[str]) -> Limits | None:
    limits = table.get("limits")
    if not isinstance(limits, Mapping):
        problems.append("limits is missing, and a limit has no default: write the section [limits].")
        return None
    try:
        return limits_from(limits)
    except ConfigError as problem:
        problems.append(str(problem))
        return None


def _problems(table: Mapping[str, Any]) -> Iterator[str]:
    known = {**Sections.__dataclass_fields__, "limits": None}
    yield from find_strangers(table, known)
    sections = {key: value for key, value in table.items() if key in Sections.__dataclass_fields__}
    found = list(find_problems(Sections, sections, ""))
    yield from found
    if not found:
        yield from _contradictions(built(Sections, sections))


def _contradictions(config: Sections) -> Iterator[str]:
    flatten_s = config.watchdog.flatten_s
    if late := [alert_s for alert_s in config.watchdog.alerts_s if alert_s >= flatten_s]:
        yield f"watchdog.alerts_s: {late[0]} must be below watchdog.flatten_s, which is {flatten_s}."
    if config.exchange.market == "recorded" and not config.exchange.bars_dir:
        yield 'exchange.market is "recorded": name the folder of bars in exchange.bars_dir.'
    if config.web.port == config.exchange.port:
        yield f"web.port and exchange.port are both {config.web.port}: give one of them another."
    if config.web.origin and not is_origin(config.web.origin):
        yield f'web.origin is {config.web.origin!r}: write the address that OpB opens, such as "https://fund.example".'
    if config.feeds.sentiment.enabled and not config.feeds.sentiment.subs:
        yield "feeds.sentiment.subs is empty: name the subs to read, or set feeds.sentiment.enabled = false."
    if config.fund.mode == "live" and not config.gates.enforce:
        yield 'gates.enforce must be true with fund.mode = "live": only proven strategies trade real money.'
    if config.fund.mode == "live" and not config.broker.account_number:
        yield 'broker.account_number must pin the account with fund.mode = "live": write its number.'


def is_origin(text: str) -> bool:
    """Return whether `text` is an https address of a name; no passkey is bound to a number."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return False
    is_bare = not (parts.path or parts.query or parts.fragment or parts.username) and port != 0
    labels = (parts.hostname or "").split(".")
    # A browser says a name in ASCII letters: one with others in the form that begins with "xn--".
    is_name = all(label.isascii() and label.replace("-", "").isalnum() for label in labels)
    return parts.scheme == "https" and is_bare and is_name and not labels[-1].isdigit()
