"""The weekly review, section by section: from a week's facts to what the notebook shows."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from html import escape
from typing import Any, Final

from qgtm.core.events import (
    AlertRaised,
    BreakFound,
    FeedFailed,
    Latched,
    ModeChanged,
    OrderRejected,
    OrderUnknown,
    StrategyDisabled,
    Unlatched,
)
from qgtm.core.instant import NEW_YORK
from qgtm.core.money import usd
from qgtm.reporting.fragment import Column, Fragment, gain, listed, paragraph, table, tiles, told
from qgtm.reporting.source import Reviewed
from qgtm.views.action import Caps, actions
from qgtm.views.ledger import RESIDUAL, Fill
from qgtm.views.performance import performance
from qgtm.views.week import Held, Line, Share, Told, Week, shares_of
from qgtm.views.words import count, dollars, percent

WORST: Final = 5
BEST: Final = 4  # of each side, so that the first page of the paper holds them
TOLD_AT_MOST: Final = 25
NOTHING: Final = "No session of this week is finished, so there is no result to attribute."


def period(week: Week) -> str:
    """Return the week's name and days, as "Week 25 of 2021, 21 to 27 June"."""
    last = week.monday + timedelta(days=6)
    year, number, _ = week.monday.isocalendar()
    begin = f"{week.monday.day} {week.monday:%B}" if last.month != week.monday.month else f"{week.monday.day}"
    return f"Week {number} of {year}, {begin} to {last.day} {last:%B %Y}"


def in_a_paragraph(reviewed: Reviewed, caps: Caps) -> Fragment:
    """Return the week in a few sentences."""
    week = reviewed.week
    if week.last_at is None:
        return told(
            "The journal is empty: nothing has run yet. `make run` starts the platform; the review of its "
            "first week comes on the Sunday after.",
            name="lede",
        )
    sentences = [*_result(week), *_doing(week), *_waiting(reviewed, caps)]
    return Fragment(paragraph(" ".join(sentences), "lede"))


def _result(week: Week) -> list[str]:
    account, opening = week.account, week.opening_usd
    if account is None:
        return [NOTHING]
    verb = (
        "earned"
        if account.account_usd > 0
        else "lost"
        if account.account_usd < 0
        else "neither earned nor lost"
    )
    amount = f" {dollars(abs(account.account_usd), cents=True)}" if account.account_usd else " a cent"
    share = f" ({percent(abs(account.account_usd) / opening)})" if opening else ""
    close = week.closes[-1]
    first = (
        f"The fund {verb}{amount}{share} in {count(len(week.closes), 'session')} and stood at "
        f"{dollars(close.equity_usd, cents=True)} at the close of {close.session:%A}."
    )
    return [first, *_who(week)]


def _who(week: Week) -> list[str]:
    rows = [share for share in shares_of(week) if share.owner != RESIDUAL]
    said = []
    if rows and rows[0].pnl_usd > 0:
        said.append(f"most was earned by {_name(rows[0].owner)} ({gain(rows[0].pnl_usd)})")
    if rows and rows[-1].pnl_usd < 0:
        said.append(f"most was lost by {_name(rows[-1].owner)} ({gain(rows[-1].pnl_usd)})")
    text = ", ".join(said)
    return [f"{text[0].upper()}{text[1:]}."] if said else []


def _doing(week: Week) -> list[str]:
    if not week.fills:
        return ["Nothing was traded."]
    cost = week.slippage_usd
    than = "more" if cost > 0 else "less"
    slippage = (
        f"which cost {dollars(abs(cost), cents=True)} {than} than the prices they were decided at"
        if cost
        else "at the prices they were decided at"
    )
    return [f"{count(len(week.fills), 'fill')} moved {dollars(week.turnover_usd)}, {slippage}."]


def _waiting(reviewed: Reviewed, caps: Caps) -> list[str]:
    found = len(actions(reviewed.week, reviewed.expected, caps))
    things = "thing waits" if found == 1 else "things wait"
    return [
        f"{count(found, 'thing').split()[0]} {things} for a person."
        if found
        else "Nothing waits for a person."
    ]


