"""The fold that all pages share: day's profit, money in and out, notional, and when things happened."""

from datetime import date
from decimal import Decimal as D

from qgtm.core.events import AlertRaised, CashMoved, Stopped
from tests.views.told import MORNING, boot, closed, live, opened, sample, told, traded

TUESDAY = date(2026, 3, 3)


def test_day_profit_is_equity_less_previous_close() -> None:
    chronicle = told(live(), sample("100412", "100000"))
    assert (chronicle.pnl_day_usd, chronicle.pnl_day_frac) == (D(412), D("0.00412"))


def test_day_profit_before_a_sample_is_not_known() -> None:
    chronicle = told(boot())
    assert (chronicle.pnl_day_usd, chronicle.pnl_day_frac) == (None, None)


def test_day_profit_leaves_a_deposit_aside() -> None:
    deposit = CashMoved(activity_id="d", kind="CSD", amount_usd=D(5000))
    chronicle = told(live(), opened(), deposit, sample("105300", "100000"))
    assert chronicle.pnl_day_usd == D(300)


def test_day_profit_keeps_a_dividend() -> None:
    dividend = CashMoved(activity_id="v", kind="DIV", amount_usd=D(120))
    chronicle = told(live(), opened(), dividend, sample("100120", "100000"))
    assert chronicle.pnl_day_usd == D(120)


def test_deposit_of_yesterday_is_in_todays_base() -> None:
    deposit = CashMoved(activity_id="d", kind="CSD", amount_usd=D(5000))
    chronicle = told(
        live(),
        opened(),
        deposit,
        sample("105000", "100000"),
        closed(),
        opened(TUESDAY),
        sample("105040", "105000"),
    )
    assert (chronicle.flows_day_usd, chronicle.pnl_day_usd) == (D(0), D(40))


def test_deposit_after_the_close_counts_against_the_next_day() -> None:
    deposit = CashMoved(activity_id="d", kind="CSD", amount_usd=D(5000))
    chronicle = told(live(), opened(), closed(), deposit, opened(TUESDAY), sample("105040", "100010"))
    assert chronicle.pnl_day_usd == D(30)


def test_notional_counts_a_short_as_a_long() -> None:
    chronicle = told(live(), opened(), traded("GLD", 100, "180"), traded("SLV", -50, "20", number=2))
    chronicle.take(sample("100000", "100000", GLD="181", SLV="19"), MORNING)
    assert chronicle.notional_usd == D(100 * 181 + 50 * 19)


def test_notional_without_a_price_is_not_known() -> None:
    chronicle = told(live(), opened(), traded("GLD", 100, "180"))
    chronicle.ledger.marks.clear()
    assert chronicle.notional_usd is None


def test_first_sample_of_each_boot_is_kept_for_the_uptime() -> None:
    assert told(live(), sample("1", "1", at_s=1500.0)).first_sample_s == 1000.0
    assert told(live(), boot(epoch=2), sample("1", "1", at_s=77.0)).first_sample_s == 77.0


def test_stop_is_forgotten_at_the_next_boot() -> None:
    stopped = told(live(), Stopped(reason="told to"))
    again = told(live(), Stopped(reason="told to"), boot(epoch=2))
    assert (stopped.stopped, again.stopped) == ("told to", None)


def test_alerts_are_kept_in_order_and_only_the_newest_fifty() -> None:
    many = [AlertRaised(level="info", cause="c", text=str(n)) for n in range(60)]
    assert [alert.text for alert in told(many).alerts] == [str(n) for n in range(10, 60)]
