"""What many verbs take, said once."""

import json
import os
import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from qgtm.adapters.clock import SystemClock, boot_id
from qgtm.adapters.files import StateDir
from qgtm.adapters.heartbeat import load_heartbeat
from qgtm.config import Config, load_config
from qgtm.core.errors import ConfigError

ConfigPath = Annotated[
    Path | None,
    typer.Option(
        "--config", help="The configuration; else QGTM_CONFIG, else ./qgtm_config.toml.", metavar="PATH"
    ),
]
Bars = Annotated[
    Path | None,
    typer.Option("--bars", help="A folder of daily bars, one CSV or Parquet file a symbol.", metavar="DIR"),
]
Reason = Annotated[str, typer.Option("--reason", help="Why, in your words; it is written down.")]
By = Annotated[str, typer.Option("--by", help="Who you are.")]
Day = datetime | None
FRESH_S = 10.0
AsJson = Annotated[bool, typer.Option("--json", help="Answer in JSON.")]


def configured(path: Path | None) -> tuple[Config, StateDir]:
    """Return the configuration and its state folder. Raises ConfigError with the next step."""
    config = load_config(path, os.environ)
    return config, config.state_dir(os.environ)


def need_reason(reason: str) -> None:
    """Raise ConfigError when nobody says why."""
    if not reason.strip():
        raise ConfigError("--reason is empty: say why, it is what the journal keeps.")


def say(*lines: str) -> None:
    """Write lines to stdout."""
    sys.stdout.write("".join(f"{line}\n" for line in lines))


def is_running(state: StateDir) -> bool:
    """Return whether a daemon gives signs of life now."""
    beat = load_heartbeat(state.heartbeat)
    age_s = None if beat is None else beat.age_s(SystemClock().monotonic(), boot_id())
    return age_s is not None and age_s < FRESH_S


def when_taken(state: StateDir) -> str:
    """Return who takes a command from the inbox, and when: nobody, as long as no daemon runs."""
    if is_running(state):
        return "The daemon takes it within a second. See `qgtm status`."
    return "NO DAEMON RUNS NOW: one takes it when it starts (`qgtm up`). Until then nothing has changed."


def say_json(value: Any) -> None:
    """Write a value to stdout as JSON; Decimal and moments as text."""
    say(json.dumps(value, indent=2, ensure_ascii=False, default=str))
