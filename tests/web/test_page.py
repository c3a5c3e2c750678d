"""OpB's page: what it says, how small it is, and that nothing foreign gets into it."""

import gzip
import re
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal as D
from html.parser import HTMLParser

import pytest

from qgtm.core.events import (
    AlertRaised,
    BreakFound,
    FeedFailed,
    Latched,
    ModeChanged,
    RequestMade,
    StrategyDisabled,
)
from qgtm.core.mode import Dot, Latch, Mode, Trigger
from qgtm.views.chronicle import Chronicle
from qgtm.views.performance import performance
from qgtm.views.summary import summary
from qgtm.web.lookout import Look
from qgtm.web.page import ageing, left_s, phone_page, policy, style
from tests.views.told import LIMITS, WATCHDOG, closed, live, opened, outside, sample, told, traded, views
from tests.web.office import REQUEST
from tests.web.seen import WALL, look_at

TUESDAY = date(2026, 3, 3)
EVIL = "<script>alert(1)</script>\"'&<img src=x onerror=alert(1)>"


def page(look: Look, live_view: str | None = None) -> str:
    points = performance(look.chronicle.ledger.closes).points
    alerts = list(look.chronicle.alerts)
    return phone_page(look.summary, points, alerts, WALL, script="/assets/phone.js", live=live_view)


def day() -> Chronicle:
    return told(
        live(),
        closed(GLD=179.0),
        views(tsmom={"GLD": 0.5}),
        opened(),
        traded("GLD", 100, "180", tsmom=100),
        sample("100412", "100000", GLD="184.12"),
    )


