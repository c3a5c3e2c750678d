"""The faults of the catalogue as a day may bring them: when each begins, what it does, its end.

The letters name the rows of the fault catalogue that a class stands for. Times are venue moments of a
session; most faults fall where orders are at work, in the first minutes and the last.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import ROUND_DOWN, Decimal
from random import Random
from typing import TYPE_CHECKING, Any, Final, Literal

from qgtm.adapters.calendar import Session
from qgtm.exchange.desk import Halt
from qgtm.exchange.order import OrderRequest, Refusal
from qgtm.exchange.price import Shock
from qgtm.simulation.vendor import (
    bit_flip,
    changed_parameters,
    loosened_file,
    out_of_memory,
    split,
    trade_bust,
)

if TYPE_CHECKING:
    from qgtm.simulation.story import Story

LONG_S: Final = 900.0
Plan = Callable[["Story", Random, Session], None]


@dataclass(frozen=True)
class FaultClass:
    """One class: the rows it stands for, none where it is no fault, and how it is planned into a session.

    `told` is under which of the names that are counted it strikes, its own when that is empty.
    """

    rows: str
    plan: Plan
    told: str = ""


def moment(chance: Random, session: Session) -> datetime:
    """Return a moment of the session: mostly near the open, where orders are, else anywhere."""
    way = chance.random()
    if way < 0.65:
        return session.open_at + timedelta(seconds=chance.uniform(200, 660))
    if way < 0.8:
        return session.close_at - timedelta(seconds=chance.uniform(120, 700))
    length_s = (session.close_at - session.open_at).total_seconds()
    return session.open_at + timedelta(seconds=chance.uniform(-300, length_s))


def _spell(chances: Callable[[Random], dict[str, Any]], least_s: float, most_s: float) -> Plan:
    """Return the plan of a spell of weather: chances that are set for a while."""

    def plan(world: "Story", chance: Random, session: Session) -> None:
        set_to, seconds = chances(chance), chance.uniform(least_s, most_s)
        world.plan_at(moment(chance, session), lambda: world.set_weather(set_to, seconds))

    return plan


def _evening(chances: Callable[[Random], dict[str, Any]], *, is_killed: bool = False) -> Plan:
    """Return the plan of a spell from before a session's close, when its bars come, or at a restart."""

    def plan(world: "Story", chance: Random, session: Session) -> None:
        set_to, seconds = chances(chance), chance.uniform(60, 900)
        at = session.close_at - timedelta(seconds=60)
        if is_killed:
            at = moment(chance, session)
            world.plan_at(at + timedelta(seconds=1), lambda: _kill(world, chance))
        world.plan_at(at, lambda: world.set_weather(set_to, seconds))

    return plan


def _at_once(act: Callable[["Story", Random], None], times: int = 1) -> Plan:
    """Return the plan of something that happens at a moment, once or up to `times`."""

    def plan(world: "Story", chance: Random, session: Session) -> None:
        for _ in range(chance.randint(1, times)):
            world.plan_at(moment(chance, session), lambda: act(world, chance))

    return plan


# --- C: another hand at the broker ----------------------------------------------------------------


def _manual_trade(world: "Story", chance: Random) -> None:
    """Trade in the broker's own window: a few shares, or all that is held of one symbol (C9, C15)."""
    held = {symbol: lot.qty for symbol, lot in world.exchange.desk.ledger.lots.items() if lot.qty}
    symbol = chance.choice(sorted(held) or ["GLD", "SLV", "GDX"])
    lot = held.get(symbol, Decimal(0))
    shares = abs(lot) if lot and chance.random() < 0.3 else Decimal(chance.randint(1, 40))
    side: Literal["buy", "sell"] = "sell" if lot > 0 else "buy"
    request = OrderRequest(
        symbol=symbol, side=side, kind="market", qty=shares.quantize(Decimal(1), ROUND_DOWN)
    )
    answer = world.exchange.submit(request, world.line.venue_at)
    if not isinstance(answer, Refusal):
        world.meddled.add(answer.client_order_id)
        world.strike("manual trade", symbol, str(shares))
        world.note("promised", "drift", symbol, shares)


