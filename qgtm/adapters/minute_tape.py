"""How a session's minutes come: the newest of each symbol, and what the exchange has halted, as a file.

Whoever listens writes it; freshness and the daemon read it. Times are the venue's.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from qgtm.adapters.files import explained, unread, write_atomic
from qgtm.adapters.publication import minute_fresh_until
from qgtm.core.errors import ConfigError
from qgtm.core.instant import NEW_YORK, instant_from_text, text_from_instant

TAPE: Final = "minutes.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Halted:
    """A symbol that the exchange does not let trade, since when, and why in the tape's own words."""

    since: datetime
    reason: str

    def text(self, symbol: str) -> str:
        """Return it as a sentence."""
        why = f" ({self.reason})" if self.reason else ""
        at = self.since.astimezone(NEW_YORK)
        return (
            f"The exchange has halted {symbol} since {at:%H:%M} New York on {at:%d %b}{why}: its orders wait."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class MinuteTape:
    """What was heard: `ended` is the end of each symbol's newest minute, `since` when listening began.

    `grace` is how much venue time may pass on the way here, which is more where the venue runs fast.
    `problem` says why nothing comes, empty while it does.
    """

    since: datetime
    grace: timedelta
    ended: Mapping[str, datetime] = field(default_factory=dict)
    halted: Mapping[str, Halted] = field(default_factory=dict)
    problem: str = ""

    def due_at(self, symbol: str) -> datetime:
        """Return until when the newest minute is fresh; before the first one, the silence is judged."""
        return minute_fresh_until(self.ended.get(symbol, self.since)) + self.grace


def save_tape(path: Path, tape: MinuteTape) -> None:
    """Write it whole. Raises ConfigError."""
    body = {
        "since": text_from_instant(tape.since),
        "grace_s": tape.grace.total_seconds(),
        "ended": {symbol: text_from_instant(at) for symbol, at in tape.ended.items()},
        "halted": {
            symbol: {"since": text_from_instant(each.since), "reason": each.reason}
            for symbol, each in tape.halted.items()
        },
        "problem": tape.problem,
    }
    with explained(path, ConfigError):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, (json.dumps(body, indent=1) + "\n").encode(), is_durable=False)


def load_tape(path: Path) -> MinuteTape | None:
    """Return what was heard, None where nobody listens. Raises ConfigError when it cannot be read."""
    try:
        return _tape_from(json.loads(path.read_text("utf-8")))
    except FileNotFoundError:
        return None
    except OSError as problem:
        raise ConfigError(f"the minutes' file {unread(problem, path)}") from None
    except (ValueError, KeyError, TypeError, AttributeError) as problem:
        raise ConfigError(f"{path} cannot be read ({problem!r}). Move it away; it is written anew.") from None


def _tape_from(body: Mapping[str, Any]) -> MinuteTape:
    return MinuteTape(
        since=instant_from_text(body["since"]),
        grace=timedelta(seconds=float(body["grace_s"])),
        ended={symbol: instant_from_text(at) for symbol, at in body["ended"].items()},
        halted={
            symbol: Halted(since=instant_from_text(each["since"]), reason=str(each["reason"]))
            for symbol, each in body["halted"].items()
        },
        problem=str(body["problem"]),
    )
