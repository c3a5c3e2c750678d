"""What broker and vendor change behind our back: trades taken back or corrected, splits, memory, bits.

The letters are the rows of the fault catalogue, as in `fault`, which plans these into a session.
"""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from random import Random
from typing import TYPE_CHECKING, Final

from qgtm.adapters.calendar import Session
from qgtm.exchange.core import Exchange
from qgtm.exchange.event import Execution
from qgtm.exchange.market.port import CorporateAction
from qgtm.exchange.price import Shock
from qgtm.simulation.tape import Split

if TYPE_CHECKING:
    from qgtm.simulation.story import Story

EVENING: Final = timedelta(hours=6)  # before the open: shares change an hour and a half later
APPLIED: Final = timedelta(hours=5)
RATIOS: Final = (2, 3, 4)


def taken_back(exchange: Exchange, done: Execution) -> None:
    """Undo an execution at the exchange, as a trade bust does: shares, cash, what is filled of the order."""
    desk = exchange.desk
    desk.ledger.trade(done.symbol, "sell" if done.side == "buy" else "buy", done.qty, done.price)
    order = desk.book.by_id[done.order_id]
    order.filled_qty -= done.qty
    order.filled_value -= done.qty * done.price
    desk.executions[done.seq - 1] = replace(done, qty=Decimal(0))
    exchange.rewind_agenda()


def corrected(exchange: Exchange, done: Execution, price: Decimal) -> None:
    """Give an execution another price at the exchange, as a trade correction does: only cash moves."""
    desk = exchange.desk
    more = (price - done.price) * done.qty
    desk.ledger.cash -= more if done.side == "buy" else -more
    desk.book.by_id[done.order_id].filled_value += more
    desk.executions[done.seq - 1] = replace(done, price=price)


def trade_bust(world: "Story", chance: Random) -> None:
    """Take the last trade of the day back, or correct its price (C8)."""
    exchange = world.exchange
    day = world.line.venue_at.date()
    done = [each for each in exchange.executions()[-40:] if each.qty and each.executed_at.date() == day]
    ours = [
        each for each in done if each.client_order_id not in world.meddled
    ]  # else nothing is left to find
    ended = [each for each in ours if not exchange.desk.book.by_id[each.order_id].is_live]
    if not ended:
        return
    which = ended[-1]
    if chance.random() < 0.3:
        cents = chance.choice((-20, -5, -1, 1, 5, 20))
        corrected(exchange, which, which.price + Decimal(cents) / 100)
        world.note("corrected", which.client_order_id)
        world.strike("trade corrected", which.symbol)
        return
    taken_back(exchange, which)
    world.note("taken back", which.client_order_id, which.symbol, which.side, which.qty)
    world.strike("trade taken back", which.symbol, str(which.qty))
    world.note("promised", "drift", which.symbol, which.qty)


def split(world: "Story", chance: Random, session: Session) -> None:
    """Split one of the funds that are held, over the night before a session (C10).

    The vendor's history tells it at once, or a day later (E5): until then old prices stand beside new ones.
    """

    def begin() -> None:
        held = sorted(symbol for symbol, lot in world.exchange.desk.ledger.lots.items() if lot.qty)
        if not held:
            return
        symbol, ratio = chance.choice(held), chance.choice(RATIOS)
        told_at = session.open_at - EVENING + timedelta(days=chance.choice((0, 0, 1)))
        desk = world.exchange.desk
        desk.prices.announced.append(CorporateAction(symbol, session.day, Decimal(ratio), None))
        after = Shock(symbol, session.open_at, None, 1 / Decimal(ratio))
        world.exchange.shock(after, world.line.venue_at)
        world.tape.splits.append(Split(symbol, float(ratio), session.open_at, told_at))
        world.line.at(session.open_at - APPLIED, lambda: applied(symbol, ratio))

    def applied(symbol: str, ratio: int) -> None:
        done = [each for each in world.exchange.activities() if each.kind == "SPLIT"]
        if not done or done[-1].symbol != symbol or done[-1].qty is None:
            return
        world.note("split", symbol, done[-1].qty)
        world.strike("split", symbol, str(ratio))
        world.needs_seconds(120)
        if not world.is_healing:
            world.note("promised", "drift", symbol, done[-1].qty)

    world.plan_at(session.open_at - EVENING, begin)


def out_of_memory(world: "Story", chance: Random) -> None:
    """Let the process find no memory at one of its next effects (G5): it must die and not limp."""
    world.has_no_memory = True
    world.crash_in = chance.randint(1, 25)
    world.strike("out of memory")
    world.needs_seconds(60)


def bit_flip(world: "Story", chance: Random) -> None:
    """Let a bit flip in the journal (H3): the next boot must refuse, until the backup is put back."""
    rows, snapshots = world.disk.rows, world.disk.snapshots
    since = snapshots[-1][0].seq if snapshots else 0
    if not world.life.is_alive or world.is_down or len(rows) <= since or world.is_flipped:
        return
    number = chance.randrange(since, len(rows))
    whole = rows[number]
    where = chance.randrange(len(whole.body))
    flipped = chr(ord(whole.body[where]) ^ 1)
    rows[number] = whole._replace(body=whole.body[:where] + flipped + whole.body[where + 1 :])
    world.set_flipped(True)
    world.strike("bit flip", whole.kind)
    world.crash_in = 1
    world.needs_seconds(400)

    def put_back() -> None:
        rows[number] = whole
        world.set_flipped(False)

    world.put_back = put_back
    world.line.after(chance.uniform(60, 200), world.put_back_now)


def changed_parameters(world: "Story", chance: Random) -> None:
    """Put prints or code on the disk that nobody deployed, each whole in itself (I9)."""
    world.set_tampered(chance.choice(("parameters", "code")))
    world.line.after(chance.uniform(60, 200), lambda: world.set_tampered(""))
    world.crash_in = chance.randint(1, 10)
    world.needs_seconds(400)


def loosened_file(world: "Story", chance: Random) -> None:
    """Loosen limits in the configuration's file, and let the process be started anew (D14)."""
    usual = world.config
    limits = usual.limits
    loose = replace(
        limits, order_frac=limits.order_frac * 2, single_name_frac=limits.single_name_frac * Decimal("1.5")
    )
    world.config = replace(usual, limits=loose)
    world.strike("loosened file")
    world.crash_in = chance.randint(1, 10)
    world.needs_seconds(120)

    def put_right() -> None:
        world.config = usual

    world.line.after(chance.uniform(120, 2_000), put_right)
