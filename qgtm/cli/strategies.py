"""`qgtm strategies`: every printed strategy, loaded or not."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from qgtm.adapters.card_file import verdicts
from qgtm.adapters.manifest import load_manifest
from qgtm.cli.options import AsJson, By, ConfigPath, Reason, configured, need_reason, say, say_json
from qgtm.cli.report import reports_of
from qgtm.cli.wish import give, tell
from qgtm.config import Config
from qgtm.core.commands import EnableStrategy
from qgtm.core.gate import Standing, Verdict, by_words
from qgtm.core.instant import text_from_instant
from qgtm.reporting.make import ROOT
from qgtm.strategies import BY_NAME
from qgtm.views.summary import Daemon
from qgtm.web.lookout import Look, Lookout

Enable = Annotated[
    str | None, typer.Option("--enable", help="Let this one, which failed and was disabled, try again.")
]


def command(
    enable: Enable = None,
    reason: Reason = "",
    by: By = "OpA",
    config: ConfigPath = None,
    as_json: AsJson = False,
) -> None:
    """List the strategies: what they are, whether they run, and when each last changed its mind."""
    loaded, state_dir = configured(config)
    if enable is not None:
        need_reason(reason)
        given = give(EnableStrategy(strategy=enable, reason=reason, by=by), by, state_dir)
        tell(given, state_dir, f"{enable} tries again after the next close.", as_json=as_json)
        return
    lookout = Lookout(state_dir, loaded.limits)
    look = lookout.look()
    lookout.close()
    proven = verdicts(reports_of(loaded), load_manifest(ROOT / "qgtm"), BY_NAME)
    rows = fields(look, loaded, proven)
    if as_json:
        say_json(rows)
        return
    _print(rows)
    if look.summary.problem or look.summary.next_step:
        say(look.summary.problem or look.summary.next_step or "")


def fields(look: Look, config: Config, proven: Mapping[str, Verdict]) -> list[dict[str, Any]]:
    """Return a row for each strategy; `loaded` is None before the first boot, when nobody can know.

    `proven` holds what the gates say of each card that lies there now; a daemon reads them when it starts.

    `state` is running, unknown (the daemon gives no sign of life), disabled (it failed and was switched off),
    waiting (for the daemon's next start) or off.
    """
    chronicle, booted = look.chronicle, look.chronicle.booted
    rows = []
    for name, strategy in BY_NAME.items():
        last_at = chronicle.signals.last_at.get(name)
        rows.append(
            {
                "name": name,
                "category": strategy.module.CATEGORY,
                "state": _state(name, look, config),
                "loaded": None if booted is None else name in booted.strategies,
                "feeds": list(strategy.module.FEEDS),
                "last_signal_at": None if last_at is None else text_from_instant(last_at),
                "evidence": _evidence(name, look, proven[name]),
            }
        )
    return rows


def _state(name: str, look: Look, config: Config) -> str:
    chronicle = look.chronicle
    if name in chronicle.state.disabled:
        return "disabled"
    if chronicle.booted is not None and name in chronicle.booted.strategies:
        return "waiting" if look.summary.daemon is Daemon.STOPPED else look.summary.daemon.value
    return "waiting" if name in config.strategies.enabled else "off"


def _evidence(name: str, look: Look, verdict: Verdict) -> str:
    booted = look.chronicle.booted
    if booted is None or name not in booted.strategies:
        return verdict.words
    is_same = (name in booted.shadows) == (verdict.standing is Standing.SHADOW)
    return verdict.words if is_same else f"{verdict.words} (for the daemon from its next start on)"


def _print(rows: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    drawn = Table(box=None, pad_edge=False)
    for title in ("strategy", "category", "state", "loaded", "feeds", "last signal (UTC)"):
        drawn.add_column(title, overflow="fold")
    words = {None: "unknown", True: "yes", False: "no"}
    for row in rows:
        last = row["last_signal_at"]
        drawn.add_row(
            row["name"],
            row["category"],
            row["state"],
            words[row["loaded"]],
            ", ".join(row["feeds"]),
            last[:16].replace("T", " ") if last else "none yet",
        )
    Console(highlight=False).print(drawn)
    say(*by_words({row["name"]: row["evidence"] for row in rows}))
