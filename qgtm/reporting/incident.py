"""The incident report, section by section: from a halt's facts to its notebook, or to plain text."""

import pickle
from collections.abc import Iterator
from decimal import Decimal
from html import escape
from pathlib import Path
from typing import Final

from qgtm.adapters.files import explained, write_atomic
from qgtm.adapters.journal import JournalReader
from qgtm.core.errors import ReportError
from qgtm.core.instant import NEW_YORK
from qgtm.core.mode import Trigger
from qgtm.core.money import usd
from qgtm.reporting.fragment import Column, Fragment, gain, paragraph, table, tiles, told
from qgtm.reporting.happening import shares, words_of
from qgtm.reporting.picture import Picture, falls_picture
from qgtm.reporting.review import named
from qgtm.views.action import Caps
from qgtm.views.incident import Incident, incident_from
from qgtm.views.words import count, dollars, percent, span

CAUSES: Final = {
    Trigger.HARD_CAP: "the fall from the peak reached the hard cap",
    Trigger.HEARTBEAT_LOST: "the system gave no sign of life, and the watchdog closed everything",
    Trigger.OPERATOR: "an operator halted it by hand",
}
TOLD_AT_MOST: Final = 60
RESIDUAL: Final = "no strategy's"


def load_incident(journal: str | Path, number: int = 0, folded: str | Path = "") -> Incident:
    """Return halt `number` (0: the newest) of a journal.

    `folded` is a file of `keep_incident`, empty for none: a journal of years takes longer to fold than a
    notebook may run, and whoever starts it has folded it already. Raises JournalError when the journal cannot
    be read, and ReportError when there was no such halt.
    """
    if folded:
        return _kept(Path(folded))
    with JournalReader(Path(journal)) as reader:
        found = incident_from(((entry.event, entry.at) for entry in reader.read()), number)
    if found is None:
        which = f"halt {number}" if number else "halt"
        raise ReportError(f"the journal knows of no {which} that closed everything: nothing to report on.")
    return found


def keep_incident(incident: Incident, path: Path) -> None:
    """Write a halt down for a process that is started at once, by this very version. Raises OSError."""
    write_atomic(path, pickle.dumps(incident), mode=0o600)


def _kept(path: Path) -> Incident:
    with explained(path, ReportError):
        found = pickle.loads(path.read_bytes())
    if not isinstance(found, Incident):
        raise ReportError(f"{path} holds no halt: leave `folded` empty, and the journal is folded.")
    return found


def sentences(incident: Incident) -> Iterator[str]:
    """Yield the incident in a few sentences."""
    at = f"{incident.at.astimezone(NEW_YORK):%A %d %B %Y at %H:%M:%S} New York"
    by = f" ({incident.by})" if incident.by else ""
    yield f"On {at} trading was halted: {CAUSES.get(incident.trigger, incident.reason)}{by}."
    if incident.drawdown_frac is not None:
        yield f"The fund was {percent(incident.drawdown_frac)} below its peak."
    yield _held(incident)
    if incident.flat_at is None:
        left = shares(incident.left) or "what is left is not known"
        yield f"NOT YET CLOSED: {left}. This report is renewed once it is."
    else:
        yield f"All of it was closed, by the broker's word, {span(incident.flat_took_s)} later."


def _held(incident: Incident) -> str:
    if not incident.holdings:
        return "No position was open."
    worth = sum((abs(holding.worth_usd) for holding in incident.holdings), Decimal(0))
    unknown = [holding.symbol for holding in incident.holdings if not holding.mark]
    without = f", and what {', '.join(unknown)} was worth is not known" if unknown else ""
    were = "was" if len(incident.holdings) == 1 else "were"
    return f"{count(len(incident.holdings), 'position')} worth {dollars(worth)} {were} open{without}."


def in_a_paragraph(incident: Incident) -> Fragment:
    """Return the incident in a few sentences."""
    return Fragment(paragraph(escape(" ".join(sentences(incident))), "lede"))


def figures(incident: Incident) -> Fragment:
    """Return equity, fall and result since the peak in large print."""
    since = f"{incident.peak.at.astimezone(NEW_YORK):%d %b %Y}"
    return tiles(
        [
            ("Account", dollars(incident.struck.equity_usd, cents=True), "at the halt, at its marks"),
            ("Below the peak", percent(incident.drawdown_frac), "per unit, confirmed"),
            ("Since the peak", gain(incident.contributions.account_usd), f"from {since}"),
        ]
    )


