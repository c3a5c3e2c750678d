"""The watchdog's mind: state, what happened and the monotone now give the state after and what to do.

No I/O and no clock, so that the simulation can drive it on virtual time. Whoever drives it feeds a `Looked`
at least once a second, makes each call that is asked for and feeds its `Answered`, and takes the lease when
that is wanted. One call is in flight at a time, and the calls a minute are counted here.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Final

from qgtm.core.mode import Mode
from qgtm.watchdog import answer as answers
from qgtm.watchdog.deed import Action, Alert, Ask, AskAccount, AskOrders, Call, Note, TakeLease
from qgtm.watchdog.fact import AccountSeen, Answer, KillWord, LeaseFailed, LeaseTaken, Looked, OrdersSeen
from qgtm.watchdog.setting import CALLS, CALLS_WHEN_FENCED, WINDOW_S, Settings
from qgtm.watchdog.watch import FLATTEN, Watch, alerts_due, looked, must_fire, obeyed, overdue
from qgtm.watchdog.way_out import LEASE_TRIES, Act, WayOut, is_flatten, is_ours, new_round

LEASE_AGAIN_S: Final = 0.5
PROBES_TOLD: Final = 3
HALTED: Final = (Mode.HALTED_HARD, Mode.HALTED_DEAD_MAN)


@dataclass(frozen=True, slots=True)
class Answered:
    """What came of a call."""

    call: Call
    answer: Answer


Happened = Looked | LeaseTaken | LeaseFailed | Answered


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """All that the watchdog knows.

    `out` is the halt or flatten that was begun, also once it is over; `last` the one before a daemon came
    back. `calls_s` are the moments of the last minute's calls.
    """

    watch: Watch = field(default_factory=Watch)
    kill: KillWord | None = None
    out: WayOut | None = None
    last: WayOut | None = None
    is_fencing: bool = False
    flying: Call | None = None
    flying_s: float = 0.0
    calls_s: tuple[float, ...] = ()
    is_account_known: bool = False
    wrong_account: str = ""
    probe_s: float = 0.0
    probe_failures: int = 0

    @property
    def word(self) -> str:
        """Return the state in one word, as the file and the page say it."""
        out = self.out
        if out is None:
            told = f"alerted_{min(self.watch.told, 2)}" if self.watch.told else "watching"
            return told if self.watch.is_armed else "unarmed"
        if out.is_account_wrong:
            return "failed"
        if not out.is_over:
            return "firing"
        return "flat" if out.act is Act.FLATTEN else "halted"


Step = tuple[State, tuple[Action, ...]]


def step(state: State, event: Happened, now_s: float, settings: Settings) -> Step:
    """Return the state after `event` and what is to be done, in order. Raises nothing."""
    after, actions = _ON[type(event)](state, event, now_s, settings)
    last, more = _moved_on(after, now_s, settings)
    return last, (*actions, *more)


# --- a look -------------------------------------------------------------------------------------


def _on_looked(state: State, seen: Looked, now_s: float, settings: Settings) -> Step:
    before, watch = state.watch, looked(state.watch, seen, now_s, settings)
    after = replace(state, watch=watch, kill=seen.kill or state.kill)
    actions: list[Action] = []
    if before.told and not watch.told and state.out is None:
        text = f"The daemon makes progress again, after {before.silence_s:.0f} s without."
        actions.append(Alert(level="info", cause="dead man", text=text))
    after, back = _rearmed(after)
    after, told = _warned(after, settings)
    after, fired = _judged(after, seen, now_s, settings)
    return after, (*actions, *back, *told, *fired)


def _rearmed(state: State) -> Step:
    """Watch again once a daemon runs that has taken a newer lease: it is in charge, and knows from the file.

    A flatten that is not over goes on beside it; both form the same ids.
    """
    out = state.out
    if out is None or not is_daemon_new(state) or not (out.is_over or out.act is Act.HALT):
        return state, ()
    text = "A daemon runs again under a newer lease; the watchdog watches it."
    return replace(state, out=None, last=out), (Alert(level="info", cause="dead man", text=text),)


def is_daemon_new(state: State) -> bool:
    """Return whether a daemon has beaten that took the lease after the watchdog did."""
    out, progress = state.out, state.watch.progress
    if out is None or progress is None:
        return False
    return progress.epoch > max(out.epoch or 0, out.daemon_epoch)


def _warned(state: State, settings: Settings) -> Step:
    watch, due = state.watch, alerts_due(state.watch, settings)
    is_closing = state.out is not None and state.out.act is Act.FLATTEN
    if due <= watch.told or is_closing:
        return state, ()
    text = (
        f"The daemon has made no progress for {_span(watch.silence_s)}. At {_span(settings.flatten_s)} "
        "everything is closed. `qgtm status` says what runs; `qgtm up` starts it."
    )
    level = "orange" if due < len(settings.alerts_s) else "red"
    return replace(state, watch=replace(watch, told=due)), (Alert(level=level, cause="dead man", text=text),)


def _judged(state: State, seen: Looked, now_s: float, settings: Settings) -> Step:
    """Begin what is due: the dead man, or a command that the daemon has left lying."""
    due = overdue(state.watch, seen, settings)
    state = replace(state, watch=obeyed(state.watch, due)) if due else state
    out = state.out
    is_closing = out is not None and out.act is Act.FLATTEN
    if must_fire(state.watch, settings) and not is_closing:
        silence = _span(state.watch.silence_s)
        return _begun(state, Act.FLATTEN, f"the daemon has made no progress for {silence}", seen, now_s)
    if not due or (is_closing and out is not None and not out.is_over):
        return state, ()
    chief = next((wish for wish in due if wish.kind == FLATTEN), due[0])
    act = Act.FLATTEN if chief.kind == FLATTEN else Act.HALT
    reason = (
        f"{chief.by}'s {chief.kind.lower()} (command {chief.command_id}) was not taken in "
        f"{_span(settings.obey_s)}"
    )
    return _begun(state, act, reason, seen, now_s)


def _begun(state: State, act: Act, reason: str, seen: Looked, now_s: float) -> Step:
    progress = state.watch.progress
    out = WayOut(
        act=act,
        reason=reason,
        wall_at=seen.wall_at,
        began_s=now_s,
        daemon_epoch=progress.epoch if progress else 0,
    )
    what = "closes everything" if act is Act.FLATTEN else "cancels all orders; what is held stays"
    text = f"The watchdog fences the daemon and {what}: {reason}."
    return replace(state, out=out, is_fencing=False), (Alert(level="red", cause="dead man", text=text),)


def _span(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds >= 120 else f"{seconds:.0f} s"


# --- the lease ----------------------------------------------------------------------------------


def _on_lease_taken(state: State, event: LeaseTaken, now_s: float, settings: Settings) -> Step:
    out = state.out
    if out is None:
        return replace(state, is_fencing=False), ()
    kill_epoch = out.kill_epoch if out.kill_epoch is not None else _kill_epoch(state, event.epoch)
    after = replace(out, epoch=event.epoch, kill_epoch=kill_epoch, fenced_s=now_s)
    note = Note(
        f"lease epoch {event.epoch} taken: the daemon is fenced; orders carry kill epoch {kill_epoch}"
    )
    return replace(state, out=after, is_fencing=False), (note,)


def _on_lease_failed(state: State, event: LeaseFailed, now_s: float, settings: Settings) -> Step:
    """Try again; after a few tries go on without, since what only reduces needs nobody's leave."""
    out = state.out
    if out is None:
        return replace(state, is_fencing=False), ()
    out = replace(out, lease_tries=out.lease_tries + 1, next_s=now_s + LEASE_AGAIN_S)
    actions: tuple[Action, ...] = (Note(f"the lease could not be taken: {event.reason}"),)
    if out.lease_tries >= LEASE_TRIES:
        if out.lease_tries == LEASE_TRIES:
            text = f"The watchdog goes on without the lease ({event.reason}): a daemon that lives may trade."
            actions = (*actions, Alert(level="red", cause="lease", text=text))
        out = replace(out, kill_epoch=out.kill_epoch or _kill_epoch(state, out.daemon_epoch + 1))
        out = replace(out, fenced_s=now_s if out.fenced_s is None else out.fenced_s)
        out = new_round(out, now_s, is_account_known=_is_account_settled(state, settings))
    return replace(state, out=out, is_fencing=False), actions