class Text(HTMLParser):
    """Collect what a person would read, tags and their attributes apart."""

    def __init__(self, document: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(document)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words.append(data.strip())

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


@pytest.mark.parametrize(
    "said",
    [
        "Green", "All is well", "$100,412.00", "+$412 (+0.41%)", "At the peak", "Open positions 1",
        "Total notional $18,412", "Long GLD (tsmom)", "Running for 1h 6m", "Connected, practice exchange",
        "2 of 4", "Written 14:30:05 New York", "Last sign of life",
    ],
)  # fmt: skip
def test_page_of_a_good_day_says(said: str) -> None:
    assert said in Text(page(look_at(day()))).text


def test_page_names_who_is_in_the_shadow_and_why_in_the_gates_words() -> None:
    words = {"tsmom": "shadow: no card", "donchian_breakout": "shadow: no card"}
    first, *rest = live()
    said = Text(page(look_at(told(replace(first, shadows=words), rest)))).text  # type: ignore[type-var]
    assert "2 of 4, 2 in the shadow" in said
    assert "tsmom, donchian_breakout: shadow: no card" in said


def test_page_is_small_enough_for_one_short_answer() -> None:
    full = told(day_of_many_closes())
    document = page(look_at(full), "/live").encode()
    assert len(document) < 30_000
    assert len(gzip.compress(document, 6)) < 10_000


def day_of_many_closes() -> list[object]:
    return [*live(), *(event for n in range(300) for event in closed(GLD=100.0 + n % 17))]  # type: ignore[return-value]


def test_page_asks_for_nothing_else_before_it_is_read() -> None:
    tags = Text(page(look_at(day()), "/live")).tags
    sources = [(tag, a.get("src") or a.get("href")) for tag, a in tags if a.get("src") or a.get("href")]
    asked = [tag for tag, address in sources if tag != "a" and not str(address).startswith("data:")]
    assert asked == ["script"]
    assert all("defer" in a for tag, a in tags if tag == "script")
    assert [tag for tag, a in tags if "style" in a or any(name.startswith("on") for name in a)] == []


@pytest.mark.parametrize("dot", list(Dot))
def test_dot_is_said_in_words_beside_its_colour(dot: Dot) -> None:
    events = {
        Dot.GREEN: [],
        Dot.YELLOW: [FeedFailed(feed="ohlcv", reason="")],
        Dot.ORANGE: [StrategyDisabled(strategy="tsmom", reason="")],
        Dot.RED: [BreakFound(subject="GLD", ours=D(1), brokers=D(2), detail="")],
    }[dot]
    look = look_at(told(live(), events))
    document = page(look)
    assert f'class="card health {dot.value}"' in document
    assert f'<span class="soon">{dot.value.capitalize()}</span>' in document
    assert look.summary.sentence in Text(document).text


def test_page_of_a_fund_that_never_ran_guesses_nothing() -> None:
    text = Text(page(look_at(Chronicle(), age_s=None))).text
    assert "Account value Unknown Today: unknown" in text
    assert "Open positions Unknown Total notional Unknown" in text
    assert "No sign of life is known." in text
    assert "qgtm up" in text


@pytest.mark.fault("J11")
@pytest.mark.parametrize(
    "events",
    [
        [StrategyDisabled(strategy=EVIL, reason=EVIL)],
        [FeedFailed(feed=EVIL, reason=EVIL)],
        [BreakFound(subject=EVIL, ours=D(1), brokers=D(2), detail=EVIL)],
        [AlertRaised(level=EVIL, cause=EVIL, text=EVIL)],
        [views(**{EVIL: {EVIL: 1.0}})],
    ],
)
def test_foreign_text_never_becomes_a_tag(events: list[object]) -> None:
    tags = Text(page(look_at(told(live(), *events)))).tags  # type: ignore[arg-type]
    assert [tag for tag, _ in tags].count("script") == 1
    assert "img" not in [tag for tag, _ in tags]


@pytest.mark.fault("J11")
def test_foreign_text_in_a_problem_is_escaped() -> None:
    document = page(look_at(told(live()), journal_problem=EVIL))
    assert "<img" not in document
    assert "&lt;img src=x" in document


@pytest.mark.fault("K7")
@pytest.mark.mistake(19)
@pytest.mark.invariant("V24")
@pytest.mark.parametrize(
    ("age_s", "left"), [(0.0, 90.0), (30.0, 60.0), (89.0, 1.0), (90.0, 90.0), (4000.0, 90.0), (None, 90.0)]
)
def test_page_turns_grey_ninety_seconds_after_the_last_word(age_s: float | None, left: float) -> None:
    assert left_s(age_s) == left


def test_age_is_handed_to_the_style_sheet_and_to_the_script() -> None:
    document = page(look_at(told(live()), age_s=12.34))
    assert ":root{--age:-12.3s;--left:77.7s}" in document
    assert 'data-age="12.3" data-left="77.7"' in document


def test_style_rolls_through_ninety_seconds_and_then_in_steps() -> None:
    document = page(look_at(told(live())))
    rolled = re.search(r'secs"><i>(.*?)</i>', document, re.S)
    assert rolled is not None
    assert rolled.group(1).split("\n") == [f"{n} s ago" for n in range(90)]
    # two minutes are 0.139% of a day, and the second line of seventeen
    assert "0.139%{transform:translateY(-5.882%)}" in style()
    assert "$steps" not in style()


def test_page_renews_itself_without_script_only() -> None:
    assert '<noscript><meta http-equiv="refresh" content="30"></noscript>' in page(look_at(day()))


def test_live_view_is_named_only_where_there_is_one() -> None:
    assert "data-live" not in page(look_at(day()))
    assert 'data-live="/live"' in page(look_at(day()), "/live")


def test_policy_allows_exactly_the_two_style_blocks_of_the_page() -> None:
    document = page(look_at(told(live()), age_s=2.0))
    blocks = re.findall(r"<style>(.*?)</style>", document, re.S)
    assert blocks == [style(), ageing(2.0)]
    assert policy(*blocks).count("sha256-") == 2
    assert "unsafe" not in policy(*blocks)


@pytest.mark.parametrize(("value", "x"), [("1", "0.00%"), ("0.97", "25.00%"), ("0.5", "100.00%")])
def test_mark_on_the_bar_stands_at_the_fall_and_stays_inside(value: str, x: str) -> None:
    chronicle = told(live())
    assert chronicle.state.drawdown is not None
    fallen = replace(chronicle.state.drawdown, unit_value_usd=D(value))
    chronicle.state = replace(chronicle.state, drawdown=fallen)
    assert f'<svg x="{x}" y="0"' in page(look_at(chronicle))


def test_zones_of_the_bar_meet_at_three_quarters_of_the_soft_cap_and_at_it() -> None:
    zones = re.findall(r'<rect class="(.)" x="([\d.]+)%" y="16" width="([\d.]+)%"', page(look_at(day())))
    assert zones == [("g", "0.00", "50.00"), ("y", "50.00", "16.67"), ("r", "66.67", "33.33")]


@pytest.mark.parametrize(
    ("soft", "hard", "numbers"),
    [
        ("0.08", "0.12", ["0%", "6%", "8%", "12%"]),
        ("0.075", "0.125", ["0%", "5.625%", "7.5%", "12.5%"]),
        ("0.08", "0.085", ["0%", "6%", "8.5%"]),  # the soft cap's would run into the hard cap's
    ],
)
def test_numbers_on_the_bar_are_exact_and_never_run_into_each_other(
    soft: str, hard: str, numbers: list[str]
) -> None:
    chronicle = told(live())
    limits = replace(LIMITS, soft_cap_frac=D(soft), hard_cap_frac=D(hard))
    look = Look(summary(chronicle, outside(2.0), limits), chronicle, 5000.0, WALL)
    bar = re.search(r'<svg class="bar".*?</svg>', page(look))
    assert bar is not None
    assert re.findall(r"<text[^>]*>(.*?)</text>", bar.group()) == numbers


def test_page_names_both_caps_under_the_bar() -> None:
    assert "Half size at 8%, all closed at 12%." in Text(page(look_at(day()))).text


@pytest.mark.parametrize(
    ("unit", "said"), [("1", "At the peak"), ("0.9997", "Less than 0.1%"), ("0.97", "3.0%")]
)
def test_fall_too_small_to_print_is_not_called_the_peak(unit: str, said: str) -> None:
    chronicle = told(live())
    assert chronicle.state.drawdown is not None
    fallen = replace(chronicle.state.drawdown, unit_value_usd=D(unit))
    chronicle.state = replace(chronicle.state, drawdown=fallen)
    assert f"Below the peak {said} " in Text(page(look_at(chronicle))).text


def test_pictures_of_an_open_market_go_up_to_what_the_page_says_now() -> None:
    fallen = sample("98000", "100000", GLD="160")
    chronicle = told(live(), traded("GLD", 100, "180"), closed(GLD=180.0), opened(TUESDAY), fallen)
    text = Text(page(look_at(chronicle))).text
    assert "Account value $98,000.00" in text
    assert "Lowest $98,000, highest $100,000" in text
    assert "Account, 02 Mar 2026 to now" in text


def test_pictures_of_a_closed_market_end_at_the_last_close() -> None:
    chronicle = told(live(), closed(GLD=180.0), closed(TUESDAY, GLD=180.0))
    assert "Account, 02 Mar to 03 Mar 2026" in Text(page(look_at(chronicle))).text


def test_page_of_a_silent_system_says_from_when_its_words_are() -> None:
    text = Text(page(look_at(day(), age_s=400.0))).text
    assert "Kill switch, when last heard: all clear" in text
    assert "System No sign of life for over 90 s" in text
    assert "Kill switch: all clear" in Text(page(look_at(day()))).text


def test_details_do_not_repeat_the_sentence_under_the_dot() -> None:
    look = look_at(told(live(), FeedFailed(feed="ohlcv", reason="")))
    assert Text(page(look)).text.count(look.summary.sentence) == 1


def test_age_is_also_a_time_that_can_be_read_out() -> None:
    assert '<span class="heard">at 14:30:03 New York</span>' in page(look_at(day()))


def test_command_in_a_note_is_set_as_code() -> None:
    document = page(look_at(Chronicle(), age_s=None))
    assert "<code><span>qgtm</span> <span>up</span></code>" in document


def test_change_of_some_cents_points_nowhere() -> None:
    text = Text(page(look_at(told(live(), sample("99999.60", "100000"))))).text
    assert "$99,999.60 $0 (0.00%) today" in text


@pytest.mark.parametrize(("equity", "name"), [("999999.99", "big"), ("1000000.00", "big long")])
def test_account_too_long_for_one_line_is_set_smaller(equity: str, name: str) -> None:
    look = look_at(told(live()))
    long = replace(look, summary=replace(look.summary, equity_usd=D(equity)))
    assert re.search(rf'<p class="{name} ?">\$', page(long))


def test_practice_says_how_fast_its_time_runs() -> None:
    assert "Practice exchange, 390 times real time" in page(look_at(day(), speed=390.0))
    assert "times real time" not in page(look_at(day(), speed=1.0))


# --- what waits, what halts ---------------------------------------------------------------------


def asked(text: str = "Trade again at half size.") -> RequestMade:
    request = replace(REQUEST, text=text, made_at=WALL, expires_at=WALL + timedelta(minutes=10))
    return RequestMade(request=request, monotonic_s=1.0, epoch=1)


def links(document: str) -> list[tuple[str, str]]:
    """Return every link to OpB's acts: (its class, its address)."""
    found = [a for tag, a in Text(document).tags if tag == "a"]
    return [(str(a.get("class")), str(a.get("href"))) for a in found]


def test_request_is_a_card_right_under_the_dot_with_a_link_that_needs_no_script() -> None:
    document = page(look_at(told(live(), asked()), wall_at=WALL))
    text = Text(document).text
    assert text.index("OpA asks to trade again") < text.index("Account value")
    assert "Trade again at half size. It waits until 14:40:05 New York." in text
    assert ("go", "/acts") in links(document)
    between = document[document.index("</section>") : document.index("OpA asks")]
    assert between.count("<section") == 1


def test_your_part_is_linked_at_the_foot_of_every_page() -> None:
    for look in (look_at(day()), look_at(Chronicle(), age_s=None)):
        assert links(page(look)) == [("part", "/acts")]


def test_override_is_told_with_the_link_that_ends_it() -> None:
    soft = {"reason": "r", "at": WALL, "drawdown_frac": D("0.085")}
    events = [
        ModeChanged(trigger=Trigger.SOFT_CAP, before=Mode.ACTIVE, after=Mode.REDUCING, **soft),  # type: ignore[arg-type]
        ModeChanged(trigger=Trigger.OVERRIDDEN, before=Mode.REDUCING, after=Mode.ACTIVE, **soft),  # type: ignore[arg-type]
    ]
    document = page(look_at(told(live(), events)))
    assert "The soft cap is overridden" in Text(document).text
    assert links(document) == [("go", "/acts"), ("part", "/acts")]


def test_page_stays_small_with_all_that_can_stand_on_it() -> None:
    fall = ModeChanged(
        trigger=Trigger.HARD_CAP, before=Mode.ACTIVE, after=Mode.HALTED_HARD, reason="r " * 200, at=WALL
    )
    latched = [Latched(latch=latch, reason="r " * 200) for latch in Latch]
    alerts = [AlertRaised(level="red", cause="c", text="t " * 150) for _ in range(8)]
    full = told(day_of_many_closes(), fall, latched, alerts, asked("w " * 3000))
    document = page(look_at(full, wall_at=WALL), "/live").encode()
    assert len(document) < 30_000
    assert document.count(b"w w w") < 400


def test_foreign_text_in_a_request_and_in_the_watchdogs_word_never_becomes_a_tag() -> None:
    dog = replace(WATCHDOG, state="firing", reason=EVIL, since=WALL, left={EVIL: D(1)})
    document = page(look_at(told(live(), asked(EVIL)), wall_at=WALL, watchdog=dog))
    tags = [tag for tag, _ in Text(document).tags]
    assert (tags.count("script"), tags.count("img")) == (1, 0)


def test_details_say_how_the_watchdog_is_and_after_how_long_it_acts() -> None:
    text = Text(page(look_at(day()))).text
    assert "Watchdog: watching, 1s ago." in text
    assert "closes everything after 15m 0s" in text