def _deposit(world: "Story", chance: Random) -> None:
    amount = Decimal(chance.choice((-30_000, -5_000, 10_000, 60_000)))
    world.exchange.deposit(amount, world.line.venue_at)
    world.strike("deposit", str(amount))


def _partial_fills(world: "Story", chance: Random, session: Session) -> None:
    desk = world.exchange.desk
    usual = desk.habits

    def begin() -> None:
        desk.habits = replace(usual, partial_fill_frac=0.9, refill_s=chance.uniform(2, 12), cancel_s=2.0)
        world.strike("partial fills")

    def end() -> None:
        desk.habits = usual

    world.plan_at(session.open_at, begin)
    world.plan_at(session.close_at, end)


def _orders(chances: Callable[[Random], dict[str, Any]]) -> Plan:
    """Return the plan of a spell that lasts while the day's orders go out."""

    def plan(world: "Story", chance: Random, session: Session) -> None:
        set_to, seconds = chances(chance), chance.uniform(300, 900)
        world.plan_at(session.open_at + timedelta(seconds=240), lambda: world.set_weather(set_to, seconds))

    return plan


def _frames(world: "Story", chance: Random, session: Session) -> None:
    """Let frames of the stream come twice, late or not at all, while the day's orders are at work."""
    set_to = {
        "frame_twice": chance.random(),
        "frame_late": chance.random() / 2,
        "frame_lost": chance.random() / 2,
    }
    seconds = chance.uniform(600, 1_200)
    world.plan_at(session.open_at + timedelta(seconds=200), lambda: world.set_weather(set_to, seconds))


# --- D: prices ------------------------------------------------------------------------------------


def _halted_symbol(world: "Story", chance: Random) -> None:
    """Halt one of the symbols that are held, for some minutes (D2)."""
    held = sorted(symbol for symbol, lot in world.exchange.desk.ledger.lots.items() if lot.qty) or ["GLD"]
    symbol, now = chance.choice(held), world.line.venue_at
    seconds = chance.uniform(60, 900)
    world.exchange.halt(Halt(symbol, now, None), now)
    world.line.after(seconds, lambda: world.exchange.resume(symbol, world.line.venue_at))
    world.strike("halted symbol", symbol, f"{seconds:.0f}")
    world.needs_seconds(seconds + 60)


def bend(world: "Story", fall_frac: Decimal, seconds: float | None = None) -> bool:
    """Move the prices of what is held so that the fund stands `fall_frac` under its peak, if that can be."""
    desk, now = world.exchange.desk, world.line.venue_at
    worth = world.exchange.worth(now)
    lots = {symbol: lot.qty for symbol, lot in sorted(desk.ledger.lots.items()) if lot.qty}
    gross = sum((abs(qty) * desk.mark(symbol) for symbol, qty in lots.items()), Decimal(0))
    state = world.state
    if not gross or state is None or state.drawdown is None:
        return False
    drop = worth.equity - state.drawdown.high_water_mark_usd * state.drawdown.units * (1 - fall_frac)
    share = drop / gross
    if not 0 < share < Decimal("0.6"):
        return False
    until = None if seconds is None else now + timedelta(seconds=seconds)
    for symbol, qty in lots.items():
        factor = (1 - share if qty > 0 else 1 + share).quantize(Decimal("0.0001"))
        world.exchange.shock(Shock(symbol, now, until, factor), now)
    return True


def _falls(least: float, most: float, name: str) -> Plan:
    """Return the plan of a fall of the fund: in one gap or in steps."""

    def plan(world: "Story", chance: Random, session: Session) -> None:
        fall = Decimal(f"{chance.uniform(least, most):.4f}")
        steps = chance.choice((1, 1, 3))
        # some falls come back after the book was halved, so that the cap is seen to recover
        lasts_s = (
            chance.uniform(1_000, 4_000) if name == "soft" and steps == 1 and chance.random() < 0.5 else None
        )
        at = session.open_at + timedelta(seconds=chance.uniform(480, 660))
        if chance.random() < 0.2:
            at = session.close_at - timedelta(seconds=chance.uniform(200, 700))

        def step(number: int) -> None:
            if bend(world, fall * number / steps, lasts_s) and number == steps:
                world.strike(name, str(fall))
            world.needs_seconds(700 if name == "soft" else 180)  # a book is halved within ten minutes
            if number < steps:
                world.line.after(25.0, lambda: step(number + 1))

        world.plan_at(at, lambda: step(1))

    return plan


