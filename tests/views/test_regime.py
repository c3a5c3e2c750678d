"""The regime and the paused strategies in words."""

from datetime import UTC, date, datetime

import pytest

from qgtm.core.events import FeedFailed, RegimeSeen
from qgtm.core.series import MINUTES, FeedName
from qgtm.features.hidden_markov import STATES
from qgtm.views import regime
from qgtm.views.chronicle import Chronicle
from qgtm.views.regime import paused_said, regime_said
from qgtm.views.summary import Outside, facts_of
from tests.views.told import LIMITS

SEEN = RegimeSeen(
    session=date(2021, 6, 25),
    state="risk_off",
    odds={"risk_on": 0.2, "risk_off": 0.724, "crisis": 0.076},
    change=0.031,
    run_length=40.0,
    volatility="elevated",
    thresholds=(0.11, 0.15, 0.21),
)


def test_regime_in_a_sentence() -> None:
    assert regime_said(SEEN) == (
        "The market reads as uneasy (72% sure); gold's volatility is elevated; "
        "a change within two weeks is 3% likely."
    )


def test_transition_claims_no_certainty_and_the_unknown_is_called_so() -> None:
    early = RegimeSeen(
        session=date(2021, 6, 25), state="transition", odds={}, change=None, run_length=None,
        volatility=None, thresholds=(),
    )  # fmt: skip
    said = regime_said(early)
    assert "none is named" in said
    assert "sure" not in said
    assert "not known yet" in said
    assert "unknown likely" in said
    assert regime_said(None) == ""


def test_every_state_and_feed_has_its_words() -> None:
    assert set(STATES) < set(regime.STATES)
    assert set(regime.FEEDS) == {*FeedName, MINUTES}


@pytest.mark.parametrize(
    ("paused", "said"),
    [
        ({}, ""),
        (
            {"real_rate_gold": ("fred",)},
            "One strategy waits for newer data: interest rates and the dollar (FRED). The others go on.",
        ),
        (
            {"cot_extreme": ("cot",), "reddit_contrarian": ("sentiment", "cot")},
            "2 strategies wait for newer data: futures positions (CFTC) and Reddit. The others go on.",
        ),
    ],
)
def test_who_waits(paused: dict[str, tuple[str, ...]], said: str) -> None:
    assert paused_said(paused) == said


def test_line_under_the_dot_names_a_feed_in_the_partner_s_words() -> None:
    chronicle = Chronicle()
    chronicle.take(FeedFailed(feed="fred", reason="late"), datetime(2021, 6, 25, 14, tzinfo=UTC))
    facts = facts_of(chronicle, Outside(monotonic_s=1.0), LIMITS)
    assert facts.stale_feeds == ("interest rates and the dollar (FRED)",)
