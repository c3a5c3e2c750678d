"""`qgtm test`: hold a notebook's strategy against all that the daily loop asks of one."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from qgtm.cli.options import AsJson, Bars, say, say_json
from qgtm.research.examination import Check
from qgtm.workbench.trying import tried
from qgtm.workbench.working import working_copy

Name = Annotated[str, typer.Argument(help="Which strategy: the name of its notebook.", metavar="NAME")]


def command(name: Name, bars: Bars = None, as_json: AsJson = False) -> None:
    """Test the working copy: no look-ahead, live as all at once, neutral as claimed, and that it runs.

    What is tested is the notebook as it would be printed now; nothing is written. Exits with 1 when a check
    fails.
    """
    working = working_copy(Path.cwd(), name)
    checks: list[Check] = []
    for check in tried(working, bars):
        checks.append(check)
        if not as_json:
            say(*_lines(check))
    failed = [check.name for check in checks if not check.is_ok]
    if as_json:
        told = [asdict(check) for check in checks]
        say_json({"strategy": name, "is_ok": not failed, "is_printed": working.is_printed, "checks": told})
    else:
        say("", _summary(name, len(checks), len(failed), working.is_printed))
    if failed:
        raise typer.Exit(1)


def _lines(check: Check) -> tuple[str, ...]:
    line = f"{'ok' if check.is_ok else 'FAILED':<8}{check.name:<14}{check.found}"
    return (line,) if check.is_ok else (line, f"{'':<22}{check.cure}")


def _summary(name: str, checks: int, failed: int, is_printed: bool) -> str:
    if failed:
        return f"{failed} of {checks} checks failed."
    if is_printed:
        return f"All {checks} checks passed; the print is what the notebook says."
    return f"All {checks} checks passed. `qgtm diff {name}` shows what an export would change."
