"""What the watchdog's file holds: its word for the page and the daemon, and what it needs to go on itself."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from qgtm.core.codec import canonical, decode
from qgtm.core.errors import EventError
from qgtm.core.instant import text_from_instant
from qgtm.watchdog.fact import KillWord, Progress
from qgtm.watchdog.kernel import State
from qgtm.watchdog.setting import Settings
from qgtm.watchdog.watch import REREADS, Watch
from qgtm.watchdog.way_out import Act, Line, WayOut

FELL_S: Final = 30.0  # a process that fell is started again within this


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedWay:
    """A way out, as far as a new process needs it to go on."""

    act: Act
    reason: str
    wall_at: datetime
    epoch: int | None
    kill_epoch: int | None
    daemon_epoch: int
    is_cancelled: bool
    lines: Mapping[str, Line]
    is_over: bool
    over_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """What a new process of the same folder takes up. `since_s` counts only within one boot."""

    progress: Progress | None
    since_s: float
    told: int
    taken_id: int | None
    old_id: int | None
    obeyed_id: int
    kill: KillWord | None
    out: SavedWay | None
    last: SavedWay | None


def saved(state: State) -> Saved:
    """Return what of the state outlives the process."""
    watch = state.watch
    return Saved(
        progress=watch.progress,
        since_s=watch.since_s,
        told=watch.told,
        taken_id=watch.taken_id,
        old_id=watch.old_id,
        obeyed_id=watch.obeyed_id,
        kill=state.kill,
        out=_saved_way(state.out),
        last=_saved_way(state.last),
    )


def _saved_way(out: WayOut | None) -> SavedWay | None:
    if out is None:
        return None
    return SavedWay(
        act=out.act,
        reason=out.reason,
        wall_at=out.wall_at,
        epoch=out.epoch,
        kill_epoch=out.kill_epoch,
        daemon_epoch=out.daemon_epoch,
        is_cancelled=out.is_cancelled,
        lines=out.lines,
        is_over=out.is_over,
        over_at=out.over_at,
    )


def fields_of(
    state: State, settings: Settings, *, beat: int, now_s: float, wall_at: datetime, boot_id: str, pid: int,
    log: Sequence[str], broker: str, is_ended: bool = False,
) -> dict[str, Any]:  # fmt: skip
    """Return the file's fields: the first ones are the contract with the daemon and the page.

    `epoch`, `kill_epoch`, `act`, `reason` and `since_wall_at` tell of the last halt or flatten, also after a
    daemon has come back; `state` says whether it is still at work.
    """
    out = state.out or state.last
    return {
        "state": state.word,
        "beat": beat,
        "monotonic_s": now_s,
        "boot_id": boot_id,
        "wall_at": text_from_instant(wall_at),
        "pid": pid,
        "epoch": out.epoch if out else None,
        "kill_epoch": out.kill_epoch if out else None,
        "act": str(out.act) if out else None,
        "reason": out.reason if out else "",
        "since_wall_at": text_from_instant(out.wall_at) if out else None,
        "positions_left": {name: str(shares) for name, shares in state.out.left.items()} if state.out else {},
        "silence_s": round(state.watch.silence_s, 1),
        "alerts_s": list(settings.alerts_s),
        "flatten_s": settings.flatten_s,
        "broker": broker,
        "log": list(log),
        "is_ended": is_ended,
        "saved": json.loads(canonical(saved(state))),
    }


def restored(
    fields: Mapping[str, Any] | None, boot_id: str, now_s: float, settings: Settings, *, is_embedded: bool
) -> State:
    """Return the state that a file holds, or a new one.

    Silence goes on from where it was counted when the machine is still of the same boot; either way the
    first look is read twice again before anything is done. With the embedded exchange, whose time stood
    still meanwhile, it is counted anew unless the old process fell a moment ago.
    """
    try:
        kept: Saved = decode(Saved, (fields or {})["saved"])
    except (EventError, KeyError, TypeError):
        return State()
    goes_on = _goes_on(fields or {}, boot_id, now_s, is_embedded=is_embedded)
    watch = Watch(
        progress=kept.progress,
        since_s=kept.since_s if goes_on else now_s + settings.grace_s,
        told=kept.told if goes_on else 0,
        doubt=REREADS,
        doubt_s=now_s,
        taken_id=kept.taken_id,
        old_id=kept.old_id,
        obeyed_id=kept.obeyed_id,
    )
    return State(
        watch=watch, kill=kept.kill, out=_way(kept.out, now_s), last=_way(kept.last, now_s), probe_s=now_s
    )


def _goes_on(fields: Mapping[str, Any], boot_id: str, now_s: float, *, is_embedded: bool) -> bool:
    written_s = fields.get("monotonic_s")
    if fields.get("boot_id") != boot_id or not isinstance(written_s, float) or written_s > now_s:
        return False
    return not is_embedded or (not fields.get("is_ended") and now_s - written_s <= FELL_S)


def _way(kept: SavedWay | None, now_s: float) -> WayOut | None:
    """Return a way out to go on with: an order may have been on its way when the old process ended."""
    if kept is None:
        return None
    out = WayOut(act=kept.act, reason=kept.reason, wall_at=kept.wall_at, began_s=now_s)
    return replace(
        out,
        epoch=kept.epoch,
        kill_epoch=kept.kill_epoch,
        daemon_epoch=kept.daemon_epoch,
        fenced_s=now_s if kept.epoch is not None else None,
        is_cancelled=kept.is_cancelled,
        lines={symbol: replace(line, refusals=0, next_s=0.0) for symbol, line in kept.lines.items()},
        is_over=kept.is_over,
        over_at=kept.over_at,
    )
