"""A replay is the same on every run, knows nothing of the future, and its journal folds to its state."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from qgtm.adapters.journal import MemoryJournal
from qgtm.config import load_config
from qgtm.core.events import (
    BarsClosed,
    BreakFound,
    Event,
    IntentFormed,
    OrderDenied,
    OrderUpdated,
    SessionOpened,
    StrategyDisabled,
    TargetsSet,
)
from qgtm.core.universe import SYMBOLS
from qgtm.engine.desk import Desk
from qgtm.engine.state import folded
from qgtm.exchange.market.recorded import RecordedMarket
from qgtm.features.history import History
from qgtm.live.perform import update_of
from qgtm.live.reconciliation import differences, late_news, read_books
from qgtm.simulation.replay import Replay
from qgtm.simulation.summary import ReplaySummary, summary
from qgtm.strategies import BY_NAME
from tests.simulation.folder import spoil, write_folder

REPO = Path(__file__).resolve().parents[2]
CONFIG = load_config(REPO / "qgtm_config.toml", {})
START, CUT = date(2023, 1, 3), date(2023, 2, 28)
CASH = Decimal(250_000)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_folder(tmp_path_factory.mktemp("bars"))


@cache
def replayed(folder: Path, to: date | None = None) -> Replay:
    """Return a replay that has walked from START to `to`, or to the folder's end."""
    market, history = RecordedMarket(folder, 7), History(SYMBOLS)
    strategies = tuple(BY_NAME[name] for name in CONFIG.strategies.enabled)
    desk = Desk(limits=CONFIG.limits, strategies=strategies, history=history)
    sessions = market.sessions(market.first, min(to, market.last) if to else market.last)
    replay = Replay(market, desk, history, MemoryJournal(), START, 7, CASH)
    replay.warm_up([session for session in sessions if session.day < START])
    replay.begin()
    for session in sessions:
        if session.day >= START:
            replay.walk(session)
    return replay


def events(replay: Replay, *kinds: type[Event]) -> list[Any]:
    return [e.event for e in replay.journal.read() if not kinds or isinstance(e.event, kinds)]


@pytest.mark.mistake(11)
def test_replay_trades_at_all_and_disables_no_strategy(folder: Path) -> None:
    replay = replayed(folder)
    assert len(events(replay, SessionOpened)) == 62
    assert len(events(replay, IntentFormed)) > 10
    assert len(events(replay, OrderUpdated)) > 10
    assert not events(replay, StrategyDisabled, BreakFound)


def test_journal_folds_to_the_state_that_the_replay_holds(folder: Path) -> None:
    replay = replayed(folder)
    assert folded(events(replay)) == replay.kernel.state


def test_books_of_replay_and_exchange_agree_at_its_end(folder: Path) -> None:
    replay = replayed(folder)
    state = replay.kernel.state
    books = read_books(replay._world.broker, state.live_orders, replay.clock.now())
    assert late_news(books) == [update_of(order) for order in books.orders]
    assert not [e for e in differences(state, books) if isinstance(e, BreakFound)]
    truth = replay.exchange.truth
    assert {s: p.quantity for s, p in state.positions.items() if p.quantity} == truth.positions()
    assert abs(state.cash_usd - truth.cash()) < Decimal("0.01")


def test_symbol_that_does_not_trade_in_a_session_gets_no_order_in_it(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "thin")
    path = folder / "SLV.csv"
    head, *rows = path.read_text().splitlines()
    kept = [row for row in rows if not ("2023-01-10" <= row[:10] <= "2023-03-01" and int(row[8:10]) % 3)]
    path.write_text("\n".join([head, *kept]) + "\n")
    traded = {date.fromisoformat(row[:10]) for row in kept}
    formed = [e for e in events(replayed(folder), IntentFormed) if e.order.symbol == "SLV"]
    assert formed, "SLV is wanted"
    assert {e.session for e in formed} <= traded


