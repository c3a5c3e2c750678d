"""The incident report: what was open, who brought it there to the cent, how it was closed; or plain text."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from qgtm.adapters.clock import SystemClock
from qgtm.adapters.journal import SqliteJournal
from qgtm.core.errors import ReportError
from qgtm.core.events import (
    AccountSampled,
    AlertRaised,
    CashMoved,
    Event,
    FlatConfirmed,
    FlattenDelayed,
    IntentFormed,
    ModeChanged,
    OrderUpdated,
    SessionOpened,
)
from qgtm.core.ids import client_order_id
from qgtm.core.mode import Mode, Trigger
from qgtm.core.order import Order, OrderState, Side
from qgtm.reporting import incident, incident_make
from qgtm.reporting.incident import incident_text, load_incident
from qgtm.reporting.incident_make import IncidentWatch, make_incident
from qgtm.views.action import Caps
from qgtm.views.incident import Incident

OPEN = datetime(2026, 3, 2, 14, 30, tzinfo=UTC)
DAY = date(2026, 3, 2)
CAPS = Caps(soft_frac=Decimal("0.08"), hard_frac=Decimal("0.12"))
PRICES = {"GLD": Decimal(200), "SLV": Decimal(25)}


class Tale:
    """A fund that buys GLD and SLV, falls, and is closed: told to a journal, minute by minute."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "journal.db"
        self.at, self.second = OPEN, 0.0
        with SqliteJournal(self.path):
            pass

    def tell(self, *events: Event, minutes: float = 1) -> None:
        self.at += timedelta(minutes=minutes)
        with SqliteJournal(self.path) as journal:
            journal.append(list(events), self.at)

    def order(
        self, symbol: str, side: Side, quantity: int, price: Decimal, purpose: str, **shares: Decimal
    ) -> None:
        order = Order(
            client_order_id=client_order_id(1, purpose, DAY, symbol, 0), symbol=symbol, side=side,
            quantity=Decimal(quantity), limit_price=None, arrival_price=price, formed_at=self.at,
            is_reducing=purpose == "flatten", shares=shares,
        )  # fmt: skip
        self.tell(IntentFormed(order=order, session=DAY), minutes=0)
        self.tell(
            OrderUpdated(
                client_order_id=order.client_order_id,
                broker_order_id=f"b-{purpose}-{symbol}",
                state=OrderState.FILLED,
                filled_quantity=order.quantity,
                filled_price=price,
                updated_at=self.at,
            ),
            minutes=0,
        )

    def sample(self, equity: str, **marks: str) -> None:
        self.second += 30
        told = AccountSampled(
            equity_usd=Decimal(equity), cash_usd=Decimal(0), last_equity_usd=Decimal(100_000),
            marks={symbol: Decimal(mark) for symbol, mark in marks.items()}, is_blocked=False,
            monotonic_s=self.second,
        )  # fmt: skip
        self.tell(told)

    def halted(self) -> None:
        """Buy 200 GLD at 200 and 1,000 SLV at 25; rise to 101,000; fall to 88,300; halt."""
        self.tell(
            CashMoved(activity_id="start", kind="start", amount_usd=Decimal(100_000)),
            SessionOpened(session=DAY, open_at=OPEN, close_at=OPEN + timedelta(hours=6.5)),
        )
        self.sample("100000")
        self.order("GLD", Side.BUY, 200, PRICES["GLD"], "trade", trend=Decimal(150), carry=Decimal(50))
        self.order("SLV", Side.BUY, 1000, PRICES["SLV"], "trade", trend=Decimal(1000))
        for _ in range(3):
            self.sample("101000", GLD="205", SLV="25")
        for _ in range(3):
            self.sample("88300", GLD="150", SLV="23.30")
        self.tell(
            ModeChanged(
                trigger=Trigger.HARD_CAP, before=Mode.ACTIVE, after=Mode.HALTED_HARD,
                reason="the fall from the peak is 12.57%", at=self.at, drawdown_frac=Decimal("0.1257"),
            ),
            AlertRaised(level="red", cause="kill switch", text="Trading is now <halted>."),
        )  # fmt: skip

    def closed(self) -> None:
        self.order(
            "GLD", Side.SELL, 200, Decimal("149.50"), "flatten", trend=Decimal(-150), carry=Decimal(-50)
        )
        self.order("SLV", Side.SELL, 1000, Decimal("23.20"), "flatten", trend=Decimal(-1000))
        self.tell(FlatConfirmed(epoch=1, took_s=42.0))


