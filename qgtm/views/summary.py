"""The few facts that everybody looks at first: one frozen record behind `status`, the API and every page.

What is not known is None, or says so in words; nothing is guessed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final

from qgtm.core.mode import Dot, Latch, Mode, Trigger
from qgtm.core.order import OrderState
from qgtm.engine.state import State
from qgtm.risk.health import PARAMS as HEALTH
from qgtm.risk.health import Facts, health
from qgtm.risk.kill_switch import FULL, KillSwitch, size_frac
from qgtm.risk.limits import Limits
from qgtm.views.chronicle import Chronicle
from qgtm.views.matter import (
    Matter,
    Undelivered,
    Watchdog,
    matters,
    moment,
    practice_said,
    undelivered_said,
)
from qgtm.views.persons import is_overridden
from qgtm.views.regime import FEEDS, paused_said, regime_said
from qgtm.views.signals import Change, pending
from qgtm.views.way_back import way_back
from qgtm.views.words import percent

CENT: Final = Decimal("0.01")
MILLIONTH: Final = Decimal("0.000001")
CHANGE_SHOWN: Final = timedelta(days=7)


class Daemon(StrEnum):
    """What is known of the daemon."""

    RUNNING = "running"
    STOPPED = "stopped"
    UNKNOWN = "unknown"


class Line(StrEnum):
    """What is known of the connection to the broker."""

    CONNECTED = "connected"
    DISCONNECTED = "disconnected"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """What is seen beside the journal, at the moment of looking; times in process seconds.

    `age_s` is the heartbeat's age, None when there is none that belongs to this boot of the machine.
    `watchdog` is its word, None when there is none; `report` names the present halt's report, where it lies.
    `journal_problem` is a sentence when the journal cannot be read, or not to its end.
    """

    monotonic_s: float
    age_s: float | None = None
    epoch: int | None = None
    is_journal_there: bool = True
    journal_problem: str | None = None
    venue_at: datetime | None = None
    speed: float | None = None
    held_by: tuple[str, ...] = ()
    wall_at: datetime | None = None
    watchdog: Watchdog | None = None
    report: str | None = None
    undelivered: Undelivered | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """The fund now. Fractions are fractions; money is Decimal to the cent; moments are venue time.

    `lines` are all that colour the dot, worst first; `as_of` is the journal's last row; `problem` says
    why the journal could not be read, and `next_step` what a person types next, if anything. `matters` are
    what stands beside the dot, and `notes` plain lines that colour nothing.
    """

    dot: Dot
    sentence: str
    lines: tuple[str, ...]
    daemon: Daemon
    daemon_note: str
    heartbeat_age_s: float | None
    uptime_s: float | None
    broker: Line
    broker_note: str
    venue: str | None
    strategies_loaded: int | None
    strategies_total: int | None
    disabled: Mapping[str, str]
    shadows: Mapping[str, str]
    positions: int | None
    notional_usd: Decimal | None
    equity_usd: Decimal | None
    pnl_day_usd: Decimal | None
    pnl_day_frac: Decimal | None
    drawdown_frac: Decimal | None
    soft_cap_frac: Decimal
    hard_cap_frac: Decimal
    near_frac: Decimal
    pending: tuple[str, ...] | None
    risk: str
    latches: tuple[str, ...]
    breaks: tuple[str, ...]
    last_signal: Change | None
    session: date | None
    is_open: bool | None
    venue_at: datetime | None
    speed: float | None
    held_by: tuple[str, ...]
    as_of: datetime | None
    problem: str | None
    next_step: str | None
    watchdog: Watchdog | None
    matters: tuple[Matter, ...]
    notes: tuple[str, ...]
    code: str


def summary(chronicle: Chronicle, outside: Outside, limits: Limits) -> Summary:
    """Return the fund as the journal and what is seen beside it tell it. Raises nothing."""
    state = chronicle.state
    limits = state.limits or limits  # those in force: the configuration's may be looser
    daemon, note = daemon_of(chronicle, outside)
    is_known = chronicle.booted is not None
    facts = facts_of(chronicle, outside, limits)
    told = health(facts)
    broker, broker_note = _broker(chronicle, daemon)
    return Summary(
        dot=told.dot,
        sentence=told.sentence,
        lines=told.lines,
        daemon=daemon,
        daemon_note=note,
        heartbeat_age_s=outside.age_s,
        uptime_s=_uptime_s(chronicle, outside, daemon),
        broker=broker,
        broker_note=broker_note,
        venue=chronicle.booted.venue if chronicle.booted else None,
        strategies_loaded=state.strategies_loaded if is_known else None,
        strategies_total=state.strategies_total if is_known else None,
        disabled=dict(state.disabled),
        shadows=dict(chronicle.booted.shadows) if chronicle.booted else {},
        positions=facts.open_positions,
        notional_usd=_cents(facts.notional_usd),
        equity_usd=_cents(state.equity_usd),
        pnl_day_usd=_cents(chronicle.pnl_day_usd),
        pnl_day_frac=_millionths(chronicle.pnl_day_frac),
        drawdown_frac=_millionths(facts.drawdown_frac),
        soft_cap_frac=limits.soft_cap_frac,
        hard_cap_frac=limits.hard_cap_frac,
        near_frac=Decimal(repr(HEALTH.near_share)) * limits.soft_cap_frac,
        pending=_pending(chronicle, limits) if is_known else None,
        risk=risk_words(state.switch) if is_known else "unknown",
        latches=tuple(latch.value for latch in state.switch.latches),
        breaks=facts.breaks,
        last_signal=chronicle.signals.last,
        session=state.session,
        is_open=state.is_open if is_known else None,
        venue_at=outside.venue_at,
        speed=outside.speed,
        held_by=outside.held_by,
        watchdog=outside.watchdog,
        matters=matters(chronicle, outside.wall_at, outside.watchdog, outside.report),
        notes=_notes(chronicle, outside),
        code=code_said(chronicle),
        as_of=chronicle.at,
        problem=outside.journal_problem,
        next_step=_next_step(chronicle, outside),
    )


def daemon_of(chronicle: Chronicle, outside: Outside) -> tuple[Daemon, str]:
    """Return what is known of the daemon, and why; a beat of a later epoch than the journal's is a boot."""
    if outside.age_s is None:
        if chronicle.stopped is not None:
            return Daemon.STOPPED, _stop_words(chronicle.stopped)
        if chronicle.booted is None and outside.journal_problem is None:
            return Daemon.STOPPED, "it has never run here"
        return Daemon.UNKNOWN, "it has given no sign of life since this machine started"
    if chronicle.stopped is not None and outside.epoch in (None, chronicle.state.epoch):
        return Daemon.STOPPED, _stop_words(chronicle.stopped)
    if outside.age_s > HEALTH.heartbeat_age_s:
        return Daemon.UNKNOWN, f"no sign of life for over {HEALTH.heartbeat_age_s} s"
    return Daemon.RUNNING, "" if chronicle.state.is_live else "it is starting"


