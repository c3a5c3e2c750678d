"""A vendor that hangs, drips, lies or says no, and what becomes of it."""

import gzip
from datetime import timedelta
from pathlib import Path

import pytest

from qgtm.adapters.clock import ManualClock
from qgtm.adapters.fetch import Fetcher, RawShelf, Vendor
from qgtm.core.errors import ConfigError, FeedError
from tests.adapters.alpaca_venue import Answer, drip, hang, hang_up, reply, serving
from tests.adapters.feeding import KEY, NOW, fetcher


def refusal(*answers: Answer, **more: object) -> str:
    with serving(*answers) as vendor, pytest.raises(FeedError) as caught:
        fetcher(vendor.url, **more).fetch_json("/rows", {"n": 3})  # type: ignore[arg-type]
    return str(caught.value)


def test_a_reply_is_json_and_kept_as_it_came(tmp_path: Path) -> None:
    with serving(reply(200, {"a": [1.5, "x"]})) as vendor:
        found = fetcher(vendor.url, shelf=tmp_path).fetch_json("/rows", {"n": 3})
    assert found == {"a": [1.5, "x"]}
    assert vendor.asked[0].query == {"n": "3", "api_key": KEY}
    (kept,) = (tmp_path / "vendor").iterdir()
    assert gzip.decompress(kept.read_bytes()) == b'{"a": [1.5, "x"]}'
    assert kept.name.startswith("20240628T200000000000-rows-")
    assert kept.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("fault", [hang, drip])
def test_a_vendor_that_hangs_or_drips_is_given_up(fault: Answer) -> None:
    assert "no whole answer within 0.4 s, in 2 tries" in refusal(fault, whole_s=0.4, tries=2).replace(")", "")


def test_a_fault_that_passes_is_tried_again_after_growing_waits() -> None:
    clock = ManualClock(NOW)
    with serving(reply(500), hang_up, reply(200, b'{"cut": '), reply(200, [7])) as vendor:
        assert fetcher(vendor.url, clock).fetch_json("/rows", {}) == [7]
    assert clock.monotonic() == pytest.approx(1 + 2 + 4)  # all of each by chance: jitter is 1
    assert len(vendor.asked) == 4


def test_the_wait_that_a_vendor_asks_for_is_kept() -> None:
    clock = ManualClock(NOW)
    with serving(reply(429, headers={"Retry-After": "17"}), reply(200, [])) as vendor:
        fetcher(vendor.url, clock).fetch_json("/rows", {})
    assert clock.monotonic() == 17


def test_the_wait_may_be_given_as_a_date() -> None:
    clock = ManualClock(NOW)
    dates = {"Retry-After": "Fri, 28 Jun 2024 20:00:21 GMT", "Date": "Fri, 28 Jun 2024 20:00:00 GMT"}
    with serving(reply(503, headers=dates), reply(200, [])) as vendor:
        fetcher(vendor.url, clock).fetch_json("/rows", {})
    assert clock.monotonic() == 21


def test_a_vendor_that_asks_for_a_long_rest_gets_it() -> None:
    clock = ManualClock(NOW)
    assert "left alone for 3600 s" in refusal(reply(429, headers={"Retry-After": "3600"}), clock=clock)
    assert clock.monotonic() == 0


def test_a_vendor_that_stays_broken_is_told_by_name_path_and_next_step() -> None:
    told = refusal(reply(502))
    assert told == "vendor /rows: status 502, in 4 tries; it is asked again when it is next due"


@pytest.mark.parametrize("status", [301, 400, 401, 403, 404])
def test_a_clean_no_is_not_tried_again(status: int) -> None:
    with serving(reply(status, {"message": "no"})) as vendor, pytest.raises(FeedError, match=str(status)):
        fetcher(vendor.url).fetch_json("/rows", {})
    assert len(vendor.asked) == 1


def test_a_refused_key_is_named() -> None:
    assert "check VENDOR_KEY" in refusal(reply(401, {"message": "bad key"}))


def test_a_reply_without_end_is_cut_off() -> None:
    assert "longer than 1000 bytes" in refusal(reply(200, b"[" + b"1," * 1000 + b"1]"), most_bytes=1000)


def test_a_packed_reply_counts_unpacked() -> None:
    packed = reply(200, gzip.compress(b" " * 1_000_000), headers={"Content-Encoding": "gzip"})
    assert "longer than 1000 bytes" in refusal(packed, most_bytes=1000)


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"a": NaN}', b'{"a": Infinity}', b"[" * 100_000])
def test_what_is_no_json_is_refused(body: bytes) -> None:
    assert "cannot be read" in refusal(reply(200, body))


@pytest.mark.parametrize(
    "fault",
    [
        hang_up,
        reply(400, {"message": f"the key {KEY} is wrong"}),
        reply(401, f"?api_key={KEY.replace('+', '%2B').replace('/', '%2F').replace(' ', '+')}".encode()),
        reply(400, f"?api_key={KEY.replace('+', '%2B').replace('/', '%2F').replace(' ', '%20')}".encode()),
    ],
)
def test_no_key_is_ever_in_an_error(fault: Answer) -> None:
    told = refusal(fault, tries=1)
    assert "secret" not in told
    assert "vendor /rows" in told


def test_no_key_is_in_a_kept_reply_nor_shown(tmp_path: Path) -> None:
    with serving(reply(200, {"request": f"api_key={KEY}"})) as vendor:
        asking = fetcher(vendor.url, shelf=tmp_path)
        asking.fetch_json("/rows", {})
    (kept,) = (tmp_path / "vendor").iterdir()
    assert b"secret" not in gzip.decompress(kept.read_bytes())
    assert "secret" not in repr(asking.vendor)


def test_an_unreachable_vendor_tells_no_key() -> None:
    with pytest.raises(FeedError) as caught:
        fetcher("http://127.0.0.1:9", tries=1).fetch_json("/rows", {})
    assert "secret" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_the_oldest_replies_make_room(tmp_path: Path) -> None:
    shelf = RawShelf(tmp_path, most_bytes=100)
    kept = [shelf.keep("v", "/p", NOW + timedelta(seconds=n), bytes([n]) * 10) for n in range(9)]
    there = sorted((tmp_path / "v").iterdir())
    assert there == kept[-len(there) :]
    assert 1 < len(there) < 9
    assert sum(path.stat().st_size for path in there) <= 100


def test_calls_stay_within_the_vendors_rate() -> None:
    clock = ManualClock(NOW)
    with serving(reply(200, [])) as server:
        vendor = Vendor(name="slow", url=server.url, calls_per_minute=2)
        asking = Fetcher(vendor, clock, lambda: 0.0)
        for _ in range(5):
            asking.fetch_json("/rows", {})
    assert clock.monotonic() == 120


def test_the_brokers_count_is_left_to_those_who_trade() -> None:
    clock = ManualClock(NOW)
    with serving(reply(200, [], headers={"X-Ratelimit-Remaining": "10"})) as server:
        vendor = Vendor(name="broker", url=server.url, calls_per_minute=20, is_broker=True)
        asking = Fetcher(vendor, clock, lambda: 0.0)
        asking.fetch_json("/rows", {})
        asking.fetch_json("/rows", {})
    assert clock.monotonic() == 60


def test_a_key_is_not_sent_in_the_clear() -> None:
    with pytest.raises(ConfigError, match="in the clear"):
        Vendor(name="v", url="http://vendor.example", calls_per_minute=1, secret_query={"k": "x"})


def test_what_is_no_address_is_refused() -> None:
    with pytest.raises(ConfigError, match="no address"):
        Vendor(name="v", url="vendor.example", calls_per_minute=1)
