"""Where the watchdog stands: what it needs of the configuration, and its keys. Read with its own hands.

Its broker session signs in with APCA_WATCHDOG_KEY_ID and APCA_WATCHDOG_SECRET_KEY where they are set, else
with the daemon's keys. Without any keys of the daemon's the broker is the embedded exchange.
"""

import os
import stat
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from qgtm.core.errors import ConfigError
from qgtm.watchdog.setting import ALERTS_S, FLATTEN_S, Settings, short

DAEMONS: Final = ("APCA_API_KEY_ID", "APCA_API_SECRET_KEY")
OWN: Final = ("APCA_WATCHDOG_KEY_ID", "APCA_WATCHDOG_SECRET_KEY")
CONSENT: Final = "QGTM_I_TRADE_REAL_MONEY"
SHORT_S: Final = 120.0  # below this it is the embedded exchange's dead man
# With a real broker a crash must have the time to be mended: nobody is to lose the book for a short fall.
LEAST_ALERT_S: Final = 60.0
LEAST_FLATTEN_S: Final = 300.0
MOST_FLATTEN_S: Final = 900.0


@dataclass(frozen=True, slots=True)
class Keys:
    """A key pair; neither half is ever shown."""

    key_id: str = field(repr=False)
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The state folder, the broker's address and keys, the limits, and who is told."""

    state: Path
    url: str
    keys: Keys
    is_embedded: bool
    settings: Settings
    smtp_url: str = field(default="", repr=False)
    push_urls: tuple[str, ...] = field(default=(), repr=False)

    @property
    def is_short(self) -> bool:
        """Return whether the dead man counts in seconds, as it does where the exchange runs fast."""
        return self.settings.flatten_s < SHORT_S


def place_from(config: Path | None, environ: Mapping[str, str], dead_man: str = "") -> Place:
    """Return where the watchdog stands; raise ConfigError with the next step.

    `dead_man` is `7,13,20`: the alerts and the flatten in seconds, for an embedded exchange that runs fast.
    """
    path = config or Path(environ.get("QGTM_CONFIG") or "qgtm_config.toml")
    table = _table(path)
    texts = {**_env_file(path.absolute().parent / ".env"), **environ}
    is_embedded = not texts.get(DAEMONS[0])
    settings = _settings(table, dead_man, is_embedded=is_embedded)
    return Place(
        state=path.absolute().parent
        / Path(texts.get("QGTM_STATE_DIR") or _get(table, "fund", "state_dir", "var")).expanduser(),
        url=_url(table, texts, is_embedded=is_embedded),
        keys=_keys(texts, is_embedded=is_embedded),
        is_embedded=is_embedded,
        settings=settings,
        smtp_url=texts.get("QGTM_SMTP_URL", ""),
        push_urls=tuple(texts.get("QGTM_WATCHDOG_PUSH_URLS", "").split()),
    )