def _name(owner: str) -> str:
    return escape(owner.replace("_", " "))


def figures(week: Week) -> Fragment:
    """Return the account, the week's result, the fall from the peak and the exposure, in large print."""
    account, points = week.account, performance(week.record).points
    if account is None or not points:
        return told("There are no figures before the first close.", name="quiet")
    close, opening = week.closes[-1], week.opening_usd
    share = percent(account.account_usd / opening, signed=True) if opening else "of an unknown base"
    gross = percent(close.gross_usd / close.equity_usd, 0) if close.equity_usd else "unknown"
    net = percent(close.net_usd / close.equity_usd, 0) if close.equity_usd else "unknown"
    return tiles(
        [
            ("Account", dollars(close.equity_usd), f"at {close.session:%A}’s close"),
            ("Week", gain(account.account_usd, cents=False), share),
            ("Below the peak", percent(points[-1].drawdown_frac), f"worst {_deepest(week)} this week"),
            ("Exposure", gross, f"net {net} of equity"),
        ]
    )


def _deepest(week: Week) -> str:
    points = performance(week.record).points
    return percent(max(point.drawdown_frac for point in points if point.session >= week.monday))


def by_strategy(week: Week) -> Fragment:
    """Return profit by strategy, adding up to the account's to the cent, and the check beside it."""
    account, opening = week.account, week.opening_usd
    if account is None:
        return told(NOTHING, name="quiet")
    columns = [
        Column("Strategy", 34),
        Column("Result", 20, True),
        Column("Of equity", 14, True),
        Column("Traded", 18, True),
        Column("Slippage", 14, True),
    ]
    shares = shares_of(week)
    rows = [_share_row(share, opening) for share in shares]
    total = _cells("Account", account.account_usd, opening, week.turnover_usd, week.slippage_usd)
    return Fragment(table(columns, rows, total) + paragraph(_sum_said(week), "quiet"))


def _share_row(share: Share, opening: Decimal | None) -> list[str]:
    name = "No strategy’s (residual)" if share.owner == RESIDUAL else _name(share.owner)
    return _cells(name, share.pnl_usd, opening, share.turnover_usd, share.slippage_usd)


def _cells(name: str, pnl: Decimal, opening: Decimal | None, traded: Decimal, cost: Decimal) -> list[str]:
    share = percent(pnl / opening, signed=True) if opening else "unknown"
    return [name, gain(pnl), share, dollars(traded), dollars(cost, cents=True)]


def _sum_said(week: Week) -> str:
    account, before = week.account, week.before
    if account is None:
        return ""
    since = f"the close of {before.session:%d %B}" if before else "the first money"
    flows = f" Money in and out, {gain(week.flows_usd)}, is left aside." if week.flows_usd else ""
    return (
        f"Measured from {since} to the close of {week.closes[-1].session:%d %B}. The rows add up to the "
        f"account’s {gain(account.account_usd)}; the residual is what no strategy owns, rounding "
        f"included.{flows}{_broker_said(week)}"
    )


def _broker_said(week: Week) -> str:
    close = week.closes[-1]
    if close.broker_equity_usd is None:
        return ""
    gap = usd(close.equity_usd - close.broker_equity_usd)
    if not gap:
        return " The broker’s last sample agrees to the cent."
    return (
        f" The broker’s last sample says {dollars(close.broker_equity_usd, cents=True)}, "
        f"{dollars(abs(gap), cents=True)} {'below' if gap > 0 else 'above'} our count at the closing prices."
    )


def winners_and_losers(week: Week) -> Fragment:
    """Return the positions that brought and cost the most."""
    winners = [line for line in week.lines if usd(line.pnl_usd) > 0][:BEST]
    losers = [line for line in reversed(week.lines) if usd(line.pnl_usd) < 0][:BEST]
    if not winners and not losers:
        return told("No position won or lost anything.", name="quiet")
    columns = [Column("Symbol", 22), Column("Held by", 48), Column("Result", 30, True)]
    rows = [_line_row(line) for line in (*winners, *reversed(losers))]
    return Fragment(table(columns, rows))


