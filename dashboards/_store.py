"""What the boards show, as plain values: one look at the fund turned into columns. Reads, never writes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time
from typing import Final

from qgtm.views.performance import performance
from qgtm.views.summary import Summary
from qgtm.web.desk import Desk
from qgtm.web.lookout import Look

SESSIONS: Final = 250


@dataclass(frozen=True, slots=True)
class PhoneState:
    """What the live view draws: the summary, and the last closes as columns (UTC, dollars, fractions)."""

    summary: Summary
    closed_at: tuple[datetime, ...]
    equity_usd: tuple[float, ...]
    below_peak: tuple[float, ...]  # zero or less, so that a picture falls


class DataStore:
    """Ask the desk for what a board shows."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def phone(self) -> PhoneState:
        """Return what the phone's live view shows now."""
        return await self._desk.ask(phone_state)


def phone_state(look: Look) -> PhoneState:
    """Return the phone's columns; the present sample stands behind the last close."""
    points = performance(look.chronicle.ledger.closes).points[-SESSIONS:]
    days = [datetime.combine(point.session, time(21), UTC) for point in points]
    values = [float(point.equity_usd) for point in points]
    falls = [-point.drawdown_frac for point in points]
    told = look.summary
    if days and told.equity_usd is not None and look.chronicle.at and look.chronicle.at > days[-1]:
        days, values = [*days, look.chronicle.at], [*values, float(told.equity_usd)]
        falls = [*falls, -float(told.drawdown_frac or 0)]
    return PhoneState(told, tuple(days), tuple(values), _tuple(falls))


def _tuple(values: Sequence[float]) -> tuple[float, ...]:
    return tuple(value + 0.0 for value in values)
