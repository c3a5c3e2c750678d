"""`qgtm audit`: check the journal's chain, and read what stands in it."""

import dataclasses
import sys
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated

import typer

from qgtm.adapters.audit import Audit, verify
from qgtm.adapters.files import StateDir
from qgtm.adapters.journal import JournalReader
from qgtm.adapters.snapshot import known_heads
from qgtm.cli.options import AsJson, ConfigPath, configured, say, say_json
from qgtm.core.codec import canonical
from qgtm.core.errors import ConfigError
from qgtm.core.instant import text_from_instant
from qgtm.ports import Entry, Head

command = typer.Typer(
    add_completion=False,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    help="Check the journal's chain, and read what stands in it.",
)
JournalPath = Annotated[
    Path | None, typer.Option("--journal", help="A journal; else the state folder's.", metavar="PATH")
]
Anchor = Annotated[
    str | None,
    typer.Option("--head", help="A head noted earlier, which must be in the journal.", metavar="NUMBER:HASH"),
]


@command.command("verify")
def verify_journal(
    journal: JournalPath = None, head: Anchor = None, config: ConfigPath = None, as_json: AsJson = False
) -> None:
    """Check every row, and name the first that cannot be believed (exit 1)."""
    path, anchors = _where(journal, config)
    audit = verify(path, anchors=[*anchors, *([_head(head)] if head else [])])
    if as_json:
        say_json({"journal": str(path), "is_ok": audit.is_ok, **dataclasses.asdict(audit)})
    else:
        say(_told(path, audit))
    if not audit.is_ok:
        sys.exit(1)


@command.command("tail")
def tail(
    number: Annotated[int, typer.Option("-n", min=1, help="How many rows.")] = 20,
    kind: Annotated[str | None, typer.Option(help="Only events of this kind, such as OrderUpdated.")] = None,
    journal: JournalPath = None,
    config: ConfigPath = None,
    as_json: AsJson = False,
) -> None:
    """List the newest rows, the oldest of them first."""
    path, _ = _where(journal, config)
    with JournalReader(path) as reader:
        after = 0 if kind else max(0, reader.head().seq - number)
        found = deque(_of_kind(reader.read(after), kind), maxlen=number)
    if as_json:
        say_json([_fields(entry) for entry in found])
    else:
        _print_table(found)


@command.command("show")
def show(
    seq: Annotated[int, typer.Argument(help="The row's number.", metavar="NUMBER")],
    journal: JournalPath = None,
    config: ConfigPath = None,
    as_json: AsJson = False,
) -> None:
    """Show one row in full."""
    path, _ = _where(journal, config)
    with JournalReader(path) as reader:
        entry = next(reader.read(seq - 1), None)
    if entry is None or entry.seq != seq:
        raise ConfigError(f"the journal has no row {seq}: `qgtm audit tail` shows the newest.")
    if as_json:
        say_json(_fields(entry))
    else:
        say(
            f"row {entry.seq}, {text_from_instant(entry.at)}, {type(entry.event).__name__}, hash {entry.hash}"
        )
        say_json(_body(entry))


def _where(journal: Path | None, config: Path | None) -> tuple[Path, tuple[Head, ...]]:
    if journal:
        return journal, known_heads(StateDir(journal.parent).snapshots)
    _, state = configured(config)
    return state.journal, known_heads(state.snapshots)


def _head(text: str) -> Head:
    number, _, row_hash = text.partition(":")
    if not number.isdecimal() or len(row_hash) != 64:
        raise typer.BadParameter(
            "a head is NUMBER:HASH, as `qgtm audit verify` prints it", param_hint="--head"
        )
    return Head(int(number), row_hash)


def _told(path: Path, audit: Audit) -> str:
    holds = f"{audit.rows:,} rows hold"
    if audit.bad is None:
        return f"{path}: {holds}. Head {audit.head.seq}:{audit.head.hash}"
    bad = audit.bad
    return (
        f"{path}: {holds}, and row {bad.seq} ({bad.kind}) does not: {bad.what}.\n"
        "Stop the daemon, keep a copy of the state folder, and restore the last backup."
    )


def _of_kind(entries: Iterable[Entry], kind: str | None) -> Iterator[Entry]:
    return (entry for entry in entries if kind is None or type(entry.event).__name__ == kind)


def _fields(entry: Entry) -> dict[str, object]:
    head = {"seq": entry.seq, "at": text_from_instant(entry.at), "kind": type(entry.event).__name__}
    return {**head, "hash": entry.hash, "body": _body(entry)}


def _body(entry: Entry) -> object:
    import json

    return json.loads(canonical(entry.event))


def _print_table(entries: Iterable[Entry]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("row", "at (UTC)", "kind", "what", box=None, pad_edge=False)
    for entry in entries:
        at = f"{entry.at:%Y-%m-%d %H:%M:%S}"
        table.add_row(str(entry.seq), at, type(entry.event).__name__, _short(entry), style=None)
    Console().print(table)


def _short(entry: Entry) -> str:
    from rich.markup import escape

    text = canonical(entry.event)
    return escape(text if len(text) <= 160 else f"{text[:159]}…")