def test_shares_of_the_strategies_add_up_to_every_position(folder: Path) -> None:
    state = replayed(folder).kernel.state
    assert state.positions
    for symbol in state.positions:
        owned = sum((mine.get(symbol, Decimal(0)) for mine in state.shares.values()), Decimal(0))
        assert abs(owned - state.quantity(symbol)) < Decimal("1e-9")


def test_cash_is_what_was_there_less_every_fill_in_fractions(folder: Path) -> None:
    replay = replayed(folder)
    spent = sum(
        (
            Fraction(x.qty) * Fraction(x.price) * (1 if x.side == "buy" else -1)
            for x in replay.exchange.truth.executions
        ),
        Fraction(0),
    )
    flows = sum(Fraction(a.net_amount) for a in replay.exchange.activities())
    assert abs(Fraction(replay.kernel.state.cash_usd) - (int(CASH) + flows - spent)) < Fraction(1, 100)


def test_same_input_gives_the_same_head(folder: Path, tmp_path: Path) -> None:
    again = replayed(write_folder(tmp_path / "again"))
    assert again.journal.head() == replayed(folder).journal.head()


def test_replay_to_a_day_over_a_longer_folder_equals_one_of_a_folder_that_ends_there(
    folder: Path, tmp_path: Path
) -> None:
    short = replayed(write_folder(tmp_path / "short", last=CUT))
    assert short.journal.head() == replayed(folder, CUT).journal.head()
    assert summary(short.journal, CASH) == summary(replayed(folder, CUT).journal, CASH)


def test_another_future_changes_no_decision_before_it(folder: Path, tmp_path: Path) -> None:
    other = write_folder(tmp_path / "other")
    for symbol in ("GLD", "GDX", "SPY"):
        spoil(other, symbol, CUT, 0.5)
    ours, theirs = list(until(replayed(folder), CUT)), list(until(replayed(other), CUT))
    assert ours == theirs
    assert sum(isinstance(event, TargetsSet) for event in ours) == 39
    assert replayed(other).journal.head() != replayed(folder).journal.head()


def until(replay: Replay, last: date) -> Iterator[Event]:
    for event in events(replay):
        if isinstance(event, SessionOpened) and event.session > last:
            return
        yield event


def test_summary_counts_what_stands_in_the_journal(folder: Path) -> None:
    replay = replayed(folder)
    result = summary(replay.journal, CASH)
    formed, denied = events(replay, IntentFormed), events(replay, OrderDenied)
    assert (result.orders, result.intents) == (len(formed), len(formed) + len(denied))
    assert sum(result.denied.values()) == len(denied)
    assert result.sessions == len(events(replay, BarsClosed)) == 62
    assert result.final_equity_usd == pytest.approx(by_hand(replay)[-1], abs=Decimal("0.01"))
    assert result.return_frac == pytest.approx(float(by_hand(replay)[-1] / CASH - 1))
    assert result.max_drawdown_frac == pytest.approx(float(worst_fall([CASH, *by_hand(replay)])))
    assert result.head == replay.journal.head().hash


def by_hand(replay: Replay) -> list[Decimal]:
    """Return the equity at each close: cash and last known closes, from the exchange's executions alone."""
    closes: dict[str, Decimal] = {}
    executions = replay.exchange.truth.executions
    flows = replay.exchange.activities()
    values = []
    for event in events(replay, BarsClosed):
        closes |= {symbol: Decimal(repr(row[3])) for symbol, row in event.bars.items()}
        cash = CASH + sum((a.net_amount for a in flows if a.day <= event.session), Decimal(0))
        held: dict[str, Decimal] = {}
        for x in executions:
            if x.executed_at.date() <= event.session:
                signed = x.qty if x.side == "buy" else -x.qty
                held[x.symbol] = held.get(x.symbol, Decimal(0)) + signed
                cash -= signed * x.price
        values.append(cash + sum((q * closes[s] for s, q in held.items()), Decimal(0)))
    return values


def worst_fall(path: list[Decimal]) -> Decimal:
    return max(1 - later / earlier for i, earlier in enumerate(path) for later in path[i:])


