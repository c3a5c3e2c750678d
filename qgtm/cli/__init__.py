"""The command line: a table of verbs, each a module of its own that is imported only when it is called.

A verb is a file `qgtm/cli/VERB.py` with `command`: a function with typer's annotations, or a Typer of
its own when it has verbs below it. A verb whose file is not there is not shown.
"""

import difflib
import errno
import json
import os
import sys
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from io import TextIOWrapper
from pathlib import Path
from typing import Any, Final, NoReturn, TextIO

from qgtm import __version__
from qgtm.adapters.files import because
from qgtm.adapters.leash import take_leash
from qgtm.core.errors import ConfigError, QgtmError

GROUPS: Final[dict[str, dict[str, str]]] = {
    "Start here": {
        "up": "start everything on the embedded paper exchange, and stop it with Ctrl-C",
        "status": "say how the fund is doing, in one box",
        "replay": "trade recorded prices from end to end, and print what came of it",
        "simulate": "live through invented days of faults, and check what must hold",
    },
    "Look": {
        "signals": "list what the strategies want",
        "strategies": "list the strategies, loaded or not",
        "data": "show what was known when, how fresh it is, and what is wrong with it",
        "audit": "check the journal's chain, and read what stands in it",
        "report": "make the Sunday report",
        "incident": "make the report of a halt that closed everything",
        "sweep": "back-test a strategy over a grid of its parameters, and draw the map",
        "evidence": "judge what each strategy's record is worth, and whether it passes its gates",
        "parity": "compare what the daemon decides bar by bar with what the notebooks say at once",
        "leaks": "show that look-ahead would be found, on thirty planted leaks",
    },
    "Build": {
        "new": "begin a strategy from the template",
        "diff": "show what an edit of a notebook changes in its strategy's targets",
        "test": "test the working copy of a strategy: look-ahead, bar by bar, neutrality, a run",
    },
    "Change": {
        "export": "print the notebooks into modules, or compare both",
        "deploy": "put the present prints to work",
        "killswitch": "see how it stands, halt, flatten, override, or ask to trade again",
        "reconcile": "show where both books differ, or accept a difference",
        "ack": "clear what stops trading, with a reason",
        "limits": "show the limits, or change them: tighter at once, looser with both",
        "order": "send one share far below the market, as a test, and cancel it",
        "operators": "enroll, list and revoke the two operators' keys",
        "backup": "copy the fund's record while it runs",
        "restore": "check a backup, or put it back",
    },
    "Processes that `qgtm up` starts for you": {
        "exchange": "serve the paper exchange, which speaks Alpaca's protocol",
        "daemon": "run the live loop",
        "watchdog": "watch the daemon, and close everything when it falls silent",
        "serve": "serve the phone page and the API",
        "scheduler": "run reports and digests at their times",
        "feeds": "fetch what is known beside the bars, when it is published",
    },
}
VALUES: Final[dict[object, str]] = {int: "NUMBER", float: "NUMBER", Path: "PATH", datetime: "2026-01-05"}
OUT_OF_ROOM: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
VERBS: Final = {verb: said for group in GROUPS.values() for verb, said in group.items()}


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the verb that the arguments name; exit 0 when done, 1 when refused, 2 when not understood."""
    take_leash(os.environ)
    _take_any_terminal()
    verb, *rest = list(sys.argv[1:] if arguments is None else arguments) or ["--help"]
    if verb in ("--help", "-h", "help"):
        sys.stdout.write(overview())
        sys.exit(0)
    if verb == "--version":
        sys.stdout.write(f"qgtm {__version__}\n")
        sys.exit(0)
    if not is_there(verb):
        sys.stderr.write(_not_understood(verb))
        sys.exit(2)
    try:
        _run(verb, rest)
        sys.stdout.flush()
    except QgtmError as problem:
        refuse(problem, is_json="--json" in rest)
    except OSError as problem:
        _not_written(problem)
    sys.exit(0)


def _not_written(problem: OSError) -> NoReturn:
    # A sentence where there is no room for what is said; none where nobody reads it.
    if problem.errno not in (*OUT_OF_ROOM, errno.EPIPE):
        raise problem
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # or Python tries once more at its end, and complains
    if problem.errno == errno.EPIPE:
        sys.exit(1)
    refuse(ConfigError(because(problem, Path(problem.filename or "the output"))), is_json=False)


def _take_any_terminal() -> None:
    # Closed streams take what is said all the same, and a letter that a terminal lacks becomes a `?`.
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115, PTH123  to the end
        elif isinstance(stream := getattr(sys, name), TextIOWrapper):
            stream.reconfigure(errors="replace")


def is_there(verb: str) -> bool:
    """Return whether `verb` is a verb whose module is there; imports nothing of it."""
    return verb in VERBS and find_spec(f"{__name__}.{verb}") is not None


def overview() -> str:
    """Return the verbs with one line each, for somebody who is new here."""
    lines = [
        "qgtm runs a systematic gold and silver fund for two people.",
        "",
        "Usage: qgtm VERB [OPTIONS]",
        "",
    ]
    for title, group in GROUPS.items():
        verbs = [verb for verb in group if is_there(verb)]
        if verbs:
            lines += [f"{title}:", *(f"  {verb:<12}{group[verb]}" for verb in verbs), ""]
    lines += [
        "`qgtm VERB --help` says what a verb takes. Most take --json, and --config PATH (else",
        "QGTM_CONFIG, else ./qgtm_config.toml). Nothing here trades real money unless three keys say so.",
        "",
    ]
    return "\n".join(lines)


def refuse(problem: QgtmError, *, is_json: bool) -> NoReturn:
    """Say what is wrong, in red on stderr or as JSON on stdout, and exit 1."""
    if is_json:
        kind = type(problem).__name__
        sys.stdout.write(json.dumps({"error": str(problem), "kind": kind}, ensure_ascii=False) + "\n")
    else:
        sys.stderr.write(_red(str(problem), sys.stderr) + "\n")
    sys.exit(1)


def _run(verb: str, arguments: list[str]) -> None:
    import typer  # takes a third of a second with its parts: not for `qgtm --help`

    command: Any = import_module(f"{__name__}.{verb}").command
    if not isinstance(command, typer.Typer):
        app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
        app.command(help=_flowing(command.__doc__ or ""))(command)
        command = app
    try:
        _readable(typer.main.get_command(command))(args=arguments, prog_name=f"qgtm {verb}")
    except SystemExit as end:
        if end.code:
            raise


def _flowing(text: str) -> str:
    """Return the paragraphs without their line breaks, which a narrow terminal sets itself."""
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in text.split("\n\n"))


def _readable(command: Any) -> Any:
    """Let the help say NUMBER for `<int range>`, and show switches bare: `--json <bool>` takes no value."""
    for each in (command, *getattr(command, "commands", {}).values()):
        for option in each.params:
            if getattr(option, "is_flag", False):
                option.metavar = ""
            elif option.metavar is None and option.param_type_name == "option":
                option.metavar = VALUES.get(option.type_descriptor.annotation, "TEXT")
        each.context_settings.setdefault("help_option_names", ["--help", "-h"])
        each.get_help_option = partial(_bare, each.get_help_option)
    return command


def _bare(made: Callable[[Any], Any], context: Any) -> Any:
    option = made(context)
    if option is not None:
        option.metavar = ""
    return option


def _not_understood(verb: str) -> str:
    near = difflib.get_close_matches(verb, [each for each in VERBS if is_there(each)], n=1)
    cure = f"did you mean `qgtm {near[0]}`?" if near else "`qgtm --help` lists the verbs."
    return f"qgtm knows no verb {verb!r}: {cure}\n"


def _red(text: str, stream: TextIO) -> str:
    is_plain = not stream.isatty() or "NO_COLOR" in os.environ
    return text if is_plain else f"\x1b[31m{text}\x1b[0m"