def _line_row(line: Line) -> list[str]:
    return [f"<strong>{escape(line.symbol)}</strong>", _name(line.owner), gain(line.pnl_usd)]


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
        f"{_name(name)} {percent(weight, 1, signed=True)}" for name, weight in row.by_strategy.items()
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
    return f"Shares of equity, at the last marks. The targets of {session:%A %d %B} {where}."


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
        [_name(row.check), str(row.count), escape(", ".join(row.symbols)), escape(row.reason)]
        for row in week.denials
    ]
    return Fragment(table(columns, rows))


def happenings(week: Week) -> Fragment:
    """Return alerts, breaks, moves of the kill switch and what the broker refused, oldest first."""
    if not week.told:
        return told("No alert, no break, nothing switched off, no move of the kill switch.", name="quiet")
    columns = [Column("When, New York", 24), Column("What", 76)]
    last = week.told[-TOLD_AT_MOST:]
    rows = [[f"{each.at.astimezone(NEW_YORK):%a %d %b, %H:%M}", escape(_words(each))] for each in last]
    left = len(week.told) - len(last)
    more = paragraph(f"{left} earlier ones stand in the journal: <code>qgtm audit tail</code>.", "quiet")
    return Fragment(table(columns, rows) + (more if left else ""))


def _words(told_of: Told) -> str:
    match told_of.event:
        case AlertRaised(level=level, text=text):
            return f"Alert, {level}: {text}"
        case BreakFound(subject=subject, ours=ours, brokers=brokers):
            return f"Break in {subject}: {ours:f} by our book, {brokers:f} by the broker’s."
        case FeedFailed(feed=feed, reason=reason):
            return f"The feed {feed} failed: {reason}"
        case Latched(latch=latch, reason=reason):
            return f"New orders stopped ({latch.value.replace('_', ' ')}): {reason}"
        case Unlatched(latch=latch, reason=reason, by=by):
            return f"Cleared by {by} ({latch.value.replace('_', ' ')}): {reason}"
        case ModeChanged(before=before, after=after, reason=reason):
            return f"Kill switch from {before.value} to {after.value}: {reason}".replace("_", " ")
        case StrategyDisabled(strategy=strategy, reason=reason):
            return f"{strategy} was switched off: {reason}"
        case OrderRejected(client_order_id=order, reason=reason):
            return f"The broker rejected {order}: {reason}"
        case OrderUnknown(client_order_id=order, reason=reason):
            return f"No believable answer to {order}: {reason}"
    return type(told_of.event).__name__


def to_do(reviewed: Reviewed, caps: Caps) -> Fragment:
    """Return what is to be done, each item with the fact that asks for it."""
    found = actions(reviewed.week, reviewed.expected, caps)
    if not found:
        return told("Nothing. Every rule was looked at and none asks for a person.")
    return listed((item.fact, item.step) for item in found)


def cards_shown(cards: Sequence[Mapping[str, Any]]) -> Fragment:
    """Return the strategies' own cards: what each claims, on what evidence, and when to stop it."""
    if not cards:
        return told(
            "The strategies’ notebooks were not run with this one; `qgtm report` runs them first.",
            name="quiet",
        )
    columns = [Column("Strategy", 24), Column("Evidence", 26), Column("Stop it when", 50)]
    return Fragment(table(columns, [_card_row(card) for card in cards]))


def _card_row(card: Mapping[str, Any]) -> list[str]:
    sharpe = card.get("figures", {}).get("sharpe")
    evidence = escape(str(card["evidence"]))
    shown = "" if sharpe is None or card["evidence"].startswith("no ") else f", Sharpe {sharpe:.2f}"
    return [_name(str(card["name"])), evidence + shown, escape(str(card.get("kill_condition", "not said")))]
