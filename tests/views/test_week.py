"""The week's fold against figures reckoned on paper (tests/reporting/hand_made.py says how)."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from qgtm.cli import VERBS
from qgtm.core.events import BarsClosed
from qgtm.views.action import Caps, actions
from qgtm.views.ledger import RESIDUAL
from qgtm.views.week import Diary, Week, begin_of, monday_from, shares_of, week_name
from tests.reporting.hand_made import D, Timed, at, begun, closed, events, opened

MONDAY = date(2026, 1, 5)
CAPS = Caps(soft_frac=D("0.08"), hard_frac=D("0.12"))


def folded(rows: list[Timed], monday: date = MONDAY) -> Week:
    diary = Diary(monday)
    for moment, event in rows:
        diary.take(event, moment)
    return diary.week()


@pytest.fixture(scope="module")
def week() -> Week:
    return folded(events())


def test_result_by_strategy_is_that_on_paper_and_adds_up_to_the_cent(week: Week) -> None:
    told = week.account
    assert told is not None
    assert told.by_strategy_usd == {"alpha": D("53.00"), "beta": D("5.00")}
    assert (told.residual_usd, told.account_usd) == (D("-3.50"), D("54.50"))
    assert sum(told.by_strategy_usd.values()) + told.residual_usd == told.account_usd


def test_equity_and_money_in_are_those_on_paper(week: Week) -> None:
    assert week.closes[-1].equity_usd == D("101054.5")
    assert (week.flows_usd, week.opening_usd) == (D(1_000), D(100_000))


def test_positions_earn_what_stands_on_paper_best_first(week: Week) -> None:
    found = [(line.owner, line.symbol, line.pnl_usd) for line in week.lines]
    assert found == [
        ("alpha", "GLD", D(48)),
        ("beta", "GLD", D(32)),
        ("alpha", "SLV", D(5)),
        ("beta", "SLV", D(-27)),
    ]


def test_turnover_and_slippage_are_those_on_paper(week: Week) -> None:
    assert (week.turnover_usd, week.slippage_usd) == (D(5438), D("12.00"))
    assert week.slippage_bps is not None
    assert float(week.slippage_bps) == pytest.approx(12 / 5430 * 10_000)


def test_slippage_of_the_strategies_adds_up_to_the_accounts(week: Week) -> None:
    cost = {row.owner: row.slippage_usd for row in shares_of(week)}
    assert cost == {"alpha": D("6.00"), "beta": D("6.00"), RESIDUAL: D("0.00")}


def test_sessions_add_up_to_the_week(week: Week) -> None:
    found = {day.day: told.account_usd for day, told in week.by_session}
    # Mon 10 (405-402) - 20 (70-70.9) = 48; Wed -10 - 20 = -30; Thu -3.50; Fri 60 - 20 = 40
    assert found == {5: D(48), 6: D(0), 7: D(-30), 8: D("-3.5"), 9: D(40)}
    assert sum(found.values()) == D("54.5")


def test_denials_are_counted_by_check_the_most_frequent_first(week: Week) -> None:
    found = [(row.check, row.count, row.symbols) for row in week.denials]
    assert found == [("spread", 2, ("GDXJ", "SIL")), ("sector", 1, ("GDX",))]


def test_first_week_is_measured_from_the_money_paid_in() -> None:
    first = folded(events(), date(2025, 12, 29))
    assert first.account is not None
    assert (first.account.account_usd, first.opening_usd, len(first.closes)) == (0, D(100_000), 1)


def test_week_reads_the_same_when_more_has_happened_since(week: Week) -> None:
    later = [opened(12), *closed(12, 500.0, 80.0)]
    assert folded(events() + later) == week


def test_week_without_a_session_has_no_result() -> None:
    empty = folded(begun(), date(2026, 1, 5))
    assert (empty.account, empty.lines, empty.fills, empty.by_session) == (None, (), (), ())


@pytest.mark.parametrize(
    ("monday", "hours"), [(date(2026, 3, 2), 167), (date(2026, 10, 26), 169), (date(2026, 6, 1), 168)]
)
def test_week_in_which_the_clock_changes_has_an_hour_less_or_more(monday: date, hours: int) -> None:
    assert begin_of(monday + timedelta(days=7)) - begin_of(monday) == timedelta(hours=hours)


def test_week_begins_at_new_yorks_midnight() -> None:
    assert begin_of(date(2026, 1, 5)) == datetime(2026, 1, 5, 5, tzinfo=UTC)


@pytest.mark.parametrize("text", ["2026-W01", "2025-12-29", "2026-01-04"])
def test_week_is_found_by_name_and_by_any_of_its_days(text: str) -> None:
    assert monday_from(text) == date(2025, 12, 29)
    assert week_name(monday_from(text)) == "2026-W01"


@pytest.mark.parametrize("text", ["2026-W60", "W01", "next", "2026-02-30"])
def test_text_that_is_no_week_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        monday_from(text)


def test_things_to_do_follow_from_the_facts(week: Week) -> None:
    found = " ".join(item.fact for item in actions(week, (), CAPS))
    for fact in ("−$3.50", "beta is switched off", "spread refused 2 orders", "1 grave alert"):
        assert fact in found


def test_refusal_for_the_market_s_sake_is_no_question_of_limits(week: Week) -> None:
    steps = {item.fact: item.step for item in actions(week, (), CAPS)}
    spread, sector = (
        steps[f"The check {said}."] for said in ("spread refused 2 orders", "sector refused 1 order")
    )
    assert "a look at the feed" in spread
    assert "The limit comes first" in sector
    assert all(row.reason.rstrip(".") in spread + sector for row in week.denials)


def test_missing_session_is_something_to_do() -> None:
    rows = [
        (moment, event)
        for moment, event in events()
        if not (isinstance(event, BarsClosed) and event.session.day == 7)
    ]
    expected = [date(2026, 1, day) for day in range(5, 10)]
    found = [item.fact for item in actions(folded(rows), expected, CAPS)]
    assert "The journal holds no closing bars of Wednesday." in found


def test_fall_near_the_soft_cap_is_something_to_do(week: Week) -> None:
    fallen = folded([*events()[:-3], *closed(9, 100.0, 700.0)])
    assert any("below its peak" in item.fact for item in actions(fallen, (), CAPS))
    assert not any("below its peak" in item.fact for item in actions(week, (), CAPS))


def test_calm_week_asks_for_nothing() -> None:
    calm = folded([*begun(), opened(5), *closed(5, 400.0, 70.0)])
    assert actions(calm, [date(2026, 1, 5)], CAPS) == ()


@pytest.mark.mistake(18)
def test_every_command_that_is_advised_exists(week: Week) -> None:
    stuck = folded([*events(), (at(9, 22), events()[0][1])])
    steps = [item.step for each in (week, stuck) for item in actions(each, (date(2026, 1, 8),), CAPS)]
    verbs = {part.split()[1] for step in steps for part in step.split("`")[1::2] if part.startswith("qgtm ")}
    assert verbs
    assert verbs <= set(VERBS)


def test_strategy_results_are_exact_before_rounding(week: Week) -> None:
    for owner in ("alpha", "beta"):
        lines = sum((line.pnl_usd for line in week.lines if line.owner == owner), Decimal(0))
        assert week.account is not None
        assert lines == week.account.by_strategy_usd[owner]
