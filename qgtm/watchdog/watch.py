"""How long the daemon has been silent, as the watchdog itself has seen it; and whom it has not obeyed.

Silence is never counted too long: it begins after the read that first saw the counter, and ends before
the read that saw it again. A pause of this process, or a jump of the wall's clock, is not silence of the
daemon's alone: what was found then is read twice more before anything is done.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from qgtm.watchdog.fact import Looked, Progress, Wish
from qgtm.watchdog.setting import Settings

REREADS: Final = 2
FLATTEN: Final = "Flatten"
SAFER: Final = ("Halt", FLATTEN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """What was seen so far.

    `since_s`: the last progress was first seen by then. `told`: how many of the alerts of this silence
    are out. `doubt`: re-reads that are still to come. `taken_id`: the last command that the daemon is
    known to have taken; None as long as it has not said so. `wishes`: when each command was first seen.
    """

    progress: Progress | None = None
    since_s: float = 0.0
    silence_s: float = 0.0
    told: int = 0
    doubt: int = 0
    doubt_s: float = 0.0
    looked_s: float | None = None
    ahead_s: float | None = None
    taken_id: int | None = None
    old_id: int | None = None
    obeyed_id: int = 0
    wishes: Mapping[int, float] = field(default_factory=dict)

    @property
    def is_armed(self) -> bool:
        """Return whether a daemon has ever beaten in this state folder."""
        return self.progress is not None


def looked(watch: Watch, seen: Looked, now_s: float, settings: Settings) -> Watch:
    """Return the watch after one look, which ended at the monotone second `now_s`."""
    ahead_s = seen.wall_at.timestamp() - seen.asked_s
    doubt, doubt_s = _doubting(watch, seen, ahead_s, now_s, settings)
    progress, since_s, told = watch.progress, watch.since_s, watch.told
    if seen.progress is not None and seen.progress != progress:
        is_first = watch.looked_s is None and progress is None
        progress, since_s = seen.progress, now_s + settings.grace_s if is_first else now_s
        told, doubt = 0, 0
    silence_s = max(0.0, seen.asked_s - since_s) if progress is not None else 0.0
    taken_id, old_id = _done_ids(watch, seen)
    return Watch(
        progress=progress,
        since_s=since_s,
        silence_s=silence_s,
        told=told,
        doubt=doubt,
        doubt_s=doubt_s,
        looked_s=now_s,
        ahead_s=ahead_s,
        taken_id=taken_id,
        old_id=old_id,
        obeyed_id=watch.obeyed_id,
        wishes=_waiting(watch, seen, max(taken_id or 0, old_id or 0, watch.obeyed_id), now_s),
    )


def _doubting(
    watch: Watch, seen: Looked, ahead_s: float, now_s: float, settings: Settings
) -> tuple[int, float]:
    """Return how many re-reads are to come after this look, and when the last was counted."""
    last_s = seen.asked_s if watch.looked_s is None else watch.looked_s
    is_paused = max(seen.asked_s - last_s, now_s - seen.asked_s) > settings.pause_s
    is_jump = watch.ahead_s is not None and abs(ahead_s - watch.ahead_s) > settings.jump_s
    if watch.doubt:
        # a second pause asks for no more re-reads: they would never end on a machine that gasps
        is_counted = seen.asked_s - watch.doubt_s >= settings.reread_s
        return (watch.doubt - 1, now_s) if is_counted else (watch.doubt, watch.doubt_s)
    return (REREADS, now_s) if is_paused or is_jump else (0, watch.doubt_s)


def _done_ids(watch: Watch, seen: Looked) -> tuple[int | None, int | None]:
    """Return the last command that the daemon took, and the last that was there before this process."""
    taken_id, old_id = watch.taken_id, watch.old_id
    if seen.kill is not None:
        taken_id = max(taken_id or 0, seen.kill.command_id)
    if old_id is None and seen.wishes is not None:
        # without the daemon's word, what lay there before this process did counts as taken
        old_id = max((wish.command_id for wish in seen.wishes), default=0) if taken_id is None else 0
    return taken_id, old_id


def _waiting(watch: Watch, seen: Looked, done_id: int, now_s: float) -> Mapping[int, float]:
    """Return since when each command has waited; what cannot be read leaves what was read before."""
    if seen.wishes is None:
        return watch.wishes
    return {
        wish.command_id: watch.wishes.get(wish.command_id, now_s)
        for wish in seen.wishes
        if wish.kind in SAFER and wish.command_id > done_id
    }


def overdue(watch: Watch, seen: Looked, settings: Settings) -> tuple[Wish, ...]:
    """Return the commands that the daemon has left lying for too long, oldest first.

    A daemon that has never said what it took is believed to take commands as long as it makes progress.
    """
    is_silent = not watch.is_armed or watch.silence_s >= settings.obey_s
    if watch.doubt or (watch.taken_id is None and not is_silent):
        return ()
    since_s = watch.wishes
    return tuple(
        wish
        for wish in sorted(seen.wishes or (), key=lambda wish: wish.command_id)
        if seen.asked_s - since_s.get(wish.command_id, seen.asked_s) >= settings.obey_s
    )


def obeyed(watch: Watch, wishes: tuple[Wish, ...]) -> Watch:
    """Return the watch once these commands were obeyed, or found to ask for no more than is done."""
    if not wishes:
        return watch
    done_id = max(wish.command_id for wish in wishes)
    waiting = {number: at_s for number, at_s in watch.wishes.items() if number > done_id}
    return replace(watch, obeyed_id=max(watch.obeyed_id, done_id), wishes=waiting)


def alerts_due(watch: Watch, settings: Settings) -> int:
    """Return how many alerts of this silence should be out by now."""
    return watch.told if watch.doubt else sum(watch.silence_s >= at_s for at_s in settings.alerts_s)


def must_fire(watch: Watch, settings: Settings) -> bool:
    """Return whether the daemon has been silent for so long that everything is to be closed."""
    return watch.is_armed and not watch.doubt and watch.silence_s >= settings.flatten_s
