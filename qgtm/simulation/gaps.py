"""Why a back-test and a replay through the paper exchange end with different money, part by part.

Between the two stand four books, each of which takes one thing over from the replay: its prices, when it
traded how much (but for the parts of a share), the whole shares, what it paid for them; and the last what it
was charged. The parts are the steps from book to book, so they add up; what is left is the exchange's own
word on the account less the last book, and that is nothing unless one of the two is wrong.
"""

import csv
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np

from qgtm.adapters.bar_file import COLUMNS
from qgtm.adapters.journal import MemoryJournal
from qgtm.core.errors import MarketError
from qgtm.core.events import BarsClosed, TargetsSet
from qgtm.core.money import exact, usd
from qgtm.core.universe import SYMBOLS
from qgtm.engine.desk import Desk
from qgtm.exchange.market.port import Session
from qgtm.exchange.market.recorded import RecordedMarket
from qgtm.features.bars import FIELDS, Bars, FloatArray
from qgtm.features.history import History
from qgtm.features.returns import carried
from qgtm.research.backtest import Backtest, backtest, next_open_orders, traded, vectorbt_equity
from qgtm.research.history import history_from_folder
from qgtm.risk.limits import Limits
from qgtm.simulation.replay import Replay
from qgtm.strategies import Strategy
from qgtm.views.ledger import Fill, Ledger

