"""One week on the embedded exchange, from Monday's open to the Sunday report, and what came of it."""

from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Final

from qgtm.adapters.files import StateDir
from qgtm.adapters.journal import JournalReader
from qgtm.core.errors import JournalError
from qgtm.core.events import BarsClosed, SessionClosed
from qgtm.core.money import usd
from qgtm.views.ledger import Ledger, attribution
from qgtm.views.words import count, dollars

SPEED: Final = 600.0  # a session in 39 s; faster, a slow machine finds every quote too old to trade on


def last_whole_week(today: date) -> date:
    """Return the Monday of the last week that was over before `today`'s began."""
    return today - timedelta(days=today.weekday() + 7)


@dataclass
class Diary:
    """Read a journal while it grows."""

    path: Path
    ledger: Ledger = field(default_factory=Ledger)
    seq: int = 0

    def news(self) -> list[str]:
        """Return a line for each session that ended since the last look."""
        lines = []
        with JournalReader(self.path) as journal:
            for entry in journal.read(self.seq):
                self.ledger.take(entry.event, entry.at)
                self.seq = entry.seq
                if isinstance(entry.event, BarsClosed) and self.ledger.session == entry.event.session:
                    lines.append(_session_told(self.ledger))
        return lines


def _session_told(ledger: Ledger) -> str:
    close = ledger.closes[-1]
    fills = sum(fill.session == close.session for fill in ledger.fills)
    return (
        f"{close.session:%a %d %b}   {dollars(close.equity_usd, cents=True)} at the close, "
        f"{count(fills, 'fill')}, {len(ledger.positions)} open"
    )


def week_told(state: StateDir) -> list[str]:
    """Return what came of a week, in lines. Raises JournalError when no session ended in it."""
    ledger, sessions = Ledger(), []
    with JournalReader(state.journal) as journal:
        for entry in journal.read():
            ledger.take(entry.event, entry.at)
            if isinstance(entry.event, SessionClosed):
                sessions.append(entry.event.session)
        head = journal.head()
    if not (sessions and ledger.closes):
        raise JournalError(f"no session ended: see what the processes said in {state.root / 'logs'}.")
    last = ledger.closes[-1]
    result = attribution(None, last)
    costs = sum((fill.slippage_usd for fill in ledger.fills), usd(0.0))
    owners = {**result.by_strategy_usd, "residual": result.residual_usd}
    return [
        f"sessions     {len(sessions)}, {sessions[0]} to {sessions[-1]}",
        f"fills        {len(ledger.fills)}, slippage {dollars(usd(costs), cents=True)}",
        f"equity       {dollars(last.equity_usd, cents=True)}",
        f"profit       {dollars(result.account_usd, cents=True)}",
        *(f"  {owner:<20} {dollars(amount, cents=True)}" for owner, amount in owners.items()),
        f"journal      {head.seq} rows, head {head.hash}",
    ]
