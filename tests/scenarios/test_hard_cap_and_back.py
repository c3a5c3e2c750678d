"""From the hard cap to the first step of the ramp, through the daemon's own boot and loop, on an exchange."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from qgtm.core.commands import (
    AcceptBreak,
    Acknowledge,
    Approve,
    Enroll,
    Flatten,
    OpenRequest,
    RequestReset,
    SendTestOrder,
    SetLimits,
)
from qgtm.core.events import (
    AttemptRefused,
    BreakFound,
    FlatConfirmed,
    FlattenDelayed,
    IntentFormed,
    LimitsChanged,
    ModeChanged,
    OrderAdopted,
    RequestEnded,
    TrialOrderFinished,
)
from qgtm.core.ids import flatten_id
from qgtm.core.instant import text_from_instant
from qgtm.core.mode import Mode, Trigger
from qgtm.core.request import Person, challenge, flatten_challenge, token_hash
from qgtm.exchange.desk import Halt
from qgtm.exchange.order import OrderRequest
from qgtm.exchange.price import Shock
from qgtm.risk.kill_switch import size_frac
from qgtm.simulation.authenticator import Authenticator
from tests.live.rigging import Stage
from tests.live.walking import Walk
from tests.simulation.folder import write_folder

PHONE = Authenticator("localhost", "http://localhost:8700", seed=7)
OPAS = Authenticator("localhost", "http://localhost:8700", seed=8)
MARKET_OPENS_S = 1800 + 300
AT = text_from_instant(datetime(2023, 2, 1, 16, 0, tzinfo=UTC))


@pytest.fixture(scope="module")
def bars(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_folder(tmp_path_factory.mktemp("bars"))


@pytest.fixture
def walk(tmp_path: Path, bars: Path) -> Iterator[Walk]:
    """Yield a fund five minutes after the open, with both operators' keys enrolled."""
    found = Walk(Stage(tmp_path, bars))
    found.start()
    found.pass_(MARKET_OPENS_S, step_s=30)
    found.want()
    for phone, person in ((PHONE, Person.OPB), (OPAS, Person.OPA)):
        found.command(Enroll(credential=phone.credential(person), by="OpA"))
    yield found
    found.stop()


def facts(walk: Walk, *kinds: type) -> list[Any]:
    return walk.rig.facts(*kinds)


def bought(walk: Walk, **weights: float) -> None:
    walk.want(**weights)
    walk.pass_(600, step_s=5)
    assert set(walk.held) == set(weights)


def crash(walk: Walk, factor: str, *symbols: str) -> None:
    now = walk.clock.now()
    for symbol in symbols:
        shock = Shock(symbol=symbol, from_at=now, until_at=None, factor=Decimal(factor))
        walk.stage.exchange.shock(shock, now)


def hard_cap(walk: Walk) -> None:
    bought(walk, GLD=0.3, SLV=0.2)
    crash(walk, "0.6", "GLD", "SLV")  # half of the fund loses two fifths: a fifth of it all
    walk.pass_(40)


def test_hard_cap_is_flat_within_the_minute_and_stays_so_over_a_restart(walk: Walk) -> None:
    hard_cap(walk)
    assert walk.state.switch.mode is Mode.HALTED_HARD
    walk.pass_(60)
    assert walk.held == {}
    (flat,) = facts(walk, FlatConfirmed)
    assert flat.took_s < 60
    assert not facts(walk, FlattenDelayed)
    word = json.loads(walk.stage.state.kill.read_text())
    assert (word["mode"], word["kill_epoch"]) == ("halted_hard", 1)
    walk.stop()
    walk.start()
    walk.pass_(120)
    assert walk.state.switch.mode is Mode.HALTED_HARD
    assert walk.state.is_flat_confirmed
    assert walk.held == {}


@pytest.mark.fault("D2")
@pytest.mark.fault("D6")
def test_restart_in_the_middle_of_a_flatten_goes_on_with_it(walk: Walk) -> None:
    now = walk.clock.now()
    bought(walk, GLD=0.3, SLV=0.2)
    walk.stage.exchange.halt(Halt(symbol="SLV", from_at=now, until_at=None), walk.clock.now())
    crash(walk, "0.5", "GLD")
    walk.pass_(60)
    assert set(walk.held) == {"SLV"}
    walk.stop()
    walk.start()
    walk.pass_(120)
    named = [delay.left for delay in facts(walk, FlattenDelayed)]
    assert named
    assert all(set(left) == {"SLV"} for left in named)
    walk.stage.exchange.resume("SLV", walk.clock.now())
    walk.pass_(60)
    assert walk.held == {}
    assert walk.state.is_flat_confirmed
    ids = [fact.order.client_order_id for fact in facts(walk, IntentFormed)]
    assert len(ids) == len(set(ids))


