"""The account's record, against numbers worked out by hand."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal as D

import pytest

from qgtm.views.ledger import Close
from qgtm.views.performance import performance


def close(number: int, equity: int, flows: int = 100, **worth: str) -> Close:
    day = date(2026, 3, 2) + timedelta(days=number)
    return Close(
        session=day,
        at=datetime(day.year, day.month, day.day, 21, tzinfo=UTC),
        equity_usd=D(equity),
        books_gap_usd=None,
        cash_usd=D(0),
        flows_usd=D(flows),
        worth_usd={owner: D(amount) for owner, amount in worth.items()},
        gross_usd=D(0),
        net_usd=D(0),
    )


def test_record_of_three_closes_is_as_worked_out_by_hand() -> None:
    # +10%, then -20%: 1.1 x 0.8 = 0.88. Mean -5%, deviation sqrt(2) x 15% = 21.2132%.
    done = performance([close(0, 100), close(1, 110), close(2, 88)])
    assert done.return_frac == pytest.approx(-0.12)
    assert done.max_drawdown_frac == pytest.approx(0.2)
    assert done.volatility_frac == pytest.approx(0.212132 * 15.874508, rel=1e-5)
    assert done.sharpe == pytest.approx(-0.05 / 0.212132 * 15.874508, rel=1e-5)


def test_deposit_is_no_gain() -> None:
    done = performance([close(0, 100), close(1, 210, flows=200)])
    assert done.return_frac == pytest.approx(10 / 200)


def test_withdrawal_is_no_loss() -> None:
    done = performance([close(0, 100), close(1, 40, flows=40)])
    assert (done.return_frac, done.max_drawdown_frac) == (0.0, 0.0)


def test_too_few_closes_leave_the_record_unknown() -> None:
    none, one, two = (
        performance([]),
        performance([close(0, 100)]),
        performance([close(0, 100), close(1, 101)]),
    )
    assert (none.return_frac, none.max_drawdown_frac, one.return_frac, two.sharpe) == (None, None, None, None)


def test_flat_account_has_no_sharpe_ratio() -> None:
    assert performance([close(0, 100), close(1, 100), close(2, 100)]).sharpe is None


def test_residual_stands_last_among_the_strategies() -> None:
    done = performance([close(0, 100, residual="1", tsmom="2.005", aaa="3")])
    assert list(done.by_strategy_usd.items()) == [
        ("aaa", D("3.00")),
        ("tsmom", D("2.00")),
        ("residual", D("1.00")),
    ]
