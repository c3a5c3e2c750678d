"""OpB's page: one HTML document that says everything, ages by itself and needs no script. Pure."""

import re
from base64 import b64encode
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import cache
from hashlib import sha256
from html import escape
from importlib.resources import files
from string import Template
from typing import Final

from qgtm.core.gate import by_words
from qgtm.core.instant import NEW_YORK
from qgtm.core.mode import Dot
from qgtm.risk.health import PARAMS as HEALTH
from qgtm.views.chronicle import Alert
from qgtm.views.matter import Matter, dead_man_said, watchdog_said
from qgtm.views.performance import Point
from qgtm.views.summary import Daemon, Line, Summary, loaded_said
from qgtm.views.words import bound, change, dollars, percent, span
from qgtm.web.drawing import caps_said, drawdown_bar, pictures

GREY_AFTER_S: Final = HEALTH.heartbeat_age_s
REFRESH_S: Final = 30
ACTS: Final = "/acts"  # where OpB reads, approves, rejects and halts
DAY_S: Final = 86_400
BIG_AT_MOST: Final = 12  # characters of the account's value; a longer one is set smaller, not broken
# What the age reads once it is past the seconds: (from this second on, the text).
STAGES: Final = (
    *((minute * 60, f"{minute} min") for minute in (2, 3, 4, 5, 7, 10, 15, 20, 30, 45)),
    *((hour * 3600, f"{hour} h") for hour in (1, 2, 3, 6, 12, 24)),
)
MARKS: Final = {
    Dot.GREEN: '<path d="M5 12.5l5 5 9-10.5"/>',
    Dot.YELLOW: '<path d="M12 5v9M12 18.6v.2"/>',
    Dot.ORANGE: '<path d="M8 5v9M8 18.6v.2M16 5v9M16 18.6v.2"/>',
    Dot.RED: '<path d="M6.5 6.5l11 11M17.5 6.5l-11 11"/>',
}
QUERY: Final = '<path d="M8.6 8.8a3.5 3.5 0 1 1 5.2 3.2c-1.2.7-1.8 1.3-1.8 2.6M12 18.6v.2"/>'


class Html(str):
    """Text that is HTML already, made here; everything else is escaped on its way into the page."""

    __slots__ = ()


def filled(template: str, values: Mapping[str, str]) -> Html:
    """Return the template with its values in place, each escaped unless it is Html."""
    safe = {name: value if isinstance(value, Html) else escape(value) for name, value in values.items()}
    return Html(Template(template).substitute(safe))


def phone_page(
    told: Summary,
    points: Sequence[Point],
    alerts: Sequence[Alert],
    wall_at: datetime,
    *,
    script: str,
    live: str | None = None,
) -> Html:
    """Return the whole document; `script` and `live` are addresses on this server (None: no live view)."""
    age_s = told.heartbeat_age_s
    return filled(
        page_text("phone.html"),
        {
            "title": f"{told.dot.value.capitalize()}: QGTM",
            "css": style(),
            "ageing": ageing(age_s),
            "script": script,
            "refresh_s": str(REFRESH_S),
            "age_s": f"{age_s or 0:.1f}",
            "left_s": f"{left_s(age_s):.1f}",
            "dot": told.dot.value,
            "mark": Html(MARKS[told.dot]),
            "query": Html(QUERY),
            "word": told.dot.value.capitalize(),
            "was": told.dot.value,
            "grey_s": str(GREY_AFTER_S),
            "age": _age(age_s, wall_at),
            "sentence": told.sentence,
            "matters": _matters(told),
            "notes": _notes(told),
            **_numbers(told),
            "bar": Html(drawdown_bar(told)),
            "details": _details(told, alerts),
            "live": Html(f' data-live="{escape(live)}"') if live else "",
            "pictures": Html(pictures(points, told)),
            "acts": ACTS,
            "wall": f"{wall_at.astimezone(NEW_YORK):%H:%M:%S}",
        },
    )


# --- age ----------------------------------------------------------------------------------------


def left_s(age_s: float | None) -> float:
    """Return after how many seconds without a further word the page turns grey.

    A page that came with old news is red already, and greys when the server is silent too.
    """
    return GREY_AFTER_S - age_s if age_s is not None and age_s < GREY_AFTER_S else float(GREY_AFTER_S)


def ageing(age_s: float | None) -> Html:
    """Return the one rule that differs from page to page: how old the news is, and how long it holds."""
    return Html(f":root{{--age:-{age_s or 0:.1f}s;--left:{left_s(age_s):.1f}s}}")


def _age(age_s: float | None, wall_at: datetime) -> Html:
    if age_s is None:
        return Html('<p class="small">No sign of life is known.</p>')
    seconds = "\n".join(f"{second} s ago" for second in range(GREY_AFTER_S))
    stages = "\n".join([f"{GREY_AFTER_S} s ago", *(f"{text} ago" for _, text in STAGES)])
    soon = f'<span class="soon"><span class="roll secs"><i>{seconds}</i></span></span>'
    late = f'<span class="late">over <span class="roll steps"><i>{stages}</i></span></span>'
    both = f'<span class="swap" aria-hidden="true">{soon}{late}</span>'
    at = f"{(wall_at - timedelta(seconds=age_s)).astimezone(NEW_YORK):%H:%M:%S} New York"
    return Html(f'<p class="small num old">Last sign of life <span class="heard">at {at}</span>{both}</p>')


@cache
def style() -> Html:
    """Return the page's style sheet; the same for every page, so that its hash can be told to the browser."""
    count = len(STAGES) + 1
    frames = [
        f"{at * 100 / DAY_S:.3f}%{{transform:translateY({-k * 100 / count:.3f}%)}}"
        for k, (at, _) in enumerate(STAGES, 1)
    ]
    text = page_text("phone.css").replace("$steps", "".join(frames)).replace("90s", f"{GREY_AFTER_S}s")
    bare = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
    return Html("".join(line.strip() for line in bare.splitlines()))