PARTS: Final = ("data", "timing", "rounding", "price", "cost")
Track = Callable[[Sequence[Session]], Iterable[Session]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Gaps:
    """What a back-test and a replay of the same targets ended with, and why not with the same.

    `parts_usd` are the steps from the one to the other, `unexplained_usd` is what they leave; `vectorbt_usd`
    is what vectorbt's own book ended with. `positions_frac` is the most by which a position's share of equity
    was another at a close.
    """

    sessions: int
    fills: int
    backtest_usd: Decimal
    vectorbt_usd: Decimal | None
    replay_usd: Decimal
    parts_usd: Mapping[str, Decimal]
    positions_frac: float

    @property
    def whole_usd(self) -> Decimal:
        """Return what the replay ended with less what the back-test did."""
        return self.replay_usd - self.backtest_usd

    @property
    def unexplained_usd(self) -> Decimal:
        """Return what the parts leave of it."""
        return self.whole_usd - sum(self.parts_usd.values(), Decimal(0))


def write_bars(bars: Bars, folder: Path) -> None:
    """Write bars as a folder of CSV files, one a symbol, as the paper exchange reads them."""
    for column, symbol in enumerate(bars.symbols):
        with (folder / f"{symbol}.csv").open("w", newline="", encoding="utf-8") as file:
            rows = csv.writer(file)
            rows.writerow(COLUMNS)
            fields = np.stack([getattr(bars, name)[:, column] for name in FIELDS], axis=1)
            for session, values in zip(bars.sessions.tolist(), fields.tolist(), strict=True):
                if values[3] == values[3]:
                    rows.writerow([date.fromordinal(session), *values])


def gaps(
    folder: Path,
    strategies: Sequence[Strategy],
    limits: Limits,
    cash_usd: Decimal,
    sessions: int,
    cost_bps: float = 3.0,
    with_vectorbt: bool = True,
    track: Track = iter,
) -> Gaps:
    """Replay the last `sessions` of a folder of bars, back-test the targets that it had, and tell them apart.

    Raises MarketError for a folder that cannot be read or holds fewer sessions.
    """
    run = _replayed(RecordedMarket(folder, seed=7), strategies, limits, cash_usd, sessions, track)
    bars = _among(history_from_folder(folder), run.days)
    band = float(limits.no_trade_band_frac)
    done = backtest(bars, run.targets, cost_bps, band)
    seen = Bars(bars.sessions, SYMBOLS, *_in_cents(run.fields))
    ends = [_end_usd(book, cash_usd) for book in (done, backtest(seen, run.targets, cost_bps, band))]
    ends.append(run.unrounded_usd(seen, traded(seen, run.orders(seen), cost_bps), cost_bps))
    opens = run.opens(seen)
    ends += [run.end_usd(seen, *each) for each in ((opens, cost_bps), ({}, cost_bps), ({}, 0.0))]
    steps = (usd(after - before) for before, after in pairwise(ends))
    return Gaps(
        sessions=len(run.days),
        fills=len(run.ledger.fills),
        backtest_usd=ends[0],
        vectorbt_usd=_vectorbt_usd(bars, done, cost_bps, cash_usd) if with_vectorbt else None,
        replay_usd=run.account_usd,
        parts_usd=dict(zip(PARTS, steps, strict=True)),
        positions_frac=float(np.abs(done.weights - run.weights(seen)).max()),
    )


def _in_cents(fields: FloatArray) -> FloatArray:
    """Return bars (5, n, k) with prices to the cent, as the exchange trades and values them."""
    return np.concatenate([np.rint(fields[:4] * 100) / 100, fields[4:]])


def _end_usd(book: Backtest, cash_usd: Decimal) -> Decimal:
    return usd(exact(float(book.equity[-1])) * cash_usd)


def _vectorbt_usd(bars: Bars, done: Backtest, cost_bps: float, cash_usd: Decimal) -> Decimal:
    return usd(exact(float(vectorbt_equity(bars, done.bought, cost_bps).iloc[-1])) * cash_usd)


def _among(bars: Bars, days: Sequence[date]) -> Bars:
    """Return the bars of some sessions with a column for each symbol, NaN for one that has no file."""
    rows = np.searchsorted(bars.sessions, [day.toordinal() for day in days])
    fields = np.full((len(FIELDS), len(days), len(SYMBOLS)), np.nan)
    places = [SYMBOLS.index(symbol) for symbol in bars.symbols]
    for into, name in zip(fields, FIELDS, strict=True):
        into[:, places] = getattr(bars, name)[rows]
    return Bars(bars.sessions[rows], SYMBOLS, *fields)


@dataclass(frozen=True, eq=False)
class _Run:
    """What a replay saw, wanted and did; arrays are (sessions, symbols)."""

    days: tuple[date, ...]
    fields: FloatArray
    targets: FloatArray
    ledger: Ledger
    cash_usd: Decimal
    account_usd: Decimal

    def cell(self, fill: Fill) -> tuple[int, int]:
        """Return where a fill belongs."""
        return self.days.index(fill.session or self.days[0]), SYMBOLS.index(fill.symbol)

    def orders(self, bars: Bars) -> FloatArray:
        """Return the weights that were in force, where and when the replay traded; NaN elsewhere."""
        asked = next_open_orders(bars, self.targets, band=-1.0)  # any session in which there is a bar
        found = np.full(asked.shape, np.nan)
        for fill in self.ledger.fills:
            found[self.cell(fill)] = asked[self.cell(fill)]
        return found

    def opens(self, bars: Bars) -> Mapping[tuple[int, int], Decimal]:
        """Return the opening prices of the sessions in which the replay traded."""
        cells = {self.cell(fill) for fill in self.ledger.fills}
        return {cell: exact(float(bars.open[cell])) for cell in cells if np.isfinite(bars.open[cell])}

    def end_usd(self, bars: Bars, opens: Mapping[tuple[int, int], Decimal], cost_bps: float) -> Decimal:
        """Return what the replay's shares end with, at `opens` or else its own prices, less a cost a fill."""
        cash, held = self.ledger.flows_usd + self._kept_usd, dict[str, Decimal]()
        rate = exact(cost_bps) / 10_000
        for fill in self.ledger.fills:
            price = opens.get(self.cell(fill), fill.price)
            shares = fill.quantity * fill.side.sign
            held[fill.symbol] = held.get(fill.symbol, Decimal(0)) + shares
            cash -= shares * price + fill.quantity * price * rate
        marks = dict(zip(SYMBOLS, _marks(bars).tolist(), strict=True))
        worth = (shares * exact(marks[symbol]) for symbol, shares in held.items() if shares)
        return usd(cash + sum(worth, Decimal(0)))

    @property
    def _kept_usd(self) -> Decimal:
        """Return the cash that neither an owner nor a fill moved: dividends and fees."""
        spent = sum((f.quantity * f.side.sign * f.price for f in self.ledger.fills), Decimal(0))
        return self.ledger.cash_usd - self.ledger.flows_usd + spent

    def unrounded_usd(self, bars: Bars, book: Backtest, cost_bps: float) -> Decimal:
        """Return what the replay's positions end with if parts of shares could be held, bought at the opens.

        A position is moved by at most one share towards that of `book`, which holds the weights exactly.
        """
        exactly = book.bought.cumsum(axis=0) * float(self.cash_usd)
        held = self.shares(bars) - np.clip(self.shares(bars) - exactly, -1.0, 1.0)
        bought = np.diff(held, axis=0, prepend=np.zeros((1, held.shape[1])))
        opens = np.where(np.isnan(bars.open), 0.0, bars.open)  # without a bar nothing is bought
        spent = float((bought * opens).sum()) + float(np.abs(bought * opens).sum()) * cost_bps / 1e4
        marks = np.nan_to_num(_marks(bars))
        return usd(self.ledger.flows_usd + self._kept_usd + exact(float((held[-1] * marks).sum()) - spent))

    def shares(self, bars: Bars) -> FloatArray:
        """Return the shares that were held at each close."""
        shares = np.zeros(bars.close.shape)
        for fill in self.ledger.fills:
            row, column = self.cell(fill)
            shares[row:, column] += float(fill.quantity * fill.side.sign)
        return shares

    def weights(self, bars: Bars) -> FloatArray:
        """Return the share of equity that each position had at each close."""
        shares = self.shares(bars)
        equity = np.array([float(close.equity_usd) for close in self.ledger.closes])[:, None]
        found: FloatArray = np.where(shares == 0, 0.0, shares * bars.close / equity)
        return np.nan_to_num(found)


def _marks(bars: Bars) -> FloatArray:
    """Return each symbol's last close, NaN for one that never had a bar."""
    return carried(np.ascontiguousarray(bars.close.T), len(bars))[:, -1]


def _replayed(
    market: RecordedMarket,
    strategies: Sequence[Strategy],
    limits: Limits,
    cash_usd: Decimal,
    sessions: int,
    track: Track,
) -> _Run:
    every = market.sessions(market.first, market.last)
    if len(every) <= sessions:
        raise MarketError(
            f"{market.folder} has {len(every)} sessions, too few to warm up and to replay {sessions}: "
            "ask for fewer."
        )
    first, last = every[:-sessions], every[-sessions:]
    journal, history = MemoryJournal(), History(SYMBOLS)
    desk = Desk(limits=limits, strategies=tuple(strategies), history=history)
    replay = Replay(market, desk, history, journal, last[0].day, 7, cash_usd)
    replay.warm_up(first)
    replay.begin()
    replay.walk_all(track(last))
    ledger, days = Ledger(), tuple(session.day for session in last)
    fields = np.full((len(FIELDS), sessions, len(SYMBOLS)), np.nan)
    targets = np.full((sessions, len(SYMBOLS)), np.nan)
    for entry in journal.read():
        ledger.take(entry.event, entry.at)
        _noted(entry.event, days, fields, targets)
    account = replay.exchange.account(replay.clock.now())
    return _Run(days, fields, targets, ledger, cash_usd, usd(account.equity))


def _noted(event: Any, days: tuple[date, ...], fields: FloatArray, targets: FloatArray) -> None:
    """Write down the bars that the replay saw, and the weights that it wanted."""
    if isinstance(event, BarsClosed):
        for symbol, bar in event.bars.items():
            fields[:, days.index(event.session), SYMBOLS.index(symbol)] = bar
    elif isinstance(event, TargetsSet):
        row = days.index(event.session)
        targets[row] = [event.weights.get(symbol, 0.0) for symbol in SYMBOLS]
