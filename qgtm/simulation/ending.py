"""Whether a world that died and came back ends where one that did not die could have ended."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from qgtm.core.money import exact
from qgtm.simulation.story import Story

SAFER: Final = {"active": 0, "reducing": 1, "halted_dead_man": 2, "halted_hard": 3}
BAND_FRAC: Final = Decimal("0.01")  # of the equity: twice what is too little to trade for


@dataclass(frozen=True)
class Ending:
    """The exchange's positions, what may still fill, the marks, and what the daemon knew of the switch.

    `wanted` are the shares that its targets ask for: who had more time got nearer to them.
    """

    held: Mapping[str, Decimal]
    buys: Mapping[str, Decimal]
    sells: Mapping[str, Decimal]
    marks: Mapping[str, Decimal]
    equity: Decimal
    mode: str
    peak_usd: Decimal
    acts: int  # commands of people that the daemon has taken: one may wait while it is dead
    wanted: Mapping[str, Decimal] = field(default_factory=dict)


def ending_of(story: Story) -> Ending:
    """Return how a world stands now."""
    desk, state = story.exchange.desk, story.state
    buys, sells = dict[str, Decimal](), dict[str, Decimal]()
    for order in desk.book.live.values():
        side = buys if order.side == "buy" else sells
        side[order.symbol] = side.get(order.symbol, Decimal(0)) + order.remaining
    symbols = sorted({*desk.ledger.lots, *buys, *sells})
    is_known = state is not None and state.drawdown is not None
    return Ending(
        held={symbol: desk.ledger.qty(symbol) for symbol in desk.ledger.lots},
        buys=buys,
        sells=sells,
        marks={symbol: desk.mark(symbol) for symbol in symbols},
        equity=story.exchange.worth(desk.now).equity,
        mode=state.switch.mode.value if state is not None else "",
        peak_usd=state.drawdown.high_water_mark_usd if is_known and state and state.drawdown else Decimal(0),
        acts=state.command_id if state is not None else 0,
        wanted=_wanted(story),
    )


def _wanted(story: Story) -> dict[str, Decimal]:
    desk, state = story.exchange.desk, story.state
    if state is None:
        return {}
    equity = story.exchange.worth(desk.now).equity
    weights = ((symbol, exact(weight), desk.mark(symbol)) for symbol, weight in state.weights.items())
    return {symbol: weight * equity / mark for symbol, weight, mark in weights if mark}


def unlike(begun: Ending, dead: Ending, alive: Ending | None) -> Iterator[str]:
    """Yield how the one that died ended as no crash-free one could: less safe, or with other shares."""
    if alive is None:
        yield "the copy that did not die ended without a word"
        return
    if dead.peak_usd < begun.peak_usd:
        yield f"the peak of {begun.peak_usd} is {dead.peak_usd} after the crash"
    if SAFER.get(dead.mode, 0) < SAFER.get(begun.mode, 0) and dead.acts == begun.acts:
        yield f"{begun.mode} is {dead.mode} after the crash, and nobody has done anything"
    if dead.mode != alive.mode:
        return  # a cap that acts a moment earlier or later leaves another book
    for symbol in sorted({*begun.held, *dead.held, *alive.held}):
        yield from _elsewhere(symbol, begun, dead, alive)


def _elsewhere(symbol: str, begun: Ending, dead: Ending, alive: Ending) -> Iterator[str]:
    """Yield that a position lies outside all between what was held, what could fill, and the other's end."""
    was, now, other = (each.held.get(symbol, Decimal(0)) for each in (begun, dead, alive))
    soon = now + dead.buys.get(symbol, Decimal(0)) - dead.sells.get(symbol, Decimal(0))  # what rests may fill
    wanted = dead.wanted.get(symbol, other)
    reach = (was, was + begun.buys.get(symbol, 0), was - begun.sells.get(symbol, 0), other, wanted)
    mark = max(each.marks.get(symbol, Decimal(0)) for each in (begun, dead, alive))
    band = BAND_FRAC * begun.equity / mark + 1 if mark else Decimal(1)
    if not any(min(reach) - band <= is_ <= max(reach) + band for is_ in (now, soon)):
        yield f"{now} {symbol} after the crash, where {was} were held and {other} are without it"
