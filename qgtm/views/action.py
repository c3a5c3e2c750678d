"""What a person has to do after a week, each item following from a fact of the journal and nothing else."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Final

from qgtm.core.events import AlertRaised
from qgtm.core.mode import Mode
from qgtm.core.money import usd
from qgtm.views.performance import performance
from qgtm.views.week import Week
from qgtm.views.words import bound, count, dollars, percent

NEAR_CAP_FRAC: Final = Decimal("0.75")  # of the soft cap: "approaching" it
ODD_USD: Final = Decimal(1)  # a residual or a difference past this is no rounding
BAD_FILL_BPS: Final = Decimal(25)
OF_THE_MARKET: Final = frozenset({"quote", "spread", "collar", "session", "price"})  # no limit on size


@dataclass(frozen=True, slots=True)
class Action:
    """Something to do: the fact that asks for it, and the next step."""

    fact: str
    step: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Caps:
    """The two falls from the peak that act by themselves, as fractions."""

    soft_frac: Decimal
    hard_frac: Decimal


def actions(week: Week, expected: Sequence[date], caps: Caps) -> tuple[Action, ...]:
    """Return what is to be done, the most pressing first; `expected` are the sessions that were due."""
    rules = (
        _halts(week),
        _breaks(week),
        _books(week),
        _fall(week, caps),
        _strategies(week),
        _feeds(week),
        _sessions(week, expected),
        _denied(week),
        _open_targets(week),
        _fills(week),
        _alerts(week),
    )
    return tuple(item for rule in rules for item in rule)


def _halts(week: Week) -> Iterator[Action]:
    switch = week.state.switch
    if switch.mode is not Mode.ACTIVE:
        yield Action(
            f"The kill switch is at {switch.mode.value.replace('_', ' ')}.",
            "Read the reason under “What happened”, and `qgtm status` for what it allows.",
        )
    for latch in switch.latches:
        yield Action(
            f"New orders are stopped ({latch.value.replace('_', ' ')}).",
            "Find the cause, then clear it with `qgtm ack`.",
        )


def _breaks(week: Week) -> Iterator[Action]:
    for subject, found in sorted(week.state.breaks.items()):
        yield Action(
            f"Our book says {found.ours:f} of {subject} and the broker says {found.brokers:f}.",
            "Find out which is true, then accept it with a reason: `qgtm ack`.",
        )


def _books(week: Week) -> Iterator[Action]:
    account = week.account
    if account is None:
        return
    if abs(account.residual_usd) >= ODD_USD:
        yield Action(
            f"{dollars(account.residual_usd, cents=True)} of the week's result belong to no strategy.",
            "Look for accepted breaks, fees or interest in `qgtm audit tail`.",
        )
    close = week.closes[-1]
    gap = usd(close.books_gap_usd or 0.0)
    if abs(gap) > close.equity_usd / 1000:  # marks of another second differ a little
        yield Action(
            f"Our count of the account was {dollars(gap, cents=True)} away from the broker's last sample.",
            "Compare both books: `qgtm status`, then the broker's own page.",
        )


def _fall(week: Week, caps: Caps) -> Iterator[Action]:
    points = performance(week.record).points
    fall = Decimal(repr(points[-1].drawdown_frac)) if points else Decimal(0)
    if fall >= NEAR_CAP_FRAC * caps.soft_frac:
        yield Action(
            f"The account is {percent(fall, 1)} below its peak; positions are halved at "
            f"{bound(caps.soft_frac)}.",
            "Decide now what you would do there, before the switch does it for you.",
        )


def _strategies(week: Week) -> Iterator[Action]:
    for name, reason in sorted(week.state.disabled.items()):
        yield Action(
            f"{name} is switched off: {reason.rstrip('.')}.",
            "Mend its notebook, `make export`, then `qgtm deploy`; its last targets stay until then.",
        )


def _feeds(week: Week) -> Iterator[Action]:
    for feed, reason in sorted(week.state.feeds_failed.items()):
        yield Action(
            f"The feed {feed} has not come back: {reason.rstrip('.')}.",
            "Look at the vendor's status page and at the line in `qgtm status`.",
        )
    if week.refused:
        symbols = ", ".join(sorted({symbol for _, symbol in week.refused}))
        yield Action(
            f"{count(len(week.refused), 'bar')} made no sense and stayed out ({symbols}).",
            "Ask the vendor; the strategies had no view on those sessions.",
        )


def _sessions(week: Week, expected: Sequence[date]) -> Iterator[Action]:
    seen = {close.session for close in week.closes}
    lacking = [day for day in expected if day not in seen]
    if lacking:
        days = ", ".join(f"{day:%A}" for day in lacking)
        yield Action(
            f"The journal holds no closing bars of {days}.",
            "If the session is over, see whether the daemon ran: `qgtm status`.",
        )


def _denied(week: Week) -> Iterator[Action]:
    for denial in week.denials:
        yield Action(
            f"The check {denial.check.replace('_', ' ')} refused {count(denial.count, 'order')}.",
            f"The last of them: {denial.reason.rstrip('.')}. {_cure(denial.check)}",
        )


def _cure(check: str) -> str:
    if check in OF_THE_MARKET:
        return "A later round tries again; a second week like it asks for a look at the feed."
    return "See whether the strategies want more than the limits are meant to allow. The limit comes first."


def _open_targets(week: Week) -> Iterator[Action]:
    state = week.state
    is_stuck = state.is_pending and state.targets_session and week.closes
    if is_stuck and state.targets_session != week.closes[-1].session:
        yield Action(
            f"The targets of {state.targets_session} were never reached.",
            "`qgtm signals --pending` names the symbols.",
        )


def _fills(week: Week) -> Iterator[Action]:
    bad = [fill for fill in week.fills if fill.slippage_bps > BAD_FILL_BPS]
    if bad:
        symbols = ", ".join(sorted({fill.symbol for fill in bad}))
        yield Action(
            f"{count(len(bad), 'fill')} came more than {BAD_FILL_BPS} bp worse than decided ({symbols}).",
            "Read them under “Execution”; a second week like it asks for smaller or slower orders.",
        )


def _alerts(week: Week) -> Iterator[Action]:
    alerts = [told.event for told in week.told if isinstance(told.event, AlertRaised)]
    grave = [alert for alert in alerts if alert.level in ("orange", "red")]
    if grave:
        yield Action(
            f"{count(len(grave), 'grave alert')} in the week.",
            "Read each under “What happened” and write down what was done about it.",
        )