def _bad_print(world: "Story", chance: Random) -> None:
    """Let the prices fall for less than two samples, far below the hard cap (D10)."""
    if bend(world, Decimal("0.2"), seconds=chance.uniform(2, 9)):
        world.strike("bad print")
        world.needs_seconds(60)


# --- F: time --------------------------------------------------------------------------------------


def _wrong_clock(world: "Story", chance: Random) -> None:
    """Let the machine's clock jump (F6, F7), and be put right later."""
    error_s = chance.choice((-3_600.0, 86_400.0, 3_600.0, -5.0, 5.0))
    world.set_clock_error(error_s)
    world.strike("wrong clock", str(error_s))
    world.line.after(chance.uniform(30, 400), lambda: world.set_clock_error(0.0))


# --- G: the process -------------------------------------------------------------------------------


def _kill(world: "Story", chance: Random) -> None:
    """Kill the process at one of its next effects: a commit, a request, a rename, before or after it."""
    world.crash_in = chance.randint(1, 25)
    world.strike("kill")
    world.needs_seconds(60)


def _crash_loop(world: "Story", chance: Random) -> None:
    for delay_s in (0.0, 20.0, 40.0):
        world.line.after(delay_s, lambda: _kill(world, chance))
    world.strike("crash loop")


def _pause(least_s: float, most_s: float) -> Callable[["Story", Random], None]:
    def act(world: "Story", chance: Random) -> None:
        seconds = chance.uniform(least_s, most_s)
        world.life.paused_until_s = world.line.process_s + seconds
        world.strike("long pause" if seconds > LONG_S else "pause", f"{seconds:.0f}")
        world.needs_seconds(seconds + 90)
        world.look_around()  # who sleeps does not do it
        world.line.after(seconds + 0.1, world.look_around)

    return act


def _watchdog_pause(world: "Story", chance: Random) -> None:
    """Let the watchdog sleep, so that it finds the daemon silent for a time it did not see itself."""
    seconds = chance.choice((8.0, 60.0, 1_000.0))
    world.guard.paused_until_s = world.line.process_s + seconds
    world.strike("watchdog pause", f"{seconds:.0f}")
    world.needs_seconds(seconds + 30)
    world.look_around()
    world.line.after(seconds + 0.1, world.look_around)


def _watchdog_kill(world: "Story", chance: Random) -> None:
    world.guard.die()
    world.strike("watchdog kill")
    world.line.after(chance.uniform(2, 20), world.guard.start)


def _stop(world: "Story", chance: Random) -> None:
    """Tell the daemon to stop (G9), and start it again after a while."""
    if world.rig is None:
        return
    world.strike("stop")
    world.is_down = True
    world.rig.stop.set()
    world.rig.wake.set()
    seconds = chance.choice((5.0, 60.0, 400.0))
    world.needs_seconds(seconds + 60)
    world.line.after(seconds, world.start_again)


def _long_stop(world: "Story", chance: Random) -> None:
    """Stop it for longer than the dead man waits (D18), or until somebody notices that it is gone (D19)."""
    if world.rig is None:
        return
    world.strike("long stop")
    world.is_down = True
    if chance.random() < 0.5:
        world.crash_in = 1
    world.rig.stop.set()
    world.rig.wake.set()
    seconds = chance.uniform(930, 1_500)
    world.needs_seconds(seconds + 120)
    world.line.after(seconds, world.start_again)


def _second_daemon(world: "Story", chance: Random) -> None:
    world.start_second()


# --- H, I: the machine ----------------------------------------------------------------------------


def _disk_full(world: "Story", chance: Random) -> None:
    world.set_trouble("full", chance.uniform(5, 120))


def _sync_error(world: "Story", chance: Random) -> None:
    world.disk.is_torn_kept = chance.random() < 0.5
    world.set_trouble("sync", 60.0)


def _tampered(world: "Story", chance: Random) -> None:
    """Change a print on the disk (I4, I9), and let the process be started anew while it is so."""
    world.set_tampered("edited")
    world.line.after(chance.uniform(60, 200), lambda: world.set_tampered(""))
    _kill(world, chance)


