# A print of notebooks/engine/limit_change.ipynb: do not edit it here.
# Edit the notebook and run `make export`, which writes this file and MANIFEST.json anew.
"""Limit change.

How limits change: tighter by either at once, looser by both, and never by a file alone.
"""

# cell 4 of notebooks/engine/limit_change.ipynb
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Final

from qgtm.core.commands import SetLimits
from qgtm.core.errors import ConfigError
from qgtm.core.events import AlertRaised, Event, LimitsChanged, LimitsFileSeen
from qgtm.core.request import Act, Person
from qgtm.engine.act import Seal, no_reason, only_opa, refused
from qgtm.engine.request import asked, whole_limits
from qgtm.engine.state import State
from qgtm.risk.limits import Limits, beside, loosened, numbers, texts, wished_limits

FILE: Final = "the configuration file"


# cell 6 of notebooks/engine/limit_change.ipynb
def limits_set(state: State, command: SetLimits, seal: Seal) -> list[Event]:
    """Return the limits that are tighter, in force at once, and a request for those that are looser."""
    what = "change limits"
    if command.by not in list(Person) or no_reason(command.reason):
        why = no_reason(command.reason) or "only the two operators may"
        return refused(what, command.by, why)
    try:
        wished = wished_limits(seal.limits, command.limits)
        before, after = beside(seal.limits, wished), beside(wished, seal.limits)
        looser = loosened(wished, seal.limits)
        tight = {n: f"{Decimal(v):f}" for n, v in after.items() if v < before[n] and n in command.limits}
        at_once = wished_limits(seal.limits, tight)  # which by themselves must not contradict each other
    except ConfigError as problem:
        return refused(what, command.by, str(problem))
    loose = {name: f"{Decimal(after[name]):f}" for name in looser}
    if not (tight or loose):
        return refused(what, command.by, "these limits are in force already")
    facts: list[Event] = []
    if tight:
        facts += _tightened(state, seal.limits, tight, command.reason.strip(), command.by)
    if loose:
        facts += _looser_asked(state, command, replace(seal, limits=at_once), loose)
    return facts


def _tightened(state: State, limits: Limits, tight: Mapping[str, str], reason: str, by: str) -> list[Event]:
    named = ", ".join(f"{name} {value}" for name, value in sorted(tight.items()))
    news = whole_limits(state, limits, tight)
    return [
        LimitsChanged(limits=news, reason=reason, by=by),
        AlertRaised(level="info", cause="limits", text=f"Limits are tighter by {by}: {named} ({reason})."),
    ]


def _looser_asked(state: State, command: SetLimits, seal: Seal, loose: Mapping[str, str]) -> list[Event]:
    why = only_opa(command.by)
    if why is not None:
        return refused("loosen limits", command.by, why)
    now = numbers(seal.limits)
    named = ", ".join(f"{n} from {now.get(n, 'none of its own')} to {v}" for n, v in sorted(loose.items()))
    text = f"Loosen limits: {named}. Reason: {command.reason.strip()}"
    return asked(state, seal, Act.LIMITS, command.by, text, loose)


def limits_at_boot(state: State, file: Limits) -> list[Event]:
    """Return what a configuration's limits lead to: what is tighter there is in force, nothing looser is."""
    seen = texts(file)
    if state.limits is None:
        first = LimitsChanged(limits=seen, reason="the first start", by=FILE)
        return [first, LimitsFileSeen(limits=seen)]
    there, here = beside(file, state.limits), beside(state.limits, file)
    changed = {name for name in there if seen.get(name) != state.limits_file.get(name)}
    tight = {name: f"{Decimal(there[name]):f}" for name in sorted(changed) if there[name] < here[name]}
    suspects = changed | set(state.limits_looser)
    looser = tuple(sorted(name for name in suspects if name in there and there[name] > here[name]))
    facts = _tightened(state, file, tight, "as the file says", FILE) if tight else []
    if seen != state.limits_file or looser != state.limits_looser:
        facts.append(LimitsFileSeen(limits=seen, looser=looser))
    if looser:
        named = ", ".join(f"{name} {there[name]} ({here[name]} runs)" for name in looser)
        text = f"The configuration has looser limits: {named}. `qgtm limits --set` asks OpB for them."
        facts.append(AlertRaised(level="yellow", cause="limits", text=text))
    return facts


__all__ = [
    "FILE",
    "limits_at_boot",
    "limits_set",
]