def _table(path: Path) -> Mapping[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except OSError as problem:
        cure = "name the file with --config or QGTM_CONFIG"
        raise ConfigError(f"{path} cannot be read: {problem.strerror}. Next: {cure}.") from problem
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as problem:
        raise ConfigError(f"{path} is no TOML: {problem}. `qgtm status` names every problem.") from problem


def _get(table: Mapping[str, Any], section: str, key: str, otherwise: Any = None) -> Any:
    part = table.get(section, {})
    found = part.get(key, otherwise) if isinstance(part, Mapping) else None
    if found is None:
        raise ConfigError(f"{section}.{key} is missing from the configuration: the watchdog needs it.")
    return found


# --- limits -------------------------------------------------------------------------------------


def _settings(table: Mapping[str, Any], dead_man: str, *, is_embedded: bool) -> Settings:
    if dead_man and not is_embedded:
        raise ConfigError("--dead-man is for the embedded exchange: a real broker has [watchdog] alone.")
    alerts_s = _get(table, "watchdog", "alerts_s", list(ALERTS_S))
    flatten_s = _get(table, "watchdog", "flatten_s", FLATTEN_S)
    *early, last = _seconds(dead_man.split(",")) if dead_man else _seconds([*alerts_s, flatten_s])
    if sorted({*early, last}) != [*early, last] or not 2 <= last <= MOST_FLATTEN_S:
        raise ConfigError(
            f"the dead man's seconds are {early} and {last}: they must rise, and the last be from 2 to "
            f"{MOST_FLATTEN_S:.0f}; change [watchdog]."
        )
    if not is_embedded and (last < LEAST_FLATTEN_S or min(early, default=last) < LEAST_ALERT_S):
        raise ConfigError(
            f"watchdog.flatten_s is {last:g}: with a real broker it is {LEAST_FLATTEN_S:.0f} s at least, and "
            f"alerts come after {LEAST_ALERT_S:.0f} s at the earliest; change [watchdog]."
        )
    number = _get(table, "broker", "account_number", "")
    settings = Settings(alerts_s=tuple(early), flatten_s=last, account_number="" if is_embedded else number)
    return short(settings) if last < SHORT_S else settings


def _seconds(words: list[Any]) -> list[float]:
    try:
        return [float(word) for word in words]
    except (TypeError, ValueError) as problem:
        raise ConfigError(
            f"{words} are no seconds: write watchdog.alerts_s = [300, 600] and watchdog.flatten_s = 900."
        ) from problem


# --- broker -------------------------------------------------------------------------------------


def _url(table: Mapping[str, Any], texts: Mapping[str, str], *, is_embedded: bool) -> str:
    if is_embedded:
        return f"http://127.0.0.1:{int(_get(table, 'exchange', 'port', 8701))}"
    mode = _get(table, "fund", "mode")
    _refuse_half_live(str(mode), texts)
    url = str(_get(table, "broker", "live_url" if mode == "live" else "paper_url"))
    is_here = url.startswith(("http://127.0.0.1", "http://localhost"))
    if not (url.startswith("https://") or is_here):
        raise ConfigError("the broker's address would carry the keys in the clear; write it as https://host.")
    return url.rstrip("/").removesuffix("/v2")


def _refuse_half_live(mode: str, texts: Mapping[str, str]) -> None:
    """Real money takes three keys here as well: a stray folder must not close somebody's own account."""
    ids = [texts[name] for name in (OWN[0], DAEMONS[0]) if texts.get(name)]
    if mode != "live" and any(each.startswith("AK") for each in ids):
        raise ConfigError(
            'these are live keys and fund.mode is "paper": use paper keys (they begin with PK).'
        )
    if mode == "live" and any(each.startswith("PK") for each in ids):
        raise ConfigError(
            'fund.mode is "live" and these are paper keys: set live ones, or fund.mode = "paper".'
        )
    if mode == "live" and texts.get(CONSENT) != "yes":
        raise ConfigError(f'fund.mode is "live": set {CONSENT}=yes, or fund.mode = "paper".')


def _keys(texts: Mapping[str, str], *, is_embedded: bool) -> Keys:
    if is_embedded:
        return Keys("PKWATCHDOG", "embedded")
    names = OWN if any(texts.get(name) for name in OWN) else DAEMONS
    lacking = [name for name in names if not texts.get(name)]
    if lacking:
        raise ConfigError(f"{lacking[0]} is not set and its other half is: set both.")
    return Keys(texts[names[0]], texts[names[1]])


def _env_file(path: Path) -> dict[str, str]:
    try:
        status = path.stat()
        if stat.S_IMODE(status.st_mode) & 0o077:
            raise ConfigError(f"{path} holds keys and others can read it: run `chmod 600 {path}`.")
        if status.st_uid != os.getuid():
            raise ConfigError(
                f"{path} holds keys and belongs to another user: run `sudo chown $USER {path}`."
            )
        return dict(_pairs(path.read_text("utf-8")))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as problem:
        raise ConfigError(
            f"{path} cannot be read ({type(problem).__name__}): give this user the right to."
        ) from None


def _pairs(text: str) -> list[tuple[str, str]]:
    lines = [line.strip().removeprefix("export ") for line in text.splitlines()]
    cut = [line.partition("=") for line in lines if "=" in line and not line.startswith("#")]
    return [(name.strip(), value.strip().strip("'\"")) for name, _, value in cut]