def policy(*blocks: str) -> str:
    """Return the page's Content-Security-Policy: its own script and frame, and these style blocks alone."""
    hashes = " ".join(f"'sha256-{b64encode(sha256(block.encode()).digest()).decode()}'" for block in blocks)
    return (
        f"default-src 'none'; script-src 'self'; style-src {hashes}; img-src data:; connect-src 'self'; "
        "frame-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


@cache
def page_text(name: str) -> str:
    """Return one of this package's templates or style sheets."""
    return files("qgtm.web").joinpath(name).read_text("utf-8")


# --- what it says -------------------------------------------------------------------------------


def _numbers(told: Summary) -> dict[str, str]:
    loaded, equity = told.strategies_loaded, dollars(told.equity_usd, cents=True).capitalize()
    return {
        "equity": equity,
        "length": "long" if len(equity) > BIG_AT_MOST else "",
        "day": _day(told),
        "fall": _fall(told),
        "caps": f"{caps_said(told).capitalize()}.",
        "positions": _known(told.positions),
        "notional": dollars(told.notional_usd).capitalize(),
        "signal": _signal(told),
        "running": "Running for" if told.uptime_s is not None else "System",
        "uptime": span(told.uptime_s).capitalize() if told.uptime_s is not None else _not_running(told),
        "strategies": "Unknown" if loaded is None else loaded_said(told),
        "broker": _broker(told),
        "market": _market(told),
    }


def _fall(told: Summary) -> str:
    text = percent(told.drawdown_frac, 1).capitalize()
    return text if text != "0.0%" else "Less than 0.1%" if told.drawdown_frac else "At the peak"


def _known(number: int | None) -> str:
    return "Unknown" if number is None else str(number)


def _not_running(told: Summary) -> str:
    return told.daemon_note.capitalize() or "Unknown"


def _day(told: Summary) -> Html:
    pnl = told.pnl_day_usd
    if pnl is None:
        return Html("Today: unknown")
    amount = change(pnl)
    side, arrow = {"+": ("up", "▲ "), "−": ("down", "▼ ")}.get(amount[0], ("", ""))
    text = f"{arrow}{amount} ({percent(told.pnl_day_frac, signed=True)})"
    return Html(f'<span class="{side}">{escape(text)}</span> <span class="small">today</span>')


def _signal(told: Summary) -> str:
    last = told.last_signal
    if last is None:
        return "None yet"
    at = f"{last.at.astimezone(NEW_YORK):%a %d %b, %H:%M} New York"
    return f"{last.direction.capitalize()} {last.symbol} ({last.strategy}), {at}"


def _broker(told: Summary) -> str:
    where = {"embedded": "practice exchange", "paper": "paper account", "live": "real money"}
    if told.broker is Line.CONNECTED:
        return f"Connected, {where.get(told.venue or '', told.venue or '')}"
    return told.broker.value.capitalize()


def _market(told: Summary) -> str:
    if told.is_open is None or told.venue_at is None:
        return "Unknown"
    return f"{'Open' if told.is_open else 'Closed'}, {told.venue_at.astimezone(NEW_YORK):%a %d %b, %H:%M}"


def _matters(told: Summary) -> Html:
    return Html("".join(_card(matter) for matter in told.matters))


def _card(matter: Matter) -> str:
    lines = "".join(f"<p>{_coded(line)}</p>" for line in matter.lines)
    link = f'<p><a class="go" href="{ACTS}">{escape(matter.link)}</a></p>' if matter.link else ""
    return (
        f'<section class="card matter {matter.kind}"><h2>{escape(matter.title)}</h2>{lines}{link}</section>'
    )


def _notes(told: Summary) -> Html:
    notes = [note for note in (told.problem, told.next_step, *told.notes) if note]
    return Html("".join(f'<p class="note">{_coded(note)}</p>' for note in notes))


def _coded(text: str) -> str:
    """Return text with what stands in backticks as code, whose words are not broken."""
    parts = escape(text).split("`")
    return "".join(_code(part) if n % 2 else part for n, part in enumerate(parts))


def _code(command: str) -> str:
    return f"<code>{' '.join(f'<span>{word}</span>' for word in command.split())}</code>"


def _details(told: Summary, alerts: Sequence[Alert]) -> Html:
    caps = f"soft cap {bound(told.soft_cap_frac)}, hard cap {bound(told.hard_cap_frac)}"
    is_heard = told.daemon is Daemon.RUNNING or told.risk == "unknown"
    heard = "" if is_heard else ", when last heard"
    pending = "unknown" if told.pending is None else ", ".join(told.pending) or "none"
    said = [
        *(line for line in told.lines if line != told.sentence),
        f"Kill switch{heard}: {told.risk} ({caps}).",
        f"Signals waiting for orders: {pending}.",
        f"Watchdog: {watchdog_said(told.watchdog)}.",
        *((dead_man_said(told.watchdog),) if told.watchdog else ()),
        *(f"{name} is switched off: {reason}" for name, reason in told.disabled.items()),
        *by_words(told.shadows),
    ]
    shown = [f"<li>{escape(line)}</li>" for line in said]
    for alert in reversed(alerts):
        at = f"{alert.at.astimezone(NEW_YORK):%d %b %H:%M}"
        level = alert.level if alert.level in set(Dot) else ""
        shown.append(f'<li class="{level}">{at}: {escape(alert.text)}</li>')
    return Html("".join(shown))