def cooled_off(walk: Walk) -> None:
    walk.pass_(26 * 3600, step_s=60)
    assert walk.state.cool_off is not None
    assert walk.state.cool_off.left_s == 0


def asked(walk: Walk) -> Any:
    walk.command(RequestReset(reason="the cause is known", by="OpA"))
    standing = list(walk.state.authority.standing.values())
    assert standing, [refusal.reason for refusal in facts(walk, AttemptRefused)]
    request = standing[-1].request
    walk.command(
        OpenRequest(request_id=request.request_id, token_hash=token_hash("ABCD", request), by="OpB"), "OpB"
    )
    return request


def approve(walk: Walk, request: Any, phone: Authenticator = PHONE, by: str = "OpB") -> None:
    proof = phone.proof(challenge(request))
    token = token_hash("ABCD", request)
    walk.command(Approve(request_id=request.request_id, token_hash=token, proof=proof, by=by), by)


@pytest.mark.slow
def test_way_back_takes_both_a_day_and_starts_at_half_size(walk: Walk) -> None:
    hard_cap(walk)
    walk.pass_(60)
    walk.command(RequestReset(reason="too early", by="OpA"))
    assert "cool-off" in facts(walk, AttemptRefused)[-1].reason
    cooled_off(walk)
    request = asked(walk)
    approve(walk, request, OPAS)  # OpA's key in OpB's name
    approve(walk, request, OPAS, "OpA")
    assert walk.state.switch.mode is Mode.HALTED_HARD
    approve(walk, request)
    assert walk.state.switch.mode is Mode.ACTIVE
    assert size_frac(walk.state.switch) == Decimal("0.5")
    approve(walk, request)  # the same once more
    assert [end.outcome for end in facts(walk, RequestEnded)] == ["approved"]
    resets = [m for m in facts(walk, ModeChanged) if m.trigger is Trigger.RESET_CONFIRMED]
    assert len(resets) == 1
    assert walk.state.drawdown is not None
    assert walk.state.drawdown.drawdown_frac == 0
    walk.stop()
    walk.start()
    assert size_frac(walk.state.switch) == Decimal("0.5")
    walk.pass_(24 * 3600, step_s=60)
    assert size_frac(walk.state.switch) == Decimal("0.6")


def test_opbs_halt_flattens_with_opbs_proof_alone(walk: Walk) -> None:
    bought(walk, GLD=0.2)
    for phone, nonce in ((OPAS, "a"), (PHONE, "b")):
        proof = phone.proof(flatten_challenge("I see smoke", nonce))
        assert walk.state.switch.mode is Mode.ACTIVE
        walk.command(Flatten(reason="I see smoke", by="OpB", proof=proof, nonce=nonce), "OpB")
    assert (walk.state.switch.mode, walk.state.switch.cause) == (Mode.HALTED_HARD, Trigger.OPERATOR)
    walk.pass_(60)
    assert walk.held == {}


def word_of_the_watchdog(walk: Walk, **changes: Any) -> None:
    body = {
        "state": "flat", "beat": 9, "monotonic_s": 1.0, "boot_id": "x", "wall_at": AT,
        "pid": 1, "epoch": 2, "kill_epoch": 2, "act": "flatten", "reason": "no sign of life for 15 minutes",
        "since_wall_at": AT, "positions_left": {}, "silence_s": 900.0,
        "alerts_s": [300.0, 600.0], "flatten_s": 900.0, "broker": "answers", "log": [],
    }  # fmt: skip
    walk.stage.state.watchdog.write_text(json.dumps({**body, **changes}))
    lease = json.loads(walk.stage.state.lease.read_text())
    walk.stage.state.lease.write_text(json.dumps({**lease, "epoch": 2}))


