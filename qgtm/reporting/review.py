"""The weekly review, section by section: from a week's facts to what the notebook shows."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from html import escape
from typing import Any, Final

from qgtm.core.events import AlertRaised
from qgtm.core.gate import verdict_of
from qgtm.core.instant import NEW_YORK
from qgtm.core.money import usd
from qgtm.reporting.fragment import Column, Fragment, gain, listed, paragraph, table, tiles, told
from qgtm.reporting.happening import words_of
from qgtm.reporting.source import Reviewed
from qgtm.views.action import Caps, actions
from qgtm.views.ledger import RESIDUAL
from qgtm.views.performance import performance
from qgtm.views.regime import regime_said
from qgtm.views.week import Line, Share, Told, Week, shares_of
from qgtm.views.words import count, dollars, percent

BEST: Final = 4  # of each side, so that the first page of the paper holds them
TOLD_AT_MOST: Final = 25
NOTHING: Final = "No session of this week is finished, so there is no result to attribute."


def period_of(monday: date) -> str:
    """Return a week's name and days, as "Week 25 of 2021, 21 to 27 June 2021"."""
    last = monday + timedelta(days=6)
    year, number, _ = monday.isocalendar()
    begin = f"{monday.day} {monday:%B}" if last.month != monday.month else f"{monday.day}"
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
        said.append(f"most was earned by {named(rows[0].owner)} ({gain(rows[0].pnl_usd)})")
    if rows and rows[-1].pnl_usd < 0:
        said.append(f"most was lost by {named(rows[-1].owner)} ({gain(rows[-1].pnl_usd)})")
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


def named(owner: str) -> str:
    """Return an owner's name as a reader sees it, escaped."""
    return escape(owner.replace("_", " "))


def regime(week: Week) -> Fragment:
    """Return the market's regime after the week's last session, with all that it was judged by."""
    seen = week.state.regime
    if seen is None:
        return told("No regime was told yet: the first comes with the first finished session.")
    rows = [[named(state), percent(odds, 1)] for state, odds in seen.odds.items()]
    rows.append(["a change within two weeks", percent(seen.change, 1)])
    bounds = " / ".join(percent(each, 1) for each in seen.thresholds)
    rows.append(["normal, elevated and crisis begin at a volatility of", bounds])
    shown = table([Column(f"After {seen.session:%A}", 60), Column("", 40, is_number=True)], rows)
    return Fragment(paragraph(escape(regime_said(seen))) + shown)


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
    name = "No strategy’s (residual)" if share.owner == RESIDUAL else named(share.owner)
    return _cells(name, share.pnl_usd, opening, share.turnover_usd, share.slippage_usd)


def _cells(name: str, pnl: Decimal, opening: Decimal | None, traded: Decimal, cost: Decimal) -> list[str]:
    share = percent(pnl / opening, signed=True) if opening else "unknown"
    return [name, gain(pnl), share, dollars(traded), dollars(cost, cents=True)]


def _sum_said(week: Week) -> str:
    account, before = week.account, week.before
    if account is None:
        return ""
    since = f"the close of {_day(before.session)}" if before else "the first money"
    flows = f" Money in and out, {gain(week.flows_usd)}, is left aside." if week.flows_usd else ""
    return (
        f"Measured from {since} to the close of {_day(week.closes[-1].session)}. The rows add up to the "
        f"account’s {gain(account.account_usd)}; the residual is what no strategy owns, rounding "
        f"included.{flows}{_crossed_said(week)}{_broker_said(week)}"
    )


def _day(session: date) -> str:
    return f"{session.day} {session:%B}"


def _crossed_said(week: Week) -> str:
    parts = sum((share.turnover_usd for share in shares_of(week)), Decimal(0))
    if parts - week.turnover_usd < 1:
        return ""
    return " Where two strategies wanted opposite sides of an order, their parts exceed what was traded."


def _broker_said(week: Week) -> str:
    found = week.closes[-1].books_gap_usd
    if found is None:
        return ""
    if not (gap := usd(found)):
        return " The broker’s last sample agrees to the cent."
    return (
        f" At the broker’s last sample our count stood {dollars(abs(gap), cents=True)} "
        f"{'above' if gap > 0 else 'below'} its own."
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
    return [f"<strong>{escape(line.symbol)}</strong>", named(line.owner), gain(line.pnl_usd)]


def happenings(week: Week) -> Fragment:
    """Return alerts, breaks, moves of the kill switch and what the broker refused, oldest first."""
    if not week.told:
        return told("No alert, no break, nothing switched off, no move of the kill switch.", name="quiet")
    columns = [Column("When, New York", 24), Column("What", 76)]
    shown = _shown(week.told)
    rows = [
        [f"{each.at.astimezone(NEW_YORK):%a %d %b, %H:%M}", escape(words_of(each.event))] for each in shown
    ]
    left = len(week.told) - len(shown)
    more = paragraph(f"{left} more stand in the journal: <code>qgtm audit tail</code>.", "quiet")
    return Fragment(table(columns, rows) + (more if left else ""))


def _shown(told_of: Sequence[Told]) -> list[Told]:
    """Return at most TOLD_AT_MOST, in order; alerts give way to what they tell of, and old to new."""
    order = sorted(range(len(told_of)), key=lambda n: (isinstance(told_of[n].event, AlertRaised), -n))
    return [told_of[n] for n in sorted(order[:TOLD_AT_MOST])]


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
    evidence = escape(verdict_of(card).words)
    return [named(str(card["name"])), evidence, escape(str(card.get("kill_condition", "not said")))]
