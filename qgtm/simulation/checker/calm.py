"""What a day without a fault must look like: no alarm, no halt, and all wanted trades done."""

from collections.abc import Iterator, Sequence
from decimal import Decimal

from qgtm.simulation.checker.known import Bounds, Row, body_of

HARMLESS = ("info",)


def calm_problems(rows: Sequence[Row], fell_frac: Decimal, bounds: Bounds) -> Iterator[str]:
    """Yield what a calm day's rows show that it must not; `fell_frac` is the real fall from the peak."""
    is_falling = fell_frac >= bounds.soft_cap_frac * Decimal("0.7")
    kinds = {row.kind for row in rows}
    for row in rows:
        if row.kind == "AlertRaised" and (body := body_of(row))["level"] not in HARMLESS and not is_falling:
            yield f"an alert on a calm day: {body['level']}, {body['cause']}: {body['text']}"
        if row.kind == "Latched":
            yield f"latched on a calm day: {row.body}"
        if row.kind == "ModeChanged" and not is_falling:
            yield f"the switch moved on a calm day: {row.body}"
        if row.kind in ("OrderUnknown", "BrokerLost", "FeedFailed", "OrderRejected", "StrategyDisabled"):
            yield f"{row.kind} on a calm day: {row.body}"
    is_done = "TargetsReached" in kinds or "OrderDenied" in kinds
    if "SessionOpened" in kinds and not is_done and not is_falling:
        yield "the targets were not reached, and nothing was denied"