@pytest.mark.fault("D5")
@pytest.mark.fault("C18")
def test_what_the_watchdog_closed_is_our_own_and_opa_resumes_after_a_restart(walk: Walk) -> None:
    bought(walk, GLD=0.2)
    shares, now = walk.held["GLD"], walk.clock.now()
    walk.stop()
    sale = OrderRequest(
        symbol="GLD",
        side="sell",
        kind="market",
        qty=shares,
        client_order_id=flatten_id(2, now.date(), "GLD", 0),
        position_intent="sell_to_close",
    )
    walk.stage.exchange.submit(sale, now)
    walk.clock.wait(1200)
    walk.stage.exchange.advance(walk.clock.now())
    word_of_the_watchdog(walk)
    walk.start()
    assert [fact.order.client_order_id for fact in facts(walk, OrderAdopted)] == [sale.client_order_id]
    assert not facts(walk, BreakFound)
    assert (walk.state.switch.mode, walk.state.switch.kill_epoch) == (Mode.HALTED_DEAD_MAN, 2)
    walk.pass_(30)
    assert walk.state.is_flat_confirmed
    walk.command(Acknowledge(latch="dead_man", reason="the disk was full", by="OpA"))
    assert walk.state.switch.mode is Mode.ACTIVE
    walk.pass_(30)
    assert walk.state.switch.mode is Mode.ACTIVE  # the same word is not heard twice


@pytest.mark.fault("D19")
def test_daemon_that_was_asleep_hears_the_watchdog_sends_nothing_and_must_be_restarted(walk: Walk) -> None:
    bought(walk, GLD=0.2)
    word_of_the_watchdog(walk)
    walk.pass_(5)
    assert walk.state.switch.mode is Mode.HALTED_DEAD_MAN
    walk.pass_(60)
    assert set(walk.held) == {"GLD"}  # fenced: whoever took the lease closes
    walk.command(Acknowledge(latch="dead_man", reason="all is well", by="OpA"))
    assert "restarted" in facts(walk, AttemptRefused)[-1].reason
    walk.stop()
    walk.start()
    walk.pass_(60)
    assert walk.held == {}  # its successor closes what the watchdog has not


def test_dead_mans_halt_waits_for_the_books_to_agree(walk: Walk) -> None:
    word_of_the_watchdog(walk)
    walk.stop()
    by_hand = OrderRequest(
        symbol="SLV", side="buy", kind="market", qty=Decimal(10), client_order_id="by-hand"
    )
    walk.stage.exchange.submit(by_hand, walk.clock.now())
    walk.clock.wait(5)
    walk.stage.exchange.advance(walk.clock.now())
    walk.start()
    walk.pass_(60)
    assert walk.held == {}
    walk.command(Acknowledge(latch="dead_man", reason="looked", by="OpA"))
    assert "breaks are open" in facts(walk, AttemptRefused)[-1].reason
    assert "by-hand buy 10" in walk.state.breaks["SLV"].detail
    walk.pass_(1800, step_s=30)
    for subject in list(walk.state.breaks):
        walk.command(AcceptBreak(subject=subject, reason="bought by hand", by="OpA"))
    walk.pass_(60)
    walk.command(Acknowledge(latch="dead_man", reason="looked", by="OpA"))
    assert walk.state.switch.mode is Mode.ACTIVE


def test_trial_order_is_seen_at_the_broker_and_cancelled(walk: Walk) -> None:
    walk.command(SendTestOrder(by="OpA"))
    walk.pass_(30)
    (end,) = facts(walk, TrialOrderFinished)
    assert end.is_ok, end.text
    (order,) = walk.stage.exchange.orders("all")
    assert (order.symbol, order.qty, order.status) == ("GLD", 1, "canceled")
    assert order.client_order_id.startswith("qgtm-1-test-")
    assert walk.held == {}
    bought(walk, GLD=0.2)  # and trading goes on


def test_tighter_limits_of_one_hold_at_once_and_over_a_restart(walk: Walk) -> None:
    walk.command(SetLimits(limits={"daily_loss_frac": "0.02"}, reason="calmer", by="OpB"), "OpB")
    assert facts(walk, LimitsChanged)[-1].limits == {"daily_loss_frac": "0.02"}
    walk.stop()
    walk.start()
    assert walk.state.limits is not None
    assert walk.state.limits.daily_loss_frac == Decimal("0.02")


@pytest.mark.slow
def test_halt_with_the_market_closed_queues_the_orders_for_the_open(walk: Walk) -> None:
    bought(walk, GLD=0.2)
    walk.pass_(10 * 3600, step_s=60)  # past seven in the evening in New York
    walk.command(Flatten(reason="news", by="OpA"))
    walk.pass_(60)
    (intent,) = [f for f in facts(walk, IntentFormed) if "flatten" in f.order.client_order_id]
    assert "20230202" in intent.order.client_order_id
    assert facts(walk, FlattenDelayed)[0].opens_at is not None
    assert set(walk.held) == {"GLD"}
    walk.pass_(timedelta(hours=14, minutes=10).total_seconds(), step_s=30)
    assert walk.held == {}
    assert walk.state.is_flat_confirmed
