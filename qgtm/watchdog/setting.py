"""How long the watchdog waits for what. All of it is process time, in seconds."""

from dataclasses import dataclass
from typing import Final

ALERTS_S: Final = (300.0, 600.0)
FLATTEN_S: Final = 900.0

CALLS: Final = 20  # a minute, as one of the two processes that share the broker's 200
# Once the daemon is fenced it sends no order, so its forty urgent calls are free (ADR 0014).
CALLS_WHEN_FENCED: Final = 60
WINDOW_S: Final = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The limits of the dead man, and the paces of the way out.

    `account_number` pins the account: where it is set, nothing is done in another one.
    """

    alerts_s: tuple[float, ...] = ALERTS_S
    flatten_s: float = FLATTEN_S
    account_number: str = ""
    # how much longer a heartbeat may be silent that was there when the watchdog came
    grace_s: float = 0.0
    obey_s: float = 30.0  # a halt that the daemon has not taken by then is obeyed here
    pause_s: float = 5.0  # between two looks: more than that, and this process was asleep
    jump_s: float = 2.0  # of the wall's clock against the monotone one
    reread_s: float = 1.5  # the daemon beats once a second, so that a re-read gives it time to
    longest_send_s: float = 10.0  # an order that was past the fence has arrived by then
    clean_gap_s: float = 2.0  # between two reads that find nothing left
    probe_s: float = 300.0  # how often the broker is asked whether it answers at all
    probe_again_s: float = 30.0
    open_pace_s: float = 4.0  # between two looks at the book while it is being closed
    late_pace_s: float = 10.0  # the same once a minute has passed
    closed_pace_s: float = 15.0  # while the market is closed
    slowest_s: float = 30.0  # between two tries at a broker that does not answer
    told_again_s: float = 300.0  # what is still open is told again this often
    after_s: float = 30.0  # how often late orders are looked for once all is closed


def short(settings: Settings) -> Settings:
    """Return the paces that suit a venue whose closed hours last seconds: the embedded one, run fast."""
    return Settings(
        alerts_s=settings.alerts_s,
        flatten_s=settings.flatten_s,
        account_number=settings.account_number,
        grace_s=60.0,  # a daemon that boots takes longer than twenty seconds on a busy machine
        open_pace_s=2.0,
        late_pace_s=4.0,
        closed_pace_s=2.0,
        slowest_s=5.0,
        probe_s=60.0,
        after_s=5.0,
    )