def positions(incident: Incident) -> Fragment:
    """Return what was open at the halt, and what of it is left."""
    if not incident.holdings:
        return told("Nothing was open.", name="quiet")
    columns = [
        Column("Symbol", 22),
        Column("Shares", 20, True),
        Column("Price", 18, True),
        Column("Worth", 22, True),
        Column("Left", 18, True),
    ]
    rows = [
        [
            f"<strong>{escape(each.symbol)}</strong>",
            f"{each.quantity:,f}",
            f"{each.mark:,.2f}" if each.mark else "unknown",
            dollars(each.worth_usd) if each.mark else "unknown",
            f"{incident.left.get(each.symbol, Decimal(0)):,f}",
        ]
        for each in incident.holdings
    ]
    return Fragment(table(columns, rows))


def contributions(incident: Incident) -> Fragment:
    """Return what each strategy brought from the peak to the halt, adding up to the account."""
    found = incident.contributions
    columns = [Column("Strategy", 60), Column("Since the peak", 40, True)]
    rows = [[named(name), gain(amount)] for name, amount in _worst_first(incident)]
    return Fragment(table(columns, rows, [escape("The account"), gain(found.account_usd)]))


def _worst_first(incident: Incident) -> list[tuple[str, Decimal]]:
    found = incident.contributions
    rows = sorted(found.by_strategy_usd.items(), key=lambda row: (row[1], row[0]))
    return [*rows, (RESIDUAL, found.residual_usd)]


def closing(incident: Incident) -> Fragment:
    """Return how the closing went: orders, fills, and what it cost against the prices at decision."""
    if not incident.fills:
        return told(
            f"{count(incident.orders, 'order')} to close went out; none has filled yet.", name="quiet"
        )
    columns = [
        Column("Symbol", 24),
        Column("Shares", 26, True),
        Column("Price", 24, True),
        Column("Slippage", 26, True),
    ]
    rows = [
        [
            escape(fill.symbol),
            f"{fill.quantity * fill.side.sign:+,f}",
            f"{fill.price:,.2f}",
            gain(-fill.slippage_usd),
        ]
        for fill in incident.fills
    ]
    cost = usd(sum((fill.slippage_usd for fill in incident.fills), Decimal(0)))
    return Fragment(table(columns, rows, ["All", "", "", gain(-cost)]))


def timeline(incident: Incident) -> Fragment:
    """Return what happened, from the hour before the halt on."""
    columns = [Column("When, New York", 26), Column("What", 74)]
    rows = [[when, escape(what)] for when, what in _timeline(incident)]
    return Fragment(table(columns, rows))


def _timeline(incident: Incident) -> list[tuple[str, str]]:
    shown, more = incident.told[:TOLD_AT_MOST], len(incident.told) - TOLD_AT_MOST
    rows = [(f"{each.at.astimezone(NEW_YORK):%d %b, %H:%M:%S}", words_of(each.event)) for each in shown]
    return [*rows, ("later", f"{more} more: `qgtm audit tail` shows them")] if more > 0 else rows


def picture(incident: Incident, caps: Caps) -> Picture | None:
    """Return the fall from the peak to the halt; None for fewer than two samples."""
    return falls_picture(incident.falls, caps)


def incident_text(incident: Incident) -> str:
    """Return the whole report as plain text: for when nothing prettier can be made."""
    found = incident.contributions
    lines = [*sentences(incident), "", "Positions at the halt"]
    lines += [
        f"  {each.symbol:<6}{each.quantity:>14,f} at {each.mark:>10,.2f} = {dollars(each.worth_usd):>14}"
        if each.mark
        else f"  {each.symbol:<6}{each.quantity:>14,f} at an unknown price"
        for each in incident.holdings
    ] or ["  none"]
    lines += ["", "Since the peak, by strategy"]
    lines += [f"  {name:<32}{dollars(amount, cents=True):>16}" for name, amount in _worst_first(incident)]
    lines += [f"  {'the account':<32}{dollars(found.account_usd, cents=True):>16}", "", "What happened"]
    lines += [f"  {when}  {what}" for when, what in _timeline(incident)]
    return "\n".join(lines) + "\n"
