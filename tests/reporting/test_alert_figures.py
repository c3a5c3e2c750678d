"""What the figures of the alerts are made of: each is in the outbox before it is at the mail server."""

import pytest

from benchmarks.alerts import measured


@pytest.mark.invariant("V23")
@pytest.mark.slow
def test_each_alert_is_kept_for_delivery_before_it_is_delivered_once() -> None:
    enqueued, delivered = measured(4)
    assert (len(enqueued), len(delivered)) == (4, 4)
    assert all(0 < kept < there for kept, there in zip(enqueued, delivered, strict=True))
