"""When an order may first be matched and when it ends, by the venue's hours."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from qgtm.exchange.hours import Calendar, Hours
from qgtm.exchange.order import OrderRequest, Refusal

GTC_LIFE = timedelta(days=90)
_CODE = 42210000


@dataclass(frozen=True, slots=True)
class Timing:
    """The moment an order becomes active and the one at which it expires."""

    active_at: datetime
    expires_at: datetime | None


def timing_of(
    request: OrderRequest, now: datetime, calendar: Calendar, *, overnight: bool
) -> Timing | Refusal:
    """Return when the order works, or the refusal that Alpaca gives for this hour."""
    hours = calendar.current(now)
    if request.extended_hours:
        return _extended(request, now, hours, calendar, overnight=overnight)
    if request.time_in_force == "opg":
        return _auction(request, now, hours.opg_cutoff_at, hours, calendar)
    if request.time_in_force == "cls":
        return _auction(request, now, hours.cls_cutoff_at, hours, calendar)
    if now >= hours.close_at:
        if now < hours.queue_at:
            return Refusal(
                status=422,
                code=_CODE,
                message="order is not eligible for extended hours; "
                "submit it after 7:00pm ET to queue it for the next open",
            )
        hours = calendar.after(hours)
    return Timing(max(now, hours.open_at), _end(request, hours.close_at, now, calendar))


def _extended(
    request: OrderRequest, now: datetime, hours: Hours, calendar: Calendar, *, overnight: bool
) -> Timing:
    first = hours.overnight_at if overnight else hours.pre_at
    return Timing(max(now, first), _end(request, hours.after_end_at, now, calendar))


def _auction(
    request: OrderRequest, now: datetime, cutoff_at: datetime, hours: Hours, calendar: Calendar
) -> Timing | Refusal:
    if now >= cutoff_at:
        if now < hours.queue_at:
            message = f"{request.time_in_force} orders are not accepted between {_span(request)} ET"
            return Refusal(status=422, code=_CODE, message=message)
        hours = calendar.after(hours)
    at = hours.open_at if request.time_in_force == "opg" else hours.close_at
    return Timing(at, at)


def _span(request: OrderRequest) -> str:
    return "9:28am and 7:00pm" if request.time_in_force == "opg" else "3:50pm and 7:00pm"


def _end(request: OrderRequest, day_end: datetime, now: datetime, calendar: Calendar) -> datetime:
    if request.time_in_force == "gtc":
        return calendar.current(now + GTC_LIFE).close_at
    return day_end