@pytest.fixture
def tale(tmp_path: Path) -> Tale:
    return Tale(tmp_path)


def test_contributions_are_counted_from_the_peak_and_add_up_to_the_cent(tale: Tale) -> None:
    tale.halted()
    found = load_incident(tale.path).contributions
    # By hand: trend 150 x (150 - 205) + 1000 x (23.30 - 25); carry 50 x (150 - 205).
    assert found.by_strategy_usd == {"trend": Decimal("-9950.00"), "carry": Decimal("-2750.00")}
    assert (found.account_usd, found.residual_usd) == (Decimal("-12700.00"), Decimal(0))


def test_positions_are_those_at_the_halt_and_what_is_left_of_them(tale: Tale) -> None:
    tale.halted()
    told = load_incident(tale.path)
    assert [(each.symbol, each.quantity, each.worth_usd) for each in told.holdings] == [
        ("GLD", 200, 30_000), ("SLV", 1000, Decimal("23300.00")),
    ]  # fmt: skip
    assert (told.number, told.left, told.flat_at) == (1, {"GLD": 200, "SLV": 1000}, None)
    tale.order("GLD", Side.SELL, 200, Decimal("149.50"), "flatten", trend=Decimal(-200))
    assert load_incident(tale.path).left == {"SLV": 1000}
    tale.tell(FlattenDelayed(epoch=1, left={"SLV": Decimal(1000)}, at=tale.at))
    assert load_incident(tale.path).left == {"SLV": 1000}
    tale.order("SLV", Side.SELL, 1000, Decimal("23.20"), "flatten", trend=Decimal(-1000))
    assert load_incident(tale.path).left == {}


def test_closing_is_told_with_its_cost_against_the_price_at_decision(tale: Tale) -> None:
    tale.halted()
    tale.closed()
    told = load_incident(tale.path)
    assert (told.orders, len(told.fills), told.flat_took_s) == (2, 2, 42.0)
    assert "closed, by the broker's word, 42s later" in incident_text(told)


def test_only_what_belongs_to_the_halt_is_told(tale: Tale) -> None:
    tale.tell(AlertRaised(level="yellow", cause="x", text="long before"))
    tale.halted()
    tale.closed()
    texts = [each.event.text for each in load_incident(tale.path).told if isinstance(each.event, AlertRaised)]
    assert texts == ["long before", "Trading is now <halted>."]
    tale.at += timedelta(days=3)
    reset = ModeChanged(
        trigger=Trigger.RESET_CONFIRMED, before=Mode.HALTED_HARD, after=Mode.ACTIVE, reason="r", at=tale.at
    )
    tale.tell(reset)
    again = ModeChanged(
        trigger=Trigger.OPERATOR,
        before=Mode.ACTIVE,
        after=Mode.HALTED_HARD,
        reason="by hand",
        at=tale.at,
        by="OpB",
    )
    tale.tell(again, minutes=200)
    newest, first = load_incident(tale.path), load_incident(tale.path, 1)
    assert (newest.number, newest.trigger, newest.holdings) == (2, Trigger.OPERATOR, ())
    assert (first.number, first.trigger, len(first.fills)) == (1, Trigger.HARD_CAP, 2)


def test_journal_without_such_a_halt_is_refused(tale: Tale) -> None:
    with pytest.raises(ReportError, match="no halt"):
        load_incident(tale.path)
    tale.halted()
    with pytest.raises(ReportError, match="halt 7"):
        load_incident(tale.path, 7)


@pytest.mark.slow
def test_report_is_made_as_page_paper_and_text_from_the_journal_alone(tale: Tale, tmp_path: Path) -> None:
    pytest.importorskip("papermill", reason="the notebook needs the `pipeline` extra")
    tale.halted()
    made = make_incident(tale.path, tmp_path / "reports", 0, CAPS, tale.at, SystemClock())
    html = made.html.read_text()
    assert (made.problem, made.is_flat) == ("", False)
    assert made.pdf.read_bytes().startswith(b"%PDF")
    for words in ("NOT YET CLOSED", "−$12,700.00", "Trading is now &lt;halted&gt;.", "GLD"):
        assert words in html
    assert "http://" not in html.replace("http://www.w3.org", "")
    assert "NOT YET CLOSED" in made.text.read_text()


