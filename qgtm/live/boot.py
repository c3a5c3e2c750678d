"""The boot: eight steps, each with a verdict that is printed with its time and written down.

A step that fails names the next step for a person, and the boot ends there: the daemon does not trade.
Only a broker that does not answer is asked again, since it may come back by itself.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Final

import numpy as np

from qgtm.adapters.heartbeat import Heartbeat
from qgtm.core.bar import BarSet
from qgtm.core.errors import BootRefused, BrokerError, FeedError, QgtmError
from qgtm.core.events import (
    AlertRaised,
    BootStepFinished,
    BreakFound,
    CashMoved,
    Event,
    WentLive,
)
from qgtm.core.universe import SYMBOLS
from qgtm.live.beside import waiting
from qgtm.live.dead_man import dead_mans_word
from qgtm.live.groundwork import configuration, strategies
from qgtm.live.perform import account_sample, closed, market_hours
from qgtm.live.rebase import said, shifts
from qgtm.live.reconciliation import FLOWS_BACK, adopted, differences, late_news, read_books
from qgtm.live.rig import Rig
from qgtm.live.scale import refusals
from qgtm.risk.factors import absent

Say = Callable[[BootStepFinished], None]
ASK_AGAIN_S: Final = 5.0  # at most; a broker that was busy for a moment is asked again soon
FIRST_PAUSE_S: Final = 0.5
STREAM_S: Final = 10.0
FEEDS_S: Final = 20.0  # for the first look of each feed, which fetches years
FEEDS_LOOK_S: Final = 0.25
SETTLED_S: Final = 2.0
LOOKS: Final = 5
MOST_REFUSALS: Final = 10  # bars put aside that are told of: a first start reads years of them


@dataclass(frozen=True)
class Step:
    """One step of the boot: a name for people, and a function that returns what it found."""

    name: str
    do: Callable[[Rig], str]
    may_wait: bool = False


def boot(rig: Rig, say: Say) -> bool:
    """Run the eight steps; return True when live, False when told to stop while waiting for the broker.

    Raises QgtmError with the failed step's sentence.
    """
    told: list[BootStepFinished] = []
    for number, each in enumerate(STEPS, 1):
        verdict = _verdict(rig, number, each, say)
        told.append(verdict)
        if hasattr(rig, "kernel"):
            for one in told:
                rig.kernel.take(one, rig.clock.now())
            told.clear()
        if not verdict.is_ok:
            return False
    return True


def _verdict(rig: Rig, number: int, each: Step, say: Say) -> BootStepFinished:
    timer, detail, is_ok = rig.machine, "", False
    began_s, pause_s = timer.monotonic(), min(FIRST_PAUSE_S, ASK_AGAIN_S)
    while not is_ok and not rig.stop.is_set():
        try:
            detail, is_ok = each.do(rig), True
        except QgtmError as problem:
            detail = str(problem)
            if not (each.may_wait and isinstance(problem, BrokerError | FeedError)):
                _refused(rig, _finished(number, each, False, detail, timer.monotonic() - began_s), say)
                raise
            say(_finished(number, each, False, f"{detail}; asking again", timer.monotonic() - began_s))
            rig.stop.wait(pause_s)
            pause_s = min(2 * pause_s, ASK_AGAIN_S)
    verdict = _finished(number, each, is_ok, detail, timer.monotonic() - began_s)
    say(verdict)
    return verdict


def _refused(rig: Rig, verdict: BootStepFinished, say: Say) -> None:
    """Say why the boot ends, and leave it for those who look later, where there is a journal to write to."""
    say(verdict)
    if hasattr(rig, "kernel"):
        with suppress(QgtmError):  # the step's own problem is the one that is raised
            rig.kernel.take(verdict, rig.clock.now())


def _finished(number: int, each: Step, is_ok: bool, detail: str, took_s: float) -> BootStepFinished:
    return BootStepFinished(
        number=number, name=each.name, is_ok=is_ok, detail=detail, took_s=round(took_s, 3)
    )


# --- 3 and 4: the broker ------------------------------------------------------------------------


def _broker(rig: Rig) -> str:
    if not hasattr(rig, "hands"):
        rig.connect()
        rig.stream.start()
    account = rig.broker.account()
    pinned = rig.config.broker.account_number
    if pinned and account.number != pinned:
        raise BootRefused(
            f"this is account {account.number}, and broker.account_number pins {pinned}: "
            "use that account's keys."
        )
    if account.is_blocked or account.status != "ACTIVE":
        raise BootRefused(
            f"account {account.number} is {account.status} and may not trade: see the broker's own page."
        )
    if not rig.stream.wait_listening(STREAM_S):
        raise BrokerError("the order stream does not listen: orders go out only when both ways are open")
    rig.kernel.desk = replace(rig.kernel.desk, is_shorting_allowed=account.is_shorting_enabled)
    return f"account {account.number}, equity ${account.equity_usd:,.2f}, stream listening"


def _reconciliation(rig: Rig) -> str:
    kernel, now = rig.kernel, rig.clock.now()
    # What the watchdog did is heard first: its orders are then known for the fund's own.
    kernel.take_all(dead_mans_word(kernel.state, rig.watchdog_word(), now), now)
    if kernel.state.cash_usd == 0 and not kernel.state.positions:
        # What moved of late is told again by the first comparison, which books it.
        of_late = sum(
            (flow.amount_usd for flow in rig.broker.cash_flows((now - FLOWS_BACK).date())), Decimal(0)
        )
        cash = rig.broker.account().cash_usd - of_late
        kernel.take(CashMoved(activity_id="start", kind="start", amount_usd=cash), now)
    reconcile(rig)
    breaks = kernel.state.breaks
    held = sum(1 for position in kernel.state.positions.values() if position.quantity)
    if breaks:
        return f"{len(breaks)} breaks ({', '.join(breaks)}): no new orders until OpA accepts them"
    return f"{held} positions and the cash agree"


def reconcile(rig: Rig) -> None:
    """Compare both books; a difference counts only when the next look, a moment later, shows the same.

    Raises BrokerError when the broker does not answer, or when both books keep moving.
    """
    kernel, doubtful = rig.kernel, list[Event]()
    for _ in range(LOOKS):
        books = read_books(rig.broker, kernel.state.live_orders, rig.clock.now())
        kernel.take_all([*adopted(kernel.state, books), *late_news(books)], rig.clock.now())
        found = differences(kernel.state, books)
        breaks: list[Event] = [event for event in found if isinstance(event, BreakFound)]
        if not breaks or breaks == doubtful:
            kernel.take_all(found, rig.clock.now())
            return
        doubtful = breaks
        rig.stop.wait(SETTLED_S)
    raise BrokerError(f"both books differ in another way at each of {LOOKS} looks: orders still fill")


# --- 5 to 8: data, risk, life -------------------------------------------------------------------


def _data(rig: Rig) -> str:
    rig.open_bars()
    last = _last_finished(rig)
    rig.learn_releases()
    rig.scale.learn(rig.store.load())
    fetched = _fill_store(rig, last)
    known = rig.store.load_arrays(SYMBOLS)
    if not len(known):
        raise BootRefused("no daily bars came: see that the feed is up, then start again")
    _wait_for_feeds(rig)
    _take_history(rig, rig.store.load())
    told = f"{len(rig.history)} sessions to {rig.history.last_session}, {fetched} fetched anew"
    return f"{told}{_not_judged(rig)}{_not_fresh(rig)}"


def _wait_for_feeds(rig: Rig) -> None:
    """Give `qgtm feeds` time for its first look: a history without it would have to be warmed up anew.

    Only a fund's first start waits: after a fall the dead man is counting.
    """
    if rig.kernel.state.bars_session is not None:
        return
    until_s = rig.machine.monotonic() + FEEDS_S
    while not rig.beside.is_filled() and rig.machine.monotonic() < until_s and not rig.stop.is_set():
        rig.stop.wait(FEEDS_LOOK_S)


def _not_fresh(rig: Rig) -> str:
    """Tell which feeds are not fresh, and who waits for them."""
    told = rig.beside.judged(rig.clock.now())
    rig.kernel.take_all(told, rig.clock.now())
    said = waiting(told, rig.kernel.desk.strategies)
    return f"; {said}" if said else ""


def _not_judged(rig: Rig) -> str:
    """Tell of the factors that this market has no bars for: their limits have nothing to hold."""
    closes = rig.history.closes(SYMBOLS, len(rig.history))
    there = [symbol for symbol, column in zip(SYMBOLS, closes.T, strict=True) if np.isfinite(column).any()]
    lacking = ", ".join(name.replace("_", " ") for name in absent(there))
    if not lacking:
        return ""
    text = f"No bars came for the risk's factors {lacking}: the limits on their shares cannot be held."
    rig.kernel.take(AlertRaised(level="yellow", cause="factors", text=text), rig.clock.now())
    return f"; no bars for the factors {lacking}"


def _last_finished(rig: Rig) -> date:
    now = rig.clock.now()
    today = rig.calendar.session_on(now.date())
    if today is not None and today.close_at <= now:
        return today.day
    return rig.calendar.previous_session(now.date()).day


def _fill_store(rig: Rig, last: date) -> int:
    known = rig.store.last_session()
    if known is not None and known >= last:
        return 0
    span = timedelta(days=int(rig.config.feeds.ohlcv.history_sessions * 1.5) + 10)
    # our last session is asked for again: the vendor's word on it must still be ours
    fetched: Sequence[BarSet] = rig.feed.daily(SYMBOLS, last - span if known is None else known, last)
    if known is not None and (shifted := shifts(rig.store.load()[-1], fetched)):
        rig.scale.forget()
        fetched = rig.feed.daily(SYMBOLS, last - span, last)
        rig.kernel.take_all(said(shifted, rig.kernel.desk.strategies), rig.clock.now())
    fetched = [rig.scale.checked(bars) for bars in fetched]
    told = [alert for bars in fetched for alert in refusals(bars.session, bars.refused)]
    rig.kernel.take_all(told[-MOST_REFUSALS:], rig.clock.now())
    rig.store.append(*fetched)
    return sum(1 for bars in fetched if known is None or bars.session > known)


def _take_history(rig: Rig, sets: Sequence[BarSet]) -> None:
    """Let the history hold what was decided on already; later sessions come as events, one by one."""
    kernel = rig.kernel
    decided = kernel.state.bars_session or (sets[-2].session if len(sets) > 1 else None)
    known = rig.beside.rows([bars.known_at for bars in sets])
    kernel.take_all(rig.beside.judged(rig.clock.now()), rig.clock.now())
    for bars, beside in zip(sets, known, strict=True):
        if decided is not None and bars.session <= decided:
            rows = {s: (b.open, b.high, b.low, b.close, b.volume) for s, b in bars.bars.items()}
            rig.history.append(bars.session, rows, beside)
        else:
            kernel.take(closed(bars, rig.clock.now(), beside), rig.clock.now())


def _risk(rig: Rig) -> str:
    rig.kernel.take_all([market_hours(rig.broker), account_sample(rig.broker, rig.clock)], rig.clock.now())
    state = rig.kernel.state
    limits = state.limits or rig.config.limits
    latches = ", ".join(state.switch.latches) or "no latch"
    caps = f"caps at {limits.soft_cap_frac:.0%} and {limits.hard_cap_frac:.0%}"
    return f"{state.switch.mode.value}, {latches}, {caps}"


def _heartbeat(rig: Rig) -> str:
    rig.open_heartbeat()
    rig.open_kill_file()
    beat(rig, 0, "boot")
    rig.tell_watchdog()
    return f"epoch {rig.lease.epoch}"


def beat(rig: Rig, counter: int, what: str) -> None:
    """Write the heartbeat if the loop has advanced. Raises JournalError when the disk refuses."""
    rig.heartbeat.write(
        Heartbeat(
            counter=counter,
            epoch=rig.lease.epoch,
            pid=rig.pid,
            boot_id=rig.boot_id(),
            monotonic_s=rig.clock.monotonic(),
            wall_at=rig.machine.now(),
            venue_at=rig.clock.now(),
            what=what,
            last_broker_at=rig.last_broker_at,
        )
    )


def _live(rig: Rig) -> str:
    rig.kernel.take(WentLive(epoch=rig.lease.epoch), rig.clock.now())
    return "the loop runs"


STEPS: Final = (
    Step("configuration and keys", configuration),
    Step("strategies and checksums", strategies),
    Step("broker", _broker, may_wait=True),
    Step("reconciliation", _reconciliation, may_wait=True),
    Step("data", _data, may_wait=True),
    Step("risk", _risk, may_wait=True),
    Step("heartbeat", _heartbeat),
    Step("live", _live),
)
