"""Views: plain values in, a pane or a drawing out, so that each can be tested without a server."""

from html import escape

from bokeh.models import ColumnDataSource, DataRange1d, DatetimeTickFormatter, NumeralTickFormatter
from bokeh.plotting import figure

from dashboards._store import PhoneState
from dashboards._style import FONTS, Palette
from qgtm.core.instant import NEW_YORK
from qgtm.views.words import change, dollars, percent

LEAST_FALL = 0.01  # of the axis, so that a fall of a few dollars does not look like a crash


def numbers_html(state: PhoneState) -> str:
    """Return account, day's P&L and fall as HTML; every value is escaped."""
    told = state.summary
    side = "up" if (told.pnl_day_usd or 0) > 0 else "down" if (told.pnl_day_usd or 0) < 0 else ""
    day = f"{change(told.pnl_day_usd)} ({percent(told.pnl_day_frac, signed=True)})"
    at = told.venue_at.astimezone(NEW_YORK).strftime("%d %b %H:%M") if told.venue_at else "unknown"
    return (
        f'<div class="live"><b>{escape(dollars(told.equity_usd, cents=True))}</b> '
        f'<span class="{side}">{escape(day)}</span><br>'
        f"<small>{escape(percent(told.drawdown_frac, 1))} below the peak; market time {at}</small></div>"
    )


def columns(state: PhoneState) -> dict[str, list[object]]:
    """Return the drawings' columns."""
    return {
        "at": list(state.closed_at),
        "equity_usd": list(state.equity_usd),
        "below_peak": list(state.below_peak),
        "zero": [0.0] * len(state.closed_at),
    }


def equity_picture(source: ColumnDataSource, colours: Palette) -> figure:
    """Return the account's value over the closes, in dollars."""
    drawn = _drawing("Account value", colours, height=180)
    drawn.line("at", "equity_usd", source=source, line_width=2, line_color=colours.line)
    drawn.yaxis.formatter = NumeralTickFormatter(format="$0,0")
    return drawn


def drawdown_picture(source: ColumnDataSource, colours: Palette) -> figure:
    """Return the fall from the peak over the closes, as percent below zero."""
    drawn = _drawing("Below its peak", colours, height=150)
    drawn.varea("at", "zero", "below_peak", source=source, fill_color=colours.fall, fill_alpha=0.75)
    drawn.yaxis.formatter = NumeralTickFormatter(format="0.0%")
    drawn.y_range = DataRange1d(end=0, min_interval=LEAST_FALL)
    return drawn


def _drawing(title: str, colours: Palette, height: int) -> figure:
    drawn = figure(
        title=title,
        height=height,
        sizing_mode="stretch_width",
        x_axis_type="datetime",
        toolbar_location=None,
        tools="",
        background_fill_color=None,
        border_fill_color=None,
        outline_line_color=None,
        min_border_left=8,
    )
    drawn.title.text_color = colours.soft
    drawn.title.text_font = FONTS
    drawn.title.text_font_size = "14px"
    drawn.xaxis.formatter = DatetimeTickFormatter(months="%b %Y", days="%d %b", hours="%d %b %H:%M")
    drawn.xaxis.ticker.desired_num_ticks = 4
    drawn.yaxis.ticker.desired_num_ticks = 4
    drawn.axis.major_label_text_color = colours.soft
    drawn.axis.major_label_text_font = FONTS
    drawn.axis.major_label_text_font_size = "12px"
    drawn.axis.axis_line_color = colours.rule
    drawn.axis.major_tick_line_color = colours.rule
    drawn.axis.minor_tick_line_color = None
    drawn.grid.grid_line_color = colours.rule
    drawn.xgrid.grid_line_color = None
    return drawn