def run(folder: Path, tmp_path: Path, *words: str, seed: str = "0") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "from qgtm.cli import main; main()", "replay", "--bars", str(folder), *words],
        cwd=REPO,
        env={**os.environ, "PYTHONHASHSEED": seed, "QGTM_STATE_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )


@pytest.mark.slow
def test_command_gives_the_same_head_in_processes_that_hash_otherwise(folder: Path, tmp_path: Path) -> None:
    words = ("--from", "2023-01-03", "--to", "2023-01-31", "--json")
    first, second = (json.loads(run(folder, tmp_path, *words, seed=seed).stdout) for seed in ("1", "4242"))
    assert first == second
    assert set(first) == set(ReplaySummary.__dataclass_fields__)
    assert first["head"] == replayed(folder, date(2023, 1, 31)).journal.head().hash


def bad_nan(folder: Path) -> None:
    path = folder / "GLD.csv"
    lines = path.read_text().splitlines()
    day = lines[5].split(",")[0]
    path.write_text("\n".join([*lines[:5], f"{day},nan,1,1,1,1", *lines[6:]]) + "\n")


def bad_duplicate(folder: Path) -> None:
    path = folder / "GLD.csv"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:5], lines[4], *lines[5:]]) + "\n")


def bad_order(folder: Path) -> None:
    path = folder / "GLD.csv"
    head, *lines = path.read_text().splitlines()
    path.write_text("\n".join([head, *reversed(lines)]) + "\n")


def bad_empty(folder: Path) -> None:
    (folder / "GLD.csv").write_text("")


@pytest.mark.parametrize("spoiled", [bad_nan, bad_duplicate, bad_order, bad_empty])
def test_folder_that_cannot_be_believed_is_refused_in_a_sentence_that_names_the_file(
    spoiled: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from qgtm.cli import main

    folder = write_folder(tmp_path / "bars", symbols=("GLD", "SLV"))
    spoiled(folder)
    with pytest.raises(SystemExit) as end:
        main(["replay", "--bars", str(folder), "--config", str(REPO / "qgtm_config.toml")])
    assert end.value.code == 1
    said = capsys.readouterr().err
    assert "GLD" in said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--from", "2030-01-01"), "move --from or --to"),
        (("--strategy", "momentum"), "there is no strategy momentum"),
        (("--journal", "exists.db"), "name a new file"),
    ],
)
def test_command_that_asks_for_what_is_not_there_says_what_to_do(
    words: tuple[str, ...],
    says: str,
    folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from qgtm.cli import main

    monkeypatch.chdir(tmp_path)
    Path("exists.db").touch()
    with pytest.raises(SystemExit) as end:
        main(["replay", "--bars", str(folder), "--config", str(REPO / "qgtm_config.toml"), *words])
    assert end.value.code == 1
    assert says in capsys.readouterr().err


def test_folder_that_is_not_there_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from qgtm.cli import main

    with pytest.raises(SystemExit) as end:
        main(["replay", "--bars", str(tmp_path / "none"), "--config", str(REPO / "qgtm_config.toml")])
    assert end.value.code == 1
    assert "none" in capsys.readouterr().err


@pytest.mark.slow
def test_real_prices_give_the_same_head_for_a_folder_cut_at_a_day(shared_data: Path, tmp_path: Path) -> None:
    short = tmp_path / "short"
    short.mkdir()
    for path in (shared_data / "bars_2020_2023").glob("*.csv"):
        lines = path.read_text().splitlines(keepends=True)
        kept = [line for line in lines[1:] if line.split(",")[0] <= "2021-03-31"]
        (short / path.name).write_text("".join([lines[0], *kept]))
    words = ("--from", "2021-01-04", "--to", "2021-03-31", "--json")
    long_run = run(shared_data / "bars_2020_2023", tmp_path, *words, seed="1")
    short_run = run(short, tmp_path, *words, seed="2")
    assert json.loads(long_run.stdout) == json.loads(short_run.stdout)
    assert json.loads(long_run.stdout)["fills"] > 10
