"""`qgtm export`: print the notebooks into modules, or compare them with what is printed."""

import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from qgtm.adapters.manifest import Difference
from qgtm.core.errors import ExportError
from qgtm.export.press import Plan, Written, find_differences, find_root, plan_export, write_plan

Names = Annotated[
    list[str] | None,
    typer.Argument(metavar="[NAME]...", help="Notebooks such as returns or features/returns; all when none."),
]
Check = Annotated[bool, typer.Option("--check", help="Write nothing; name every difference, exit 1 if any.")]
Json = Annotated[bool, typer.Option("--json", help="Answer in JSON.")]


def command(names: Names = None, check: Check = False, as_json: Json = False) -> None:
    """Print notebooks into modules of qgtm, all or none, and record it in MANIFEST.json."""
    try:
        root = find_root(Path.cwd())
        plan = plan_export(root, names or ())
        differences = find_differences(root, plan) if check and not plan.refusals else ()
        written = None if check or plan.refusals else write_plan(root, plan)
    except ExportError as error:
        _say([json.dumps({"error": str(error)}) if as_json else str(error)], is_error=not as_json)
        raise typer.Exit(1) from None
    if as_json:
        _say([json.dumps(_answer(plan, differences, written), indent=2, ensure_ascii=False)])
    else:
        _tell(plan, differences, written)
    if plan.refusals or differences:
        raise typer.Exit(1)


def _answer(plan: Plan, differences: tuple[Difference, ...], written: Written | None) -> dict[str, object]:
    return {
        "refusals": [asdict(refusal) for refusal in plan.refusals],
        "differences": [asdict(difference) for difference in differences],
        **(asdict(written) if written else {"printed": [], "unchanged": [], "removed": []}),
    }


def _tell(plan: Plan, differences: tuple[Difference, ...], written: Written | None) -> None:
    if plan.refusals:
        _say((refusal.sentence for refusal in plan.refusals), is_error=True)
        _say(["Nothing was printed: every module is as it was."], is_error=True)
    elif differences:
        _say((difference.sentence for difference in differences), is_error=True)
    elif written is None:
        _say([f"{_count(len(plan.prints))} as printed."])
    else:
        _tell_written(written)


def _tell_written(written: Written) -> None:
    _say(f"printed   qgtm/{name}.py" for name in written.printed)
    _say(f"removed   qgtm/{name}.py, which has no notebook any more" for name in written.removed)
    _say([f"unchanged {_count(len(written.unchanged))}"] if written.unchanged else [])
    _say(
        []
        if any((written.printed, written.removed, written.unchanged))
        else ["There is no notebook to print."]
    )


def _count(number: int) -> str:
    return f"{number} module{'' if number == 1 else 's'}"


def _say(lines: Iterable[str], is_error: bool = False) -> None:
    for line in lines:
        typer.echo(line, err=is_error)
