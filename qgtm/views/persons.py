"""How the two persons stand: whose keys count, what waits for OpB, and what is in force. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from qgtm.core.mode import Mode
from qgtm.core.request import Credential, Person, Request
from qgtm.engine.state import State
from qgtm.risk.kill_switch import KillSwitch
from qgtm.views.words import percent


@dataclass(frozen=True, slots=True, kw_only=True)
class Persons:
    """What the page and the command line show of both operators.

    `request` waits for OpB, None for nothing. `ended` says how the last one ended and `override` what the
    soft cap's override means, both empty for none. `counts` are the highest that keys have proven with.
    """

    keys: tuple[Credential, ...]
    request: Request | None = None
    ended: str = ""
    override: str = ""
    counts: Mapping[str, int] = field(default_factory=dict)

    def keys_of(self, person: Person) -> tuple[Credential, ...]:
        """Return a person's keys that count."""
        return tuple(key for key in self.keys if key.person is person)


def persons(state: State, ended: str = "") -> Persons:
    """Return how both stand in a state; the newest request that waits for OpB is the one that is shown."""
    authority = state.authority
    waiting = [each.request for each in authority.standing.values() if each.request.by is not Person.OPB]
    keys = sorted(authority.credentials.values(), key=lambda key: (key.person, key.credential_id))
    return Persons(
        keys=tuple(keys),
        request=waiting[-1] if waiting else None,
        ended=ended,
        override=_override(state),
        counts=authority.counts,
    )


def is_overridden(switch: KillSwitch) -> bool:
    """Return whether a soft cap is overridden now: one whose override has ended acts again in a moment."""
    return switch.mode is Mode.ACTIVE and bool(switch.override_floor_frac)


def _override(state: State) -> str:
    floor = state.switch.override_floor_frac
    if not is_overridden(state.switch) or floor is None:
        return ""
    return (
        "OpA lets the fund keep its size past the soft cap, until the close at most. It ends by itself when "
        f"the fall reaches {percent(floor, 1)}."
    )
