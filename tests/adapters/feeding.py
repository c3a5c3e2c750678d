"""A vendor on loopback that answers as it is told to, and a fetcher that asks it without waiting."""

from pathlib import Path

from qgtm.adapters.clock import ManualClock
from qgtm.adapters.fetch import Fetcher, RawShelf, Vendor
from qgtm.core.instant import instant_from_text

KEY = "a+secret/key that-must-not-show"
NOW = instant_from_text("2024-06-28T20:00:00.000000Z")


def fetcher(
    url: str,
    clock: ManualClock | None = None,
    shelf: Path | None = None,
    *,
    secret: bool = True,
    **more: object,
) -> Fetcher:
    vendor = Vendor(
        name="vendor",
        url=url,
        calls_per_minute=1000,
        key_names="VENDOR_KEY",
        secret_query={"api_key": KEY} if secret else {},
    )
    kept = RawShelf(shelf) if shelf else None
    return Fetcher(vendor, clock or ManualClock(NOW), lambda: 1.0, kept, **more)  # type: ignore[arg-type]
