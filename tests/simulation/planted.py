"""Bugs to be planted into the product, one at a time: the checker must notice each.

Each takes one guard away, or breaks one promise, in the smallest way that still runs.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from decimal import Decimal
from typing import Any

from _pytest.monkeypatch import MonkeyPatch

from qgtm.adapters import call_budget
from qgtm.adapters.audit import Audit
from qgtm.core.effects import Cancel, CancelAll, FetchQuotes, PollOrders, SampleAccount
from qgtm.core.events import (
    AlertRaised,
    Booted,
    BreakAccepted,
    BreakFound,
    BrokerFound,
    BrokerLost,
    Event,
    IntentFormed,
    Latched,
    LimitsChanged,
    ModeChanged,
    OrderUpdated,
    SessionOpened,
    Unlatched,
)
from qgtm.core.mode import Latch, Mode
from qgtm.core.outcome import Allowed
from qgtm.engine import flatten, intent, live_loop, state
from qgtm.live import daemon, groundwork, hands, kernel, perform, reconciliation
from qgtm.risk import checks
from qgtm.risk.limits import texts
from qgtm.simulation import disk, people
from qgtm.simulation import rig as virtual
from qgtm.watchdog import kernel as watching
from qgtm.watchdog.setting import Settings

Plant = Callable[[MonkeyPatch], None]


def _table(name: str, entry: type, made: Callable[[Any], Any]) -> Plant:
    """Replace one entry of a table of the engine by what `made` makes of it."""

    def plant(patch: MonkeyPatch) -> None:
        table = {"CHANGES": state.CHANGES, "DECISIONS": live_loop.DECISIONS}[name]
        patch.setitem(table, entry, made(table.get(entry)))

    return plant


def acts_before_it_writes(patch: MonkeyPatch) -> None:
    whole = kernel.Kernel._write

    def write(self: Any, events: Sequence[Event], now: Any) -> None:
        owed = self.__dict__.setdefault("owed", [])
        owed += events
        self.late = 6 if any(isinstance(event, IntentFormed) for event in events) else self.late - 1
        if self.late <= 0:
            whole(self, owed, now)
            owed.clear()

    patch.setattr(kernel.Kernel, "late", 0, raising=False)
    patch.setattr(kernel.Kernel, "_write", write)


def intents_are_not_written(patch: MonkeyPatch) -> None:
    whole = kernel.Kernel._write

    def write(self: Any, events: Sequence[Event], now: Any) -> None:
        whole(self, [event for event in events if not isinstance(event, IntentFormed)], now)

    patch.setattr(kernel.Kernel, "_write", write)


def _added(before: Any) -> Any:
    def change(at: Any, event: Any) -> Any:
        order = at.orders.get(event.client_order_id)
        if order is None or not event.filled_quantity:
            return before(at, event)
        more = min(order.filled_quantity + event.filled_quantity, order.quantity)
        return before(at, replace(event, filled_quantity=more))

    return change


def heart_beats_by_itself(patch: MonkeyPatch) -> None:
    whole = virtual.VirtualRig.open_heartbeat

    def opened(self: Any) -> None:
        whole(self)
        line, on = self.ground.line, self.ground.disk

        def again() -> None:
            if self.life.is_alive:
                if on.beat is not None:
                    on.beat = replace(on.beat, counter=on.beat.counter + 1)
                line.after(5.0, again)

        line.after(5.0, again)

    patch.setattr(virtual.VirtualRig, "open_heartbeat", opened)


def exposure_is_not_judged(patch: MonkeyPatch) -> None:
    without = ("single_name", "sector", "gross", "net", "value_at_risk", "turnover")
    patch.setattr(checks, "CHECKS", tuple(each for each in checks.CHECKS if each[0] not in without))
    whole = intent.wishes

    def wishes(at: Any, quotes: Any, limits: Any) -> Any:
        found = whole(at, quotes, limits)
        return tuple(replace(wish, quantity=wish.quantity * 4) for wish in found)

    patch.setattr(intent, "wishes", wishes)


def orders_have_no_size(patch: MonkeyPatch) -> None:
    without = ("order_frac", "order_shares", "order_adv")
    patch.setattr(checks, "CHECKS", tuple(each for each in checks.CHECKS if each[0] not in without))
    patch.setattr(intent, "_most", lambda *_: Decimal(10**9))


def hard_cap_is_forgotten(patch: MonkeyPatch) -> None:
    whole = state.CHANGES[ModeChanged]

    def change(at: Any, event: Any) -> Any:
        return at if event.after is Mode.HALTED_HARD else whole(at, event)

    patch.setitem(state.CHANGES, ModeChanged, change)


def flatten_forgets_a_symbol(patch: MonkeyPatch) -> None:
    whole = flatten._is_due
    patch.setattr(flatten, "_is_due", lambda at, symbol, now: symbol != "GLD" and whole(at, symbol, now))


def people_are_away(patch: MonkeyPatch) -> None:
    """Let nobody look for an hour, so that what must wait for a person has to wait."""
    patch.setattr(people, "LOOK_S", 4_000.0)


def break_latches_nothing(patch: MonkeyPatch) -> None:
    people_are_away(patch)
    patch.setitem(live_loop.DECISIONS, BreakFound, _facts_without(Latched)(live_loop.DECISIONS[BreakFound]))


def lost_broker_latches_nothing(patch: MonkeyPatch) -> None:
    people_are_away(patch)
    patch.setitem(live_loop.DECISIONS, BrokerLost, _facts_without(Latched)(live_loop.DECISIONS[BrokerLost]))


def flatten_leaves_resting_orders(patch: MonkeyPatch) -> None:
    patch.setattr(live_loop, "flatten_care", lambda at, now: [])
    patch.setattr(live_loop, "is_wanted", lambda order, at: True)
    patch.setattr(live_loop, "CancelAll", lambda *_: PollOrders())


def _facts_without(*kinds: type) -> Callable[[Any], Any]:
    def made(before: Any) -> Any:
        def decide(at: Any, event: Any, now: Any, desk: Any) -> Any:
            facts, effects = before(at, event, now, desk)
            return [fact for fact in facts if not isinstance(fact, kinds)], effects

        return decide

    return made


def _effects_without(*kinds: type) -> Callable[[Any], Any]:
    def made(before: Any) -> Any:
        def decide(at: Any, event: Any, now: Any, desk: Any) -> Any:
            facts, effects = before(at, event, now, desk)
            return facts, [effect for effect in effects if not isinstance(effect, kinds)]

        return decide

    return made


def lost_broker_keeps_its_orders(patch: MonkeyPatch) -> None:
    patch.setitem(
        live_loop.DECISIONS, BrokerLost, _effects_without(Cancel, CancelAll)(live_loop.DECISIONS[BrokerLost])
    )
    patch.setattr(live_loop, "_why_to_cancel", lambda *_: "")


def found_broker_clears_itself(patch: MonkeyPatch) -> None:
    def decide(at: Any, event: Any, now: Any, desk: Any) -> Any:
        return [Unlatched(latch=Latch.DISCONNECTED, reason="", by="")], ()

    patch.setitem(live_loop.DECISIONS, BrokerFound, decide)


def break_mends_itself(patch: MonkeyPatch) -> None:
    whole = reconciliation.differences

    def mended(at: Any, books: Any, *rest: Any) -> Any:
        found = whole(at, books, *rest)
        accepted = [
            BreakAccepted(subject=each.subject, brokers=each.brokers, reason="", by="")
            for each in found
            if isinstance(each, BreakFound)
        ]
        return [*found, *accepted]

    patch.setattr(daemon, "differences", mended)


def breaks_are_not_found(patch: MonkeyPatch) -> None:
    patch.setattr(reconciliation, "find_breaks", lambda *_: ())
    patch.setattr(reconciliation, "find_foreign_orders", lambda *_: ())
    patch.setattr(reconciliation, "find_cash_break", lambda *_: ())


def own_fills_are_not_caught_up(patch: MonkeyPatch) -> None:
    patch.setitem(perform.DEEDS, PollOrders, lambda effect, world: ())


def quotes_of_any_age_do(patch: MonkeyPatch) -> None:
    without = ("quote", "spread", "collar")
    patch.setattr(checks, "CHECKS", tuple(each for each in checks.CHECKS if each[0] not in without))


def nothing_is_judged(patch: MonkeyPatch) -> None:
    patch.setattr(intent, "judge", lambda *_: Allowed())


def snapshot_is_of_another_moment(patch: MonkeyPatch) -> None:
    whole = disk.MemorySnapshots.write

    def write(self: Any, at: Any, head: Any, now: Any) -> None:
        whole(self, replace(at, cash_usd=at.cash_usd + 1), head, now)

    patch.setattr(disk.MemorySnapshots, "write", write)


def state_runs_ahead_of_the_journal(patch: MonkeyPatch) -> None:
    whole = kernel.Kernel._write

    def write(self: Any, events: Sequence[Event], now: Any) -> None:
        whole(self, [event for event in events if type(event).__name__ != "TargetsReached"], now)

    patch.setattr(kernel.Kernel, "_write", write)


def money_in_is_booked_twice(patch: MonkeyPatch) -> None:
    whole = kernel.teaches_nothing

    def teaches(at: Any, event: Any) -> bool:
        return type(event).__name__ != "CashMoved" and whole(at, event)

    patch.setattr(kernel, "teaches_nothing", teaches)


def chain_is_not_chained(patch: MonkeyPatch) -> None:
    whole = disk.chained

    def chained(head: Any, events: Any, text: str) -> Any:
        rows = whole(head, events, text)
        return [row._replace(body=row.body + " ") if row.kind == "TargetsSet" else row for row in rows]

    patch.setattr(disk, "chained", chained)


def calls_are_not_counted(patch: MonkeyPatch) -> None:
    patch.setattr(call_budget.CallBudget, "take", lambda self, is_urgent=False: 0.0)
    for kind in (SampleAccount, PollOrders, FetchQuotes):
        patch.setitem(hands.PACES_S, kind, 0.0)
    patch.setitem(live_loop.DECISIONS, AlertRaised, lambda at, event, now, desk: ((), ()))
    whole = live_loop._overdue

    def overdue(at: Any, event: Any, now: Any, desk: Any) -> Any:
        return [*whole(at, event, now, desk), SampleAccount(), PollOrders()]

    patch.setattr(live_loop, "_overdue", overdue)


def dead_man_is_hasty(patch: MonkeyPatch) -> None:
    def must_fire(watch: Any, settings: Settings) -> bool:
        return bool(watch.is_armed and not watch.doubt and watch.silence_s >= 600.0)

    patch.setattr(watching, "must_fire", must_fire)


def dead_man_sleeps(patch: MonkeyPatch) -> None:
    patch.setattr(watching, "must_fire", lambda *_: False)


def tampered_prints_are_let_in(patch: MonkeyPatch) -> None:
    def check(self: Any, package: Any) -> tuple[()]:
        self.package = virtual.the_package()
        return ()

    patch.setattr(virtual.VirtualRig, "check_prints", check)


def quiet_days_are_loud(patch: MonkeyPatch) -> None:
    whole = live_loop.DECISIONS[SessionOpened]

    def decide(at: Any, event: Any, now: Any, desk: Any) -> Any:
        facts, effects = whole(at, event, now, desk)
        return [*facts, AlertRaised(level="yellow", cause="session", text="It opened.")], effects

    patch.setitem(live_loop.DECISIONS, SessionOpened, decide)


def one_sample_is_enough(patch: MonkeyPatch) -> None:
    from qgtm.risk import drawdown

    patch.setattr(drawdown, "PARAMS", replace(drawdown.PARAMS, needed=1))


def kill_leaves_unsent_orders_wanted(patch: MonkeyPatch) -> None:
    patch.setattr(live_loop, "is_wanted", lambda order, at: True)
    patch.setattr(live_loop, "may_grow", lambda switch: True)
    patch.setattr(checks, "_switch", lambda case: None)
    patch.setattr(checks, "CHECKS", tuple(each for each in checks.CHECKS if each[0] != "switch"))
    patch.setattr(live_loop, "_is_held_back", lambda at: False)
    patch.setattr(live_loop, "must_flatten", lambda switch: False)


def bars_of_today_decide(patch: MonkeyPatch) -> None:
    from qgtm.simulation import tape

    def bar_sets(self: Any, symbols: Any, start: Any, end: Any, now: Any) -> Any:
        sessions = [s for s in self._prices.sessions(start, end) if s.open_at <= now]
        return tuple(
            replace(
                tape._plain(self._number, s),
                known_at=now,
                bars={
                    name: replace(bar, known_at=now)
                    for name, bar in tape._plain(self._number, s).bars.items()
                },
            )
            for s in sessions
        )

    patch.setattr(tape.Tape, "bar_sets", bar_sets)
    whole = live_loop._overdue

    def overdue(at: Any, event: Any, now: Any, desk: Any) -> Any:
        from qgtm.core.effects import FetchBars

        early = at.is_open and at.session and (at.bars_session is None or at.bars_session < at.session)
        return [
            *([FetchBars(at.session, after=at.bars_session)] if early else []),
            *whole(at, event, now, desk),
        ]

    patch.setattr(live_loop, "_overdue", overdue)


def soft_cap_halves_again(patch: MonkeyPatch) -> None:
    from qgtm.risk import kill_switch

    whole = kill_switch._marked

    def marked(after: Any, before: Any, trigger: Any, now: Any) -> Any:
        return whole(after, replace(before, override_floor_frac=None), trigger, now)

    patch.setattr(kill_switch, "_marked", marked)


def soft_cap_halves_nothing(patch: MonkeyPatch) -> None:
    whole = live_loop.halved

    def halved(at: Any) -> Any:
        targets = whole(at)
        return replace(targets, weights={name: 2 * weight for name, weight in targets.weights.items()})

    patch.setattr(live_loop, "halved", halved)
    patch.setattr(intent, "_under_ceiling", lambda at, symbol, target: target)


def ramp_hurries(patch: MonkeyPatch) -> None:
    whole = state.session_opened

    def opened(switch: Any, session: Any) -> Any:
        return whole(replace(whole(switch, session), ramp_session=None), session)

    patch.setattr(state, "session_opened", opened)


def ramp_grows_at_each_boot(patch: MonkeyPatch) -> None:
    whole = state.CHANGES[Booted]

    def change(at: Any, event: Any) -> Any:
        after = whole(at, event)
        step = min(after.switch.ramp_step + 1, 5)
        return replace(after, switch=replace(after.switch, ramp_step=step))

    patch.setitem(state.CHANGES, Booted, change)


def boot_forgets_the_peak(patch: MonkeyPatch) -> None:
    whole = state.booted
    lower = Decimal("0.95")
    patch.setattr(
        state,
        "booted",
        lambda at: replace(whole(at), high_water_mark_usd=at.high_water_mark_usd * lower),
    )


def boot_forgets_a_halt(patch: MonkeyPatch) -> None:
    whole = groundwork._restored

    def restored(rig: Any) -> Any:
        at = whole(rig)
        rig.kernel.state = replace(at, switch=replace(at.switch, mode=Mode.ACTIVE))
        return rig.kernel.state

    patch.setattr(groundwork, "_restored", restored)


def daemon_deploys_what_it_finds(patch: MonkeyPatch) -> None:
    patch.setattr(groundwork, "_is_first", lambda rig, sha: True)


def file_loosens_limits(patch: MonkeyPatch) -> None:
    def limits(at: Any, file: Any) -> list[Event]:
        return [LimitsChanged(limits=texts(file), reason="as the file says", by="the configuration file")]

    patch.setattr(groundwork, "limits_at_boot", limits)


def flipped_bit_is_believed(patch: MonkeyPatch) -> None:
    patch.setattr(virtual.VirtualRig, "audit", lambda self: Audit(0, self.ground.disk.head, None))


def process_without_memory_limps(patch: MonkeyPatch) -> None:
    whole = daemon.Loop.turn

    def turn(self: Any) -> None:
        with suppress(MemoryError):
            whole(self)

    patch.setattr(daemon.Loop, "turn", turn)


PLANTED: dict[str, tuple[Plant, str]] = {
    "acts before it writes": (acts_before_it_writes, "V3"),
    "intents are not written": (intents_are_not_written, "V3 V4"),
    "a fill is added to the one before": (_table("CHANGES", OrderUpdated, _added), "V9 V11"),
    "the heart beats by itself": (heart_beats_by_itself, "V15"),
    "exposure is not judged": (exposure_is_not_judged, "V1"),
    "orders have no size": (orders_have_no_size, "V2"),
    "the hard cap is forgotten": (hard_cap_is_forgotten, "V7 V5 V12 V11"),
    "the flatten forgets a symbol": (flatten_forgets_a_symbol, "V7"),
    "the flatten leaves resting orders": (flatten_leaves_resting_orders, "V5 V7"),
    "a lost broker latches nothing": (lost_broker_latches_nothing, "V14 V25"),
    "a lost broker keeps its orders": (lost_broker_keeps_its_orders, "V14"),
    "a found broker clears itself": (found_broker_clears_itself, "V13 V14"),
    "a break latches nothing": (break_latches_nothing, "V13 V25"),
    "a break mends itself": (break_mends_itself, "V13"),
    "breaks are not found": (breaks_are_not_found, "V13 V9"),
    "own fills are not caught up": (own_fills_are_not_caught_up, "V9 V26"),
    "quotes of any age do": (quotes_of_any_age_do, "V17"),
    "nothing is judged": (nothing_is_judged, "V17 V1 V2"),
    "the snapshot is of another moment": (snapshot_is_of_another_moment, "V11 V9 V13"),
    "the state runs ahead of the journal": (state_runs_ahead_of_the_journal, "V11"),
    "money in is booked twice": (money_in_is_booked_twice, "V9 V13"),
    "the chain is not chained": (chain_is_not_chained, "V21"),
    "calls are not counted": (calls_are_not_counted, "V22"),
    "the dead man is hasty": (dead_man_is_hasty, "V15"),
    "the dead man sleeps": (dead_man_sleeps, "V15"),
    "tampered prints are let in": (tampered_prints_are_let_in, "V18"),
    "quiet days are loud": (quiet_days_are_loud, "V26"),
    "one sample is enough": (one_sample_is_enough, "V26"),
    "the kill stops nothing": (kill_leaves_unsent_orders_wanted, "V5 V7 V6"),
    "today's bars decide on today": (bars_of_today_decide, "V17"),
    "the soft cap halves again": (soft_cap_halves_again, "V6"),
    "the soft cap halves nothing": (soft_cap_halves_nothing, "V6"),
    "the ramp hurries": (ramp_hurries, "V20"),
    "the ramp grows at each boot": (ramp_grows_at_each_boot, "V20 V12"),
    "a boot forgets the peak": (boot_forgets_the_peak, "V12"),
    "a boot forgets a halt": (boot_forgets_a_halt, "V12"),
    "a daemon deploys what it finds": (daemon_deploys_what_it_finds, "V18"),
    "a file loosens limits": (file_loosens_limits, "V18"),
    "a flipped bit is believed": (flipped_bit_is_believed, "V21"),
    "a process without memory limps": (process_without_memory_limps, "V25"),
}

# Where a bug shows only when something rare is met: these classes strike on every day that is not calm.
FALLS = frozenset({"soft", "hard", "flatten", "partial"})
SILENCE = frozenset({"long stop", "long pause"})
FOCUS: dict[str, frozenset[str]] = {
    "a lost broker keeps its orders": frozenset({"partial", "stream gone", "mute"}),
    "a break latches nothing": frozenset({"manual", "soft"}),
    "breaks are not found": frozenset({"manual"}),
    "a break mends itself": frozenset({"manual"}),
    "tampered prints are let in": frozenset({"tampered"}),
    "the snapshot is of another moment": frozenset({"kill", "crash loop", "stop"}),
    "the hard cap is forgotten": frozenset({"hard"}),
    "the flatten forgets a symbol": FALLS,
    "the flatten leaves resting orders": FALLS,
    "the kill stops nothing": FALLS,
    "the heart beats by itself": SILENCE,
    "the dead man is hasty": SILENCE,
    "the dead man sleeps": SILENCE,
    "one sample is enough": frozenset({"bad print"}),
    "quotes of any age do": frozenset({"stale", "spoilt"}),
    "nothing is judged": frozenset({"stale", "spoilt"}),
    "quiet days are loud": frozenset(),
    "the state runs ahead of the journal": frozenset(),
    "the chain is not chained": frozenset(),
    "money in is booked twice": frozenset({"deposit"}),
    "own fills are not caught up": frozenset({"kill"}),
    "today's bars decide on today": frozenset(),
    "the soft cap halves again": frozenset({"soft", "override"}),
    "the soft cap halves nothing": frozenset({"soft"}),
    "the ramp hurries": frozenset({"hard"}),
    "the ramp grows at each boot": frozenset({"hard", "kill"}),
    "a boot forgets the peak": frozenset({"kill"}),
    "a boot forgets a halt": frozenset({"hard", "kill"}),
    "a daemon deploys what it finds": frozenset({"changed"}),
    "a file loosens limits": frozenset({"loosened"}),
    "a flipped bit is believed": frozenset({"bit flip"}),
    "a process without memory limps": frozenset({"no memory"}),
}