# --- J: people ------------------------------------------------------------------------------------


def _halt_by_hand(world: "Story", chance: Random) -> None:
    world.people.halt(chance)


def _nonsense_by_hand(world: "Story", chance: Random) -> None:
    world.people.nonsense(chance)


def _flatten_by_hand(world: "Story", chance: Random) -> None:
    world.people.flatten(chance)


def _override_by_hand(world: "Story", chance: Random) -> None:
    world.people.override(chance)


def _limits_by_hand(world: "Story", chance: Random) -> None:
    world.people.set_limits(chance)


CLASSES: Final[dict[str, FaultClass]] = {
    "down": FaultClass("A1 A11", _spell(lambda c: {"refused": 1.0}, 5, 900), told="refused"),
    "hang": FaultClass("A2", _spell(lambda c: {"hang": c.uniform(0.2, 1.0)}, 10, 120)),
    "slow": FaultClass("A2", _spell(lambda c: {"slow_s": c.uniform(0.5, 4.0)}, 20, 200), told="slow_s"),
    "lost reply": FaultClass("A3", _spell(lambda c: {"lost": c.uniform(0.2, 0.8)}, 20, 300), told="lost"),
    "gateway": FaultClass("A4 A5", _spell(lambda c: {"gateway": c.uniform(0.2, 0.8)}, 20, 300)),
    "limited": FaultClass("A6", _spell(lambda c: {"limited": c.uniform(0.3, 1.0)}, 10, 90)),
    "rejected": FaultClass("A7 A8 A9", _orders(lambda c: {"rejected": c.uniform(0.2, 0.8)})),
    "revoked": FaultClass("A10", _spell(lambda c: {"revoked": True}, 30, 300)),
    "failing": FaultClass("A11", _spell(lambda c: {"failing": c.uniform(0.3, 1.0)}, 20, 600)),
    "garbled": FaultClass("A12", _spell(lambda c: {"garbled": c.uniform(0.2, 0.7)}, 20, 200)),
    "strange": FaultClass("A13", _spell(lambda c: {"strange": 0.5}, 60, 300)),
    "lag": FaultClass("A14", _spell(lambda c: {"lag_s": c.uniform(1, 10)}, 30, 300), told="lag_s"),
    "blocked": FaultClass("A16", _spell(lambda c: {"blocked": True}, 30, 200)),
    "wrong equity": FaultClass(
        "A17",
        _spell(lambda c: {"equity_times": c.choice((0.0, 0.5, 0.85, 1.5, 3.0))}, 30, 200),
        told="equity_times",
    ),
    "drop": FaultClass("B1", _at_once(lambda world, c: world.drop_stream(), 4), told="stream_drop"),
    "stream gone": FaultClass(
        "B2 B5 B6 B11", _spell(lambda c: {"stream_refused": True}, 20, 300), told="stream_refused"
    ),
    "mute": FaultClass("B3 B4 C3", _spell(lambda c: {"stream_mute": True}, 60, 400), told="stream_mute"),
    "frames": FaultClass("C1 C2 C3", _frames, "frame_twice"),
    "partial": FaultClass("C5 C6 D1", _partial_fills, told="partial fills"),
    "manual": FaultClass("C9 C15 B10", _at_once(_manual_trade), told="manual trade"),
    "bust": FaultClass("C8", _at_once(trade_bust), "trade taken back"),
    "split": FaultClass("C10 E5", split),
    "deposit": FaultClass("C11", _at_once(_deposit)),
    "soft": FaultClass("", _falls(0.083, 0.112, "soft")),
    "hard": FaultClass("D11", _falls(0.123, 0.16, "hard")),
    "halted": FaultClass("D2", _at_once(_halted_symbol, 2), told="halted symbol"),
    "bad print": FaultClass("D10", _at_once(_bad_print)),
    "no quotes": FaultClass(
        "E1 E14", _spell(lambda c: {"quotes_fail": c.uniform(0.3, 1)}, 30, 400), told="quotes_fail"
    ),
    "holes": FaultClass("E14", _spell(lambda c: {"quotes_missing": 0.4}, 60, 400), told="quotes_missing"),
    "stale": FaultClass(
        "E1", _spell(lambda c: {"quotes_stale_s": c.uniform(70, 900)}, 60, 300), told="quotes_stale_s"
    ),
    "spoilt": FaultClass(
        "E3 E4 E15 L1", _spell(lambda c: {"quotes_spoilt": 0.4}, 60, 300), told="quotes_spoilt"
    ),
    "late bars": FaultClass("E2", _evening(lambda c: {"bars_late": True}), "bars_late"),
    "no bars": FaultClass("E6 E13", _evening(lambda c: {"bars_fail": c.uniform(0.3, 1)}), "bars_fail"),
    "corrected bars": FaultClass(
        "E2 E5",
        _evening(lambda c: {"bars_times": c.choice((0.5, 0.97, 1.004, 2.0))}, is_killed=True),
        "bars_times",
    ),
    "endless pages": FaultClass(
        "E10", _evening(lambda c: {"pages_endless": c.uniform(0.3, 1)}), "pages_endless"
    ),
    "clock": FaultClass("F6 F7 D13", _at_once(_wrong_clock), told="wrong clock"),
    "closure": FaultClass(
        "F3", _spell(lambda c: {"closed_by_broker": True}, 60, 400), told="closed_by_broker"
    ),
    "kill": FaultClass("G1 G2 C18", _at_once(_kill, 3)),
    "crash loop": FaultClass("G4", _at_once(_crash_loop)),
    "pause": FaultClass("F8 G8", _at_once(_pause(2, 120), 2)),
    "long pause": FaultClass("F8 D19 D5", _at_once(_pause(910, 1_300))),
    "stop": FaultClass("G9", _at_once(_stop)),
    "long stop": FaultClass("D18 D19", _at_once(_long_stop)),
    "watchdog pause": FaultClass("F8 D5", _at_once(_watchdog_pause)),
    "watchdog kill": FaultClass("K9 G1", _at_once(_watchdog_kill)),
    "second": FaultClass("G6", _at_once(_second_daemon), told="second daemon"),
    "no memory": FaultClass("G5", _at_once(out_of_memory), "out of memory"),
    "disk full": FaultClass("H1 H7", _at_once(_disk_full)),
    "sync error": FaultClass("H5", _at_once(_sync_error)),
    "bit flip": FaultClass("H3", _at_once(bit_flip)),
    "changed": FaultClass("I9", _at_once(changed_parameters), "changed parameters"),
    "loosened": FaultClass("D14", _at_once(loosened_file), "loosened file"),
    "tampered": FaultClass("I4 I9", _at_once(_tampered)),
    "halt": FaultClass("", _at_once(_halt_by_hand), told="halt by hand"),
    "flatten": FaultClass("", _at_once(_flatten_by_hand), told="flatten by hand"),
    "override": FaultClass("D14", _at_once(_override_by_hand, 2), told="override by hand"),
    "limits": FaultClass("D14", _at_once(_limits_by_hand), told="limits by hand"),
    "nonsense": FaultClass("J2 J5 D14", _at_once(_nonsense_by_hand, 3), told="nonsense by hand"),
}
STEERED: Final = ("soft", "hard", "long stop", "long pause")  # planned on top, so that each is seen often
MOST: Final = 6


def classes_of(chance: Random) -> list[str]:
    """Return the classes of a day that is not calm: a random few, so that each is also seen alone."""
    names = sorted(set(CLASSES) - set(STEERED))
    drawn = chance.sample(names, chance.randint(0, MOST))
    drawn += [name for name, often in (("soft", 0.22), ("hard", 0.3)) if chance.random() < often]
    return drawn + ([chance.choice(("long stop", "long pause"))] if chance.random() < 0.2 else [])


RAMP_DAYS: Final = 11  # a halt on the first, its reset a day later, and eight sessions of growing again
WHILE_RAMPING: Final = ("kill", "clock", "stop", "second", "pause", "crash loop", "disk full", "no memory")


def ramp_days(seed: int) -> Callable[[int], list[str]]:
    """Return what strikes on each day of a world that is halted on its first and then grows again."""
    chance = Random(f"{seed} ramp")
    drawn = [["hard"], [], *([chance.choice(WHILE_RAMPING)] for _ in range(RAMP_DAYS))]
    return lambda number: drawn[number]