def _stop_words(reason: str) -> str:
    return f"it was {reason}" if reason.startswith("told to") else f"it stopped: {reason}"


def facts_of(chronicle: Chronicle, outside: Outside, limits: Limits) -> Facts:
    """Return what colours the dot. A stopped daemon gives no sign of life, however fresh its last."""
    state = chronicle.state
    is_running = daemon_of(chronicle, outside)[0] is not Daemon.STOPPED
    orders = [order.state for order in state.orders.values()]
    return Facts(
        mode=state.switch.mode,
        cause=state.switch.cause,
        is_flat=state.is_flat_confirmed,
        latches=state.switch.latches,
        heartbeat_age_s=outside.age_s if is_running else None,
        is_connected=state.broker_lost is None,
        is_account_blocked=state.is_blocked,
        journal_problem=outside.journal_problem,
        deployment_problem=None,  # the daemon refuses to boot with one, and is silent then
        breaks=tuple(sorted(state.breaks)),
        drawdown_frac=None if state.drawdown is None else state.drawdown.drawdown_frac,
        soft_cap_frac=limits.soft_cap_frac,
        stale_feeds=tuple(FEEDS.get(feed, feed) for feed in sorted(state.feeds_failed)),
        disabled=tuple(sorted(state.disabled)),
        rejected_today=orders.count(OrderState.REJECTED),
        unknown_orders=orders.count(OrderState.UNKNOWN),
        is_clock_mismatch=_is_clock_mismatch(state),
        equity_doubt=None if state.drawdown is None else state.drawdown.doubt,
        watchdog=outside.watchdog.state if outside.watchdog else None,
        watchdog_age_s=outside.watchdog.age_s if outside.watchdog else None,
        notices=_notices(chronicle, outside),
        open_positions=len(chronicle.open_shares)
        if chronicle.booted and not outside.journal_problem
        else None,
        notional_usd=chronicle.notional_usd if chronicle.booted else None,
    )


def _is_clock_mismatch(state: State) -> bool:
    """Return whether the broker closed a session that our calendar opens, and none has opened since."""
    closed = state.closed_session
    return closed is not None and (state.session is None or closed > state.session)


def _notices(chronicle: Chronicle, outside: Outside) -> tuple[str, ...]:
    booted, state, found = chronicle.booted, chronicle.state, []
    if booted and booted.manifest_sha and state.manifest_sha != booted.manifest_sha:
        found.append("New strategies are deployed and wait for a restart.")
    elif booted and booted.code_sha and state.code_sha != booted.code_sha:
        found.append("New code is deployed and waits for a restart.")
    if outside.undelivered and outside.undelivered.failing:
        found.append(undelivered_said(outside.undelivered))
    if state.limits_looser:
        found.append(f"Looser limits in the file wait for both of you: {', '.join(state.limits_looser)}.")
    return tuple(found)


def code_said(chronicle: Chronicle) -> str:
    """Return which code connects the fund, and since when."""
    code = chronicle.code
    return f"{code.sha[:8]}, since {moment(code.since)} ({code.by})" if code else "unknown: none is recorded"