@pytest.mark.fault("K5")
def test_report_falls_back_to_plain_text_that_says_all_of_it(
    tale: Tale, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(incident_make, "SOURCE", "notebooks/reviews/not there.ipynb")
    tale.halted()
    made = make_incident(tale.path, tmp_path / "reports", 0, CAPS, tale.at, SystemClock())
    assert "the notebook could not be made" in made.problem
    for path in (made.html, made.text):
        assert all(
            words in path.read_text() for words in ("trend", "−$9,950.00", "200 at", "Only plain text")
        )
    assert made.pdf.read_bytes().startswith(b"%PDF")


@pytest.mark.fault("K10")
def test_report_is_due_five_minutes_after_the_halt_and_again_once_all_is_closed(
    tale: Tale, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(incident_make, "_run", lambda *_: "not now")
    reports = tmp_path / "reports"
    watch = IncidentWatch(tale.path, reports)
    assert watch.due(tale.at) is None
    tale.halted()
    halted_at = tale.at

    def made(after: timedelta) -> bool:
        found = watch.due(halted_at + after)
        if found:
            make_incident(tale.path, reports, found.number, CAPS, tale.at, SystemClock())
        return found is not None

    assert [made(timedelta(seconds=s)) for s in (0, 299, 300, 301, 900)] == [False, False, True, False, False]
    tale.closed()
    assert [made(timedelta(seconds=s)) for s in (1000, 1001)] == [True, False]
    watch = IncidentWatch(tale.path, reports)  # a scheduler that was started anew
    assert not made(timedelta(seconds=1100))


@pytest.mark.fault("K10")
def test_each_halt_has_its_report_and_one_that_failed_is_due_again(
    tale: Tale, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(incident_make, "_run", lambda *_: "not now")
    reports = tmp_path / "reports"
    tale.halted()
    tale.closed()
    tale.at += timedelta(days=1)
    tale.tell(reset(tale))
    tale.tell(
        ModeChanged(
            trigger=Trigger.HEARTBEAT_LOST, before=Mode.ACTIVE, after=Mode.HALTED_DEAD_MAN, reason="silent",
            at=tale.at, kill_epoch=2,
        ),
        minutes=200,
    )  # fmt: skip
    tale.tell(
        ModeChanged(
            trigger=Trigger.OPERATOR, before=Mode.HALTED_DEAD_MAN, after=Mode.HALTED_HARD, reason="sure",
            at=tale.at,
        )
    )  # fmt: skip
    watch, late = IncidentWatch(tale.path, reports), tale.at + timedelta(hours=1)
    found = [watch.due(late), watch.due(late), watch.due(late)]
    assert [each and each.trigger for each in found] == [Trigger.HARD_CAP, Trigger.HEARTBEAT_LOST, None]
    assert watch.due(late + timedelta(seconds=59)) is None  # neither was made: they are tried again
    again = [watch.due(late + timedelta(seconds=60)) for _ in range(2)]
    for each in again:
        assert each is not None
        make_incident(tale.path, reports, each.number, CAPS, late, SystemClock())
    assert load_incident(tale.path, 2).at == load_incident(tale.path, 3).at
    assert sorted(path.name for path in reports.glob("*.html")) == ["incident-1.html", "incident-3.html"]
    watch = IncidentWatch(tale.path, reports)
    assert watch.due(late + timedelta(hours=1)) is None


def reset(tale: Tale) -> ModeChanged:
    return ModeChanged(
        trigger=Trigger.RESET_CONFIRMED, before=Mode.HALTED_HARD, after=Mode.ACTIVE, reason="r", at=tale.at
    )


def test_second_halt_is_counted_from_where_the_re_entry_restarted_the_peak(tale: Tale) -> None:
    tale.halted()
    tale.closed()  # cash 100,000 - 40,000 - 25,000 + 29,900 + 23,200 = 88,100
    for _ in range(3):
        tale.sample("88100")
    tale.tell(reset(tale))
    tale.order("GLD", Side.BUY, 100, Decimal(150), "again", trend=Decimal(100))
    for _ in range(3):
        tale.sample("77000", GLD="39")
    tale.tell(
        ModeChanged(
            trigger=Trigger.HARD_CAP, before=Mode.ACTIVE, after=Mode.HALTED_HARD, reason="fell again",
            at=tale.at, drawdown_frac=Decimal("0.126"),
        )
    )  # fmt: skip
    found = load_incident(tale.path)
    # By hand: 100 shares from 150 to 39, after the re-entry; what was lost before belongs to the first halt.
    assert (found.number, found.contributions.by_strategy_usd["trend"]) == (2, Decimal("-11100"))
    assert found.contributions.account_usd == Decimal("-11100")
    assert len(found.falls) == 3


def test_money_that_came_in_between_peak_and_halt_is_no_ones_contribution(tale: Tale) -> None:
    tale.tell(
        CashMoved(activity_id="start", kind="start", amount_usd=Decimal(100_000)),
        SessionOpened(session=DAY, open_at=OPEN, close_at=OPEN + timedelta(hours=6.5)),
    )
    tale.order("GLD", Side.BUY, 200, Decimal(200), "trade", trend=Decimal(200))
    for _ in range(3):
        tale.sample("100000", GLD="200")
    tale.tell(CashMoved(activity_id="d", kind="CSD", amount_usd=Decimal(50_000)))
    for _ in range(3):
        tale.sample("150000", GLD="200")
    for _ in range(3):
        tale.sample("130000", GLD="100")
    tale.tell(
        ModeChanged(
            trigger=Trigger.HARD_CAP, before=Mode.ACTIVE, after=Mode.HALTED_HARD, reason="fell", at=tale.at,
            drawdown_frac=Decimal("0.1333"),
        )
    )  # fmt: skip
    found = load_incident(tale.path)
    assert found.contributions.by_strategy_usd == {"trend": Decimal("-20000")}
    assert (found.contributions.account_usd, found.contributions.residual_usd) == (-20_000, 0)


def test_position_without_a_price_is_open_and_its_worth_is_not_known(tale: Tale) -> None:
    tale.halted()
    told = load_incident(tale.path)
    blind = replace(told, holdings=tuple(replace(each, mark=Decimal(0)) for each in told.holdings))
    text = incident_text(blind)
    assert "No position was open" not in text
    assert "what GLD, SLV was worth is not known" in text
    assert "at an unknown price" in text
    assert "unknown" in incident.positions(blind).html


def test_long_tale_says_how_much_of_it_is_left_out(tale: Tale) -> None:
    tale.halted()
    tale.tell(*[AlertRaised(level="orange", cause="x", text=f"n{number}") for number in range(100)])
    found = load_incident(tale.path)
    assert f"{len(found.told) - 60} more: `qgtm audit tail`" in incident_text(found)


def test_journal_is_folded_once_a_report_and_not_each_second_of_the_wait(
    tale: Tale, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folds: list[Path] = []

    def load(path: Path, number: int = 0) -> Incident:
        folds.append(path)
        return load_incident(path, number)

    monkeypatch.setattr(incident_make, "load_incident", load)
    watch = IncidentWatch(tale.path, tmp_path)
    tale.halted()
    for second in range(300):
        assert watch.due(tale.at + timedelta(seconds=second)) is None
    assert folds == []
    assert watch.due(tale.at + timedelta(seconds=300)) is not None
    assert len(folds) == 1


def test_notebook_is_given_the_halt_that_was_folded_already(
    tale: Tale, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[list[str]] = []
    monkeypatch.setattr(
        incident_make, "_run", lambda arguments, *_: asked.append(list(arguments)) or "not now"
    )
    tale.halted()
    make_incident(tale.path, tmp_path / "reports", 0, CAPS, tale.at, SystemClock())
    folded = asked[0][asked[0].index("folded") + 1]
    assert load_incident("there is no journal here", 1, folded) == load_incident(tale.path)
    (tmp_path / "other").write_bytes(b"\x80\x04N.")  # None
    with pytest.raises(ReportError, match="holds no halt"):
        load_incident(tale.path, 1, tmp_path / "other")
