"""Which handler answers which path."""

import re
from typing import Final

from qgtm.exchange import (
    wire_account,
    wire_activity,
    wire_data,
    wire_history,
    wire_option,
    wire_order,
    wire_venue,
)
from qgtm.exchange.wire import Call, Handler, Response


def _empty_list(call: Call) -> Response:
    return Response(200, [])


_TABLE: Final[tuple[tuple[str, str, Handler], ...]] = (
    ("GET", "/v2/account", wire_account.account),
    ("GET", "/v2/account/configurations", wire_account.configurations),
    ("PATCH", "/v2/account/configurations", wire_account.configure),
    ("GET", "/v2/account/portfolio/history", wire_history.portfolio_history),
    ("GET", "/v2/account/activities", wire_activity.activities),
    ("GET", "/v2/account/activities/{}", wire_activity.activities),
    ("POST", "/v2/orders", wire_order.submit),
    ("GET", "/v2/orders", wire_order.listed),
    ("DELETE", "/v2/orders", wire_order.cancel_all),
    ("GET", "/v2/orders:by_client_order_id", wire_order.by_client_id),
    ("GET", "/v2/orders/{}", wire_order.by_id),
    ("PATCH", "/v2/orders/{}", wire_order.replace),
    ("DELETE", "/v2/orders/{}", wire_order.cancel),
    ("GET", "/v2/positions", wire_account.positions),
    ("DELETE", "/v2/positions", wire_account.close_all),
    ("GET", "/v2/positions/{}", wire_account.position),
    ("DELETE", "/v2/positions/{}", wire_account.close_position),
    ("GET", "/v2/clock", wire_venue.clock),
    ("GET", "/v2/calendar", wire_venue.calendar),
    ("GET", "/v2/assets", wire_venue.assets),
    ("GET", "/v2/assets/{}", wire_venue.asset),
    ("GET", "/v2/watchlists", _empty_list),
    ("GET", "/v2/stocks/bars", wire_data.bars),
    ("GET", "/v2/stocks/bars/latest", wire_data.latest_bars),
    ("GET", "/v2/stocks/quotes/latest", wire_data.latest_quotes),
    ("GET", "/v2/stocks/trades/latest", wire_data.latest_trades),
    ("GET", "/v2/stocks/snapshots", wire_data.snapshots),
    ("GET", "/v2/stocks/{}/bars", wire_data.bars),
    ("GET", "/v2/stocks/{}/bars/latest", wire_data.latest_bars),
    ("GET", "/v2/stocks/{}/quotes/latest", wire_data.latest_quotes),
    ("GET", "/v2/stocks/{}/trades/latest", wire_data.latest_trades),
    ("GET", "/v2/stocks/{}/snapshot", wire_data.snapshots),
    ("GET", "/v1/corporate-actions", wire_data.corporate_actions),
    ("GET", "/v1beta1/news", wire_data.news),
    ("GET", "/v1beta1/options/snapshots", wire_option.snapshots),
    ("GET", "/v1beta1/options/snapshots/{}", wire_option.by_underlying),
)
_PATTERNS: Final = tuple(
    (method, re.compile(re.escape(path).replace(r"\{\}", "([^/]+)")), handler)
    for method, path, handler in _TABLE
)
MUTATING: Final = frozenset({"POST", "PATCH", "DELETE"})


def find(method: str, path: str) -> tuple[Handler | None, tuple[str, ...]]:
    """Return the handler of a request and the variable parts of its path; None when there is none."""
    for known, pattern, handler in _PATTERNS:
        found = pattern.fullmatch(path) if known == method else None
        if found is not None:
            return handler, found.groups()
    return None, ()