def _changed_code(chronicle: Chronicle) -> str:
    """Return the line for whoever compares: for a week after a change of what connects the fund."""
    code, at = chronicle.code, chronicle.at
    if code is None or at is None or not code.is_change or at - code.since > CHANGE_SHOWN:
        return ""
    return (
        f"The code that connects the fund was changed on {moment(code.since)} by {code.by}; it is now "
        f"{code.sha[:8]}. If nobody told you why, ask."
    )


def _notes(chronicle: Chronicle, outside: Outside) -> tuple[str, ...]:
    """Return what is worth a line and no colour."""
    found = outside.undelivered
    waits = undelivered_said(found) if found and not found.failing else ""
    practice = practice_said(outside.speed, outside.watchdog)
    state = chronicle.state
    market = paused_said(state.paused), regime_said(state.regime)
    return tuple(line for line in (_changed_code(chronicle), waits, *market, practice) if line)


def risk_words(switch: KillSwitch) -> str:
    """Return what the kill switch allows, in words; every latch that is on is named."""
    by_hand = switch.cause is Trigger.OPERATOR
    mode = {
        Mode.ACTIVE: "the soft cap is overridden" if is_overridden(switch) else "",
        Mode.REDUCING: "past the soft cap: half size, nothing new",
        Mode.HALTED_HARD: f"halted {'by hand' if by_hand else 'at the hard cap'}: everything must go",
        Mode.HALTED_DEAD_MAN: "halted by the dead man's switch: everything must go",
    }[switch.mode]
    latch = {
        Latch.BREAK: "no new orders: the books differ",
        Latch.DISCONNECTED: "no new orders: the broker was lost",
        Latch.OPERATOR_HALT: "no new orders: halted by hand",
    }
    ramp = "" if switch.ramp_step == FULL else f"coming back at {percent(_ramp_frac(switch), 0)} of full size"
    said = [text for text in (mode, *(latch[each] for each in switch.latches), ramp) if text]
    return "; ".join(said) or "all clear"


def _ramp_frac(switch: KillSwitch) -> Decimal:
    return size_frac(KillSwitch(ramp_step=switch.ramp_step))


def _broker(chronicle: Chronicle, daemon: Daemon) -> tuple[Line, str]:
    lost = chronicle.state.broker_lost
    if lost is not None:
        return Line.DISCONNECTED, lost
    if daemon is Daemon.RUNNING and chronicle.state.is_live:
        return Line.CONNECTED, ""
    return Line.UNKNOWN, "only a running daemon can tell"


def _uptime_s(chronicle: Chronicle, outside: Outside, daemon: Daemon) -> float | None:
    began_s = chronicle.first_sample_s
    if daemon is not Daemon.RUNNING or began_s is None or outside.epoch != chronicle.state.epoch:
        return None
    return max(0.0, outside.monotonic_s - began_s)


def _pending(chronicle: Chronicle, limits: Limits) -> tuple[str, ...]:
    return tuple(row.symbol for row in pending(chronicle.state, limits.no_trade_band_frac))


def _next_step(chronicle: Chronicle, outside: Outside) -> str | None:
    if outside.journal_problem is not None:
        return "`qgtm audit verify` says how far the journal can be read."
    if chronicle.booted is None:
        return "Nothing has run here yet: `qgtm up` starts everything on the paper exchange."
    if daemon_of(chronicle, outside)[0] is Daemon.STOPPED:
        return "`qgtm up` starts it again, and goes on where it stopped."
    return way_back(chronicle.state)


def _cents(amount: Decimal | None) -> Decimal | None:
    return None if amount is None else amount.quantize(CENT)


def _millionths(frac: Decimal | None) -> Decimal | None:
    return None if frac is None else frac.quantize(MILLIONTH)


def loaded_said(told: Summary) -> str:
    """Return how many strategies are loaded, and how many of them have not passed their gates."""
    shadows = f", {len(told.shadows)} in the shadow" if told.shadows else ""
    return f"{told.strategies_loaded} of {told.strategies_total}{shadows}"


def status_fields(told: Summary) -> dict[str, Any]:
    """Return what `qgtm status --json` prints: JSON numbers, None for what is not known."""
    return {
        "daemon": told.daemon.value,
        "heartbeat_age_s": None if told.heartbeat_age_s is None else round(told.heartbeat_age_s, 3),
        "strategies_loaded": told.strategies_loaded,
        "strategies_total": told.strategies_total,
        "broker": told.broker.value,
        "positions": told.positions,
        "notional_usd": number(told.notional_usd),
        "pnl_day_usd": number(told.pnl_day_usd),
        "pnl_day_frac": number(told.pnl_day_frac),
        "drawdown_frac": number(told.drawdown_frac),
        "signals_pending": None if told.pending is None else len(told.pending),
        "risk": told.risk,
        "dot": told.dot.value,
        "sentence": told.sentence,
    }


def number(amount: Decimal | None) -> float | None:
    """Return a Decimal as the float that JSON can hold."""
    return None if amount is None else float(amount)
