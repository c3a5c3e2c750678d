"""The review's sections on trading: what the fills cost, what is held and wanted, what we refused."""

from html import escape
from typing import Final

from qgtm.core.instant import NEW_YORK
from qgtm.reporting.fragment import Column, Fragment, paragraph, table, told
from qgtm.reporting.review import named
from qgtm.views.ledger import Fill
from qgtm.views.week import Held, Week
from qgtm.views.words import count, dollars, percent

WORST: Final = 5


def execution(week: Week) -> Fragment:
    """Return how far fills lay from the prices at decision, and the worst of them."""
    if not week.fills:
        return told("Nothing was traded, so there is nothing to say of execution.", name="quiet")
    opening, mean = week.opening_usd, week.slippage_bps
    share = f" ({percent(week.turnover_usd / opening, 1)} of equity)" if opening else ""
    average = "" if mean is None else f", {mean:.1f} bp on average".replace("-", "−")
    said = (
        f"{count(len(week.fills), 'fill')} moved {dollars(week.turnover_usd)}{share}. Against the prices at "
        f"decision they cost {dollars(week.slippage_usd, cents=True)}{average}. Below zero is better than "
        "decided. The paper exchange charges no commission."
    )
    columns = [
        Column("When, New York", 26),
        Column("Order", 30),
        Column("Price", 14, True),
        Column("Slippage", 14, True),
        Column("Cost", 16, True),
    ]
    worst = sorted(week.fills, key=lambda fill: (-fill.slippage_bps, fill.at))[:WORST]
    rows = [_fill_row(fill) for fill in worst]
    return Fragment(paragraph(escape(said)) + paragraph("The worst fills:") + table(columns, rows))


def _fill_row(fill: Fill) -> list[str]:
    when = fill.at.astimezone(NEW_YORK)
    order = f"{fill.side.value} {fill.quantity.normalize():f} {fill.symbol}"
    bps = f"{fill.slippage_bps:.1f} bp".replace("-", "−")
    return [
        f"{when:%a %d %b, %H:%M}",
        escape(order),
        f"{fill.price:,.2f}",
        bps,
        dollars(fill.slippage_usd, cents=True),
    ]


def weights(week: Week) -> Fragment:
    """Return each position's weight beside the wanted one, and which strategies want it."""
    if not week.held:
        return told("Nothing is held and nothing is wanted.", name="quiet")
    columns = [
        Column("Symbol", 16),
        Column("Held", 16, True),
        Column("Wanted", 16, True),
        Column("Gap", 14, True),
        Column("Wanted by", 38),
    ]
    said = paragraph(_pending_said(week), "quiet")
    return Fragment(table(columns, [_held_row(row) for row in week.held]) + said)


def _held_row(row: Held) -> list[str]:
    gap = None if row.held_frac is None else row.target_frac - row.held_frac
    owners = ", ".join(
        f"{named(name)} {percent(weight, 1, signed=True)}" for name, weight in row.by_strategy.items()
    )
    return [
        f"<strong>{escape(row.symbol)}</strong>",
        percent(row.held_frac, 1),
        percent(row.target_frac, 1),
        percent(gap, 1, signed=True),
        owners or "nobody",
    ]


def _pending_said(week: Week) -> str:
    session = week.state.targets_session
    if session is None:
        return "No targets have been set yet."
    where = (
        "go out at the next open"
        if week.state.is_pending
        else "have been reached, as far as band and checks allow"
    )
    day = f"{session:%A} {session.day} {session:%B}"
    return f"Shares of equity, at the last marks. The targets of {day} {where}."


def refusals(week: Week) -> Fragment:
    """Return the orders that we refused ourselves, by check."""
    if not week.denials:
        return told("No order was refused by our own checks.", name="quiet")
    columns = [
        Column("Check", 22),
        Column("Orders", 10, True),
        Column("Symbols", 22),
        Column("Last reason", 46),
    ]
    rows = [
        [named(row.check), str(row.count), escape(", ".join(row.symbols)), escape(row.reason)]
        for row in week.denials
    ]
    return Fragment(table(columns, rows))