def _kill_epoch(state: State, epoch: int) -> int:
    """Return the epoch of the closing orders' ids: a kill's that is under way, else one never used."""
    kill = state.kill
    if kill is not None and kill.mode in HALTED:
        return kill.kill_epoch
    return max(epoch, kill.kill_epoch + 1 if kill is not None else 0)


# --- answers ------------------------------------------------------------------------------------


def _on_answered(state: State, event: Answered, now_s: float, settings: Settings) -> Step:
    if event.call != state.flying:
        return state, ()
    asked_s, state = state.flying_s, replace(state, flying=None)
    out = state.out
    if isinstance(event.call, AskAccount):
        return _account(state, event.answer, now_s, settings)
    if out is None:
        return state, ()
    if out.is_over:
        return _late(state, out, event.answer, now_s, settings)
    after, actions = answers.taken(out, event.call, event.answer, asked_s, now_s, settings)
    return replace(state, out=after), actions


def _account(state: State, answer: Answer, now_s: float, settings: Settings) -> Step:
    if not isinstance(answer, AccountSeen):
        return _unprobed(state, answer, now_s, settings)
    is_right = settings.account_number in ("", answer.number)
    state = replace(state, probe_s=now_s + settings.probe_s, is_account_known=is_right)
    is_news = state.probe_failures >= PROBES_TOLD
    actions: tuple[Action, ...] = ()
    if is_news:
        actions = (
            Alert(level="info", cause="watchdog's broker", text="The broker answers the watchdog again."),
        )
    is_told = state.wrong_account == answer.number
    state = replace(state, probe_failures=0, wrong_account="" if is_right else answer.number)
    if is_right:
        out = state.out and replace(state.out, is_account_wrong=False, todo=(), next_s=now_s)
        return replace(state, out=out), actions
    text = (
        f"The watchdog's keys open account {answer.number}, and broker.account_number pins another: it does "
        "nothing there. Set APCA_WATCHDOG_KEY_ID and APCA_WATCHDOG_SECRET_KEY to keys of the fund's account."
    )
    out = state.out and replace(state.out, is_account_wrong=True, todo=(), next_s=now_s + 60.0)
    alert = Alert(level="red", cause="watchdog's account", text=text)
    return replace(state, out=out), actions if is_told else (*actions, alert)


