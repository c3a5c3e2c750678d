"""`qgtm feeds`: fetch what is known beside the bars, and keep it."""

import os
import signal
from collections.abc import Sequence
from contextlib import closing
from datetime import date, datetime
from threading import Event, Thread
from typing import TYPE_CHECKING, Annotated, Final

import typer

from qgtm.adapters.clock import SystemClock, VenueClock
from qgtm.adapters.files import StateDir, made_writable
from qgtm.cli.options import AsJson, ConfigPath, Day, configured, say, say_json
from qgtm.core.errors import ConfigError, FeedError
from qgtm.core.series import FeedName
from qgtm.keys import load_keys, venue

if TYPE_CHECKING:
    from rich.console import Console

    from qgtm.config import Config
    from qgtm.live.collect import Collector, Feed, Word
    from qgtm.live.feeds import Lookout, Making

FIRST: Final = date(2015, 1, 1)
STOP_S: Final = 5.0

Once = Annotated[bool, typer.Option("--once", help="Look at each feed once, say how it went, and exit.")]
BackFill = Annotated[
    bool, typer.Option("--backfill", help="Fetch history, known from its publication on, and exit.")
]
From = Annotated[
    Day, typer.Option("--from", help="First day of the history.", formats=["%Y-%m-%d"], metavar="2015-01-01")
]
Only = Annotated[
    list[str] | None,
    typer.Option("--feed", help=f"Only this one; may be given again. {', '.join(FeedName)}.", metavar="NAME"),
]


def command(
    once: Once = False,
    backfill: BackFill = False,
    start: From = None,
    feed: Only = None,
    as_json: AsJson = False,
    config: ConfigPath = None,
) -> None:
    """Fetch each feed when it is published, until SIGTERM or Ctrl-C, as the one writer of the store.

    With the embedded exchange all feeds come from it and need no key. With a real broker a feed whose key is
    missing is off, and said to be.
    """
    from rich.console import Console

    if once and backfill:
        raise ConfigError("--once looks at the present and --backfill at the past: choose one of them.")
    if start and not backfill:
        raise ConfigError("--from is where a history begins: add --backfill.")
    if as_json and not once:
        raise ConfigError("--json answers for one look: add --once.")
    loaded, state = configured(config)
    made_writable(state)
    console = Console(highlight=False, soft_wrap=True, stderr=as_json)
    with closing(_Collecting(loaded, state, feed or (), console)) as made:
        if backfill:
            _fill(made.collector, start.date() if start else FIRST, console)
        elif once:
            _look(made.collector, as_json=as_json)
        else:
            _run(made, console)


class _Collecting:
    """The collector with its store, which it is the one writer of."""

    def __init__(self, config: "Config", state: StateDir, only: Sequence[str], console: "Console") -> None:
        from qgtm.adapters.lake import LakeWriter
        from qgtm.adapters.quarantine import Quarantine, Released
        from qgtm.adapters.screen import ScreenedStore
        from qgtm.live.collect import Board, Collector
        from qgtm.live.feeds import Lookout, Making, lookout

        keys = load_keys(config.path, os.environ)
        where = venue(config, keys, os.environ)
        is_embedded = where == "embedded"
        clock = VenueClock(state.exchange / "venue.json") if is_embedded else SystemClock()
        self.stop = Event()
        self.making = Making(config=config, keys=keys, where=where, state=state, clock=clock, stop=self.stop)
        every = lookout(self.making)
        self.found = Lookout(_chosen(every, only), every.off)
        self._lake = LakeWriter(state.store)
        for problem in self._lake.problems:
            console.print(problem, markup=False)
        board = Board(state.feeds, [feed.name for feed in every.feeds], every.off)

        def say_plainly(text: str) -> None:
            console.print(text, markup=False)

        store = ScreenedStore(
            self._lake, Quarantine(state.held), Released(state.released), clock.now, say_plainly
        )
        self.collector = Collector(self.found.feeds, store, board, clock, say_plainly)

    def close(self) -> None:
        """Let the next writer in."""
        self._lake.close()


def _chosen(every: "Lookout", only: Sequence[str]) -> "tuple[Feed, ...]":
    for name in only:
        if name in every.off:
            raise ConfigError(f"{name} is off: {every.off[name]}.")
        if name not in list(FeedName):
            raise ConfigError(f"{name} is no feed; there are {', '.join(FeedName)}.")
    return tuple(feed for feed in every.feeds if not only or feed.name in only)


def _run(made: _Collecting, console: "Console") -> None:
    stop, found = made.stop, made.found
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    console.print(f"fetching {', '.join(feed.name for feed in found.feeds)}")
    for name, why in found.off.items():
        console.print(f"{name} is off: {why}", markup=False)
    listener = Thread(target=listen, args=(made.making,), name="minutes", daemon=True)
    if any(feed.name == FeedName.OHLCV for feed in found.feeds):
        listener.start()
    made.collector.run(stop)
    if listener.ident is not None:
        listener.join(STOP_S)
    console.print("feeds stopped")


def listen(making: "Making") -> None:
    """Hear the session's minutes until told to stop; begin once venue time can be read."""
    from qgtm.live.feeds import listening

    while not making.stop.is_set():
        try:
            with listening(making) as watch:
                watch.run(making.stop)
        except ConfigError:
            making.stop.wait(1.0)


def _look(collector: "Collector", *, as_json: bool) -> None:
    """Look at each feed once, one after the other. Raises FeedError when one failed, having told of all."""
    from qgtm.live.collect import word_table

    failed = [feed.name for feed in collector.feeds if not collector.look(feed)]
    words = collector.board.words()
    if as_json:
        say_json({name: word_table(word) for name, word in words.items()})
        if failed:
            raise SystemExit(1)
        return
    say(*(f"{name:<12}{_said(word)}" for name, word in words.items()))
    if failed:
        raise FeedError(
            f"{', '.join(failed)} could not be fetched; what the lines above name is to be mended."
        )


def _said(word: "Word") -> str:
    if word.off:
        return f"off: {word.off}"
    if word.problem:
        return word.problem
    if word.tried_at is None:
        return "not looked at"
    missing = f"; missing: {'; '.join(word.missing)}" if word.missing else ""
    due = f", next {_short(word.next_due_at)}" if word.next_due_at else ""
    return f"{word.new_facts} new facts{due}{missing}"


def _short(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"


def _fill(collector: "Collector", since: date, console: "Console") -> None:
    """Fetch history with a bar a feed. Raises FeedError when one failed, having tried all."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description:<12}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    failed: list[str] = []
    with Progress(*columns, TextColumn("{task.fields[words]}", markup=False), console=console) as progress:
        for feed in collector.feeds:
            if feed.back_fill is None:
                progress.console.print(f"{feed.name}: its vendor has no history to fetch", markup=False)
                continue
            task = progress.add_task(feed.name, total=feed.parts, words="")
            try:
                count = collector.fill(
                    feed,
                    since,
                    lambda step, task=task: progress.update(task, advance=1, words=step.words),  # type: ignore[misc]
                )
                parts = progress.tasks[task].completed
                progress.update(task, total=parts or 1, completed=parts or 1, words=f"{count} new facts")
            except FeedError as problem:
                failed.append(feed.name)
                progress.console.print(str(problem), markup=False)
    if failed:
        raise FeedError(f"the history of {', '.join(failed)} is not whole; run it again when that is mended.")
