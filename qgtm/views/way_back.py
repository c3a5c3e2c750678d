"""What OpA types, after looking, to end what stops new orders."""

from qgtm.core.mode import Latch
from qgtm.engine.state import State


def way_back(state: State) -> str | None:
    """Return the sentence with the command, None when nothing stands that a command clears now."""
    latches = state.switch.latches
    if Latch.BREAK in latches and state.breaks:
        command = f'`qgtm reconcile --accept {min(state.breaks)} --reason "…"`'
        return f"OpA, once it is clear why: {command} takes the broker's number."
    if Latch.DISCONNECTED in latches and state.broker_lost is None and not state.is_clean:
        return "Both books are being compared; then OpA can let it trade again."
    if Latch.DISCONNECTED in latches and state.broker_lost is None:
        return 'OpA, after a look at the orders: `qgtm ack disconnected --reason "…"` lets it trade again.'
    if Latch.OPERATOR_HALT in latches:
        return 'OpA: `qgtm ack operator_halt --reason "…"` lets it trade again.'
    return None