def _unprobed(state: State, answer: Answer, now_s: float, settings: Settings) -> Step:
    failures = state.probe_failures + 1
    state = replace(state, probe_failures=failures, probe_s=now_s + settings.probe_again_s)
    if state.out is not None and not state.out.is_over:
        out, actions = answers.unanswered(state.out, "the account", answer, now_s, settings)
        return replace(state, out=out), actions
    if failures != PROBES_TOLD:
        return state, (Note(f"the account: {answers.why(answer)}"),)
    text = (
        f"The broker does not answer the watchdog ({answers.why(answer)}): were the daemon to fall silent, "
        "nothing could be closed. Look at its keys and at the network."
    )
    return state, (Alert(level="orange", cause="watchdog's broker", text=text),)


def _late(state: State, out: WayOut, answer: Any, now_s: float, settings: Settings) -> Step:
    """Look at what came after the end: an order that a sleeping daemon had on its way is undone as well."""
    if not isinstance(answer, OrdersSeen):
        return replace(state, out=replace(out, next_s=now_s + settings.after_s)), ()
    late = [order for order in answer.orders if is_ours(order) and not is_flatten(order)]
    if not late:
        return replace(state, out=replace(out, next_s=now_s + settings.after_s)), ()
    text = f"Order {late[0].client_order_id} arrived after everything was done; the watchdog goes on."
    again = replace(
        out, is_over=False, is_cancelled=False, clean=0, rounds=0, next_s=now_s, due_s=None, fenced_s=now_s
    )
    return replace(state, out=again), (Alert(level="red", cause="late order", text=text),)


# --- what is next -------------------------------------------------------------------------------


def calls_a_minute(state: State) -> int:
    """Return how many calls the watchdog may make a minute: more while the daemon it fenced sends nothing."""
    is_fenced = state.out is not None and state.out.epoch is not None and not is_daemon_new(state)
    return CALLS_WHEN_FENCED if is_fenced else CALLS


def has_room(state: State, now_s: float) -> bool:
    """Return whether one more call keeps within the minute's share."""
    return sum(at_s > now_s - WINDOW_S for at_s in state.calls_s) < calls_a_minute(state)


def _is_account_settled(state: State, settings: Settings) -> bool:
    return state.is_account_known or not settings.account_number


def _moved_on(state: State, now_s: float, settings: Settings) -> Step:
    """Ask for the next thing, unless something is in flight, or resting, or the minute's calls are made."""
    if state.is_fencing:
        return state, ()
    out = state.out
    # the first try at the lease does not wait for a call in flight
    is_free = state.flying is None or (out is not None and out.lease_tries == 0)
    if out is not None and is_free and _is_fence_due(out, now_s):
        least = max(out.daemon_epoch, state.watch.progress.epoch if state.watch.progress else 0)
        return replace(state, is_fencing=True), (TakeLease(least),)
    if state.flying is not None:
        return state, ()
    if out is None:
        return _probed(state, now_s, settings)
    if not out.todo and now_s < out.next_s:
        return state, ()
    if out.is_over:
        return _asked(state, AskOrders(out.over_at), now_s)
    if not out.todo:
        out = new_round(out, now_s, is_account_known=_is_account_settled(state, settings))
    return _asked(replace(state, out=out), out.todo[0], now_s)


def _is_fence_due(out: WayOut, now_s: float) -> bool:
    return out.epoch is None and not out.todo and not out.is_over and now_s >= out.next_s


def _probed(state: State, now_s: float, settings: Settings) -> Step:
    # close to firing the line is kept free
    is_quiet = state.watch.silence_s < min(60.0, settings.flatten_s / 2)
    if now_s < state.probe_s or not is_quiet:
        return state, ()
    return _asked(state, AskAccount(), now_s)


def _asked(state: State, call: Call, now_s: float) -> Step:
    if not has_room(state, now_s):
        return state, ()
    out = state.out and replace(state.out, todo=state.out.todo[1:])
    recent = (*(at_s for at_s in state.calls_s if at_s > now_s - WINDOW_S), now_s)
    return replace(state, out=out, flying=call, flying_s=now_s, calls_s=recent), (Ask(call),)


_ON: Final[dict[type[Any], Callable[[State, Any, float, Settings], Step]]] = {
    Looked: _on_looked,
    LeaseTaken: _on_lease_taken,
    LeaseFailed: _on_lease_failed,
    Answered: _on_answered,
}
