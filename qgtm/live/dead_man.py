"""What the watchdog did while this daemon was away or stood still, as a fact of the journal."""

from datetime import datetime
from typing import Final

from qgtm.adapters.watchdog_file import WatchdogWord
from qgtm.core.events import AlertRaised, Event, ModeChanged
from qgtm.core.mode import Trigger
from qgtm.engine.state import State
from qgtm.risk.kill_switch import moved

WITHOUT_LEASE: Final = ("firing", "flat")  # where the disk refused it the lease it went on without


def dead_mans_word(state: State, word: WatchdogWord | None, now: datetime) -> list[Event]:
    """Return the dead man's halt, once for each time that the watchdog closed everything; else nothing."""
    if word is None or not is_news(state, word):
        return []
    lease_epoch, kill_epoch = word.epoch or 0, word.kill_epoch or 0
    after = moved(state.switch, Trigger.HEARTBEAT_LOST, now, kill_epoch=kill_epoch)
    return [
        ModeChanged(
            trigger=Trigger.HEARTBEAT_LOST,
            before=state.switch.mode,
            after=after.mode,
            reason=f"the watchdog closed everything: {word.reason}",
            at=now,
            kill_epoch=kill_epoch,
            lease_epoch=lease_epoch,
        )
    ]


def is_news(state: State, word: WatchdogWord) -> bool:
    """Return whether the watchdog has flattened since what the journal knows of."""
    if word.epoch is not None:
        return word.has_flattened_since(state.dead_man_epoch)
    is_at_it = word.has_flattened_since(0) and word.state in WITHOUT_LEASE
    return is_at_it and (word.kill_epoch or 0) > state.switch.kill_epoch


def fenced_words(epoch: int) -> AlertRaised:
    """Return the word of a daemon that finds its lease taken: it sends nothing any more."""
    text = (
        f"The lease of this daemon (epoch {epoch}) was taken by another process: it sends no orders any "
        "more. Stop it, see what the watchdog did, and start it again."
    )
    return AlertRaised(level="red", cause="fenced", text=text)
