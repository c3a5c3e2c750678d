"""alpaca-py 0.44, unchanged, against the exchange over real sockets: REST in typed and raw form."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal as D
from typing import Any
from uuid import UUID

import pytest
from alpaca.common.exceptions import APIError
from alpaca.data.requests import (
    CorporateActionsRequest,
    OptionChainRequest,
    OptionSnapshotRequest,
    StockBarsRequest,
    StockLatestQuoteRequest,
    StockLatestTradeRequest,
    StockSnapshotRequest,
)
from alpaca.data.timeframe import TimeFrame, TimeFrameUnit
from alpaca.trading.enums import OrderSide, OrderStatus, PositionIntent, QueryOrderStatus, TimeInForce
from alpaca.trading.models import AccountConfiguration, FailedClosePositionDetails
from alpaca.trading.requests import (
    ClosePositionRequest,
    GetCalendarRequest,
    GetOrdersRequest,
    GetPortfolioHistoryRequest,
    LimitOrderRequest,
    MarketOrderRequest,
    ReplaceOrderRequest,
    StopOrderRequest,
)

from qgtm.exchange.core import Exchange
from qgtm.exchange.market.port import CorporateAction
from qgtm.exchange.setting import Habits
from tests.exchange.sockets import Live, live
from tests.exchange.tiny import OPEN, TinyMarket

START = OPEN.replace(minute=40)


@pytest.fixture
def tiny() -> TinyMarket:
    return TinyMarket()


@pytest.fixture
def served(tiny: TinyMarket) -> Iterator[Live]:
    exchange = Exchange(tiny, start=START, habits=Habits(partial_fill_frac=0.0))
    with live(exchange) as found:
        yield found


def market(side: str = "buy", qty: float = 10, symbol: str = "GLD", **more: Any) -> MarketOrderRequest:
    return MarketOrderRequest(
        symbol=symbol, qty=qty, side=OrderSide(side), time_in_force=TimeInForce.DAY, **more
    )


def limit(
    price: float, side: str = "buy", qty: float = 10, symbol: str = "GLD", **more: Any
) -> LimitOrderRequest:
    more.setdefault("time_in_force", TimeInForce.DAY)
    return LimitOrderRequest(symbol=symbol, qty=qty, side=OrderSide(side), limit_price=price, **more)


def refused(call: Any, *arguments: Any) -> APIError:
    with pytest.raises(APIError) as caught:
        call(*arguments)
    return caught.value


def test_order_goes_from_submit_to_fill_and_shows_everywhere(served: Live) -> None:
    client = served.trading
    sent = client.submit_order(market(client_order_id="first"))
    assert (sent.status, sent.qty, sent.filled_qty) == (OrderStatus.PENDING_NEW, "10", "0")
    served.later()
    order = client.get_order_by_client_id("first")
    assert (order.status, order.filled_avg_price, order.id) == (OrderStatus.FILLED, "100.01", sent.id)
    assert client.get_order_by_id(order.id) == order
    position = client.get_open_position("GLD")
    assert (position.qty, position.avg_entry_price, position.market_value) == ("10", "100.01", "1000")
    assert client.get_all_positions() == [position]
    assert client.get_open_position(str(position.asset_id)).symbol == "GLD"
    account = client.get_account()
    assert (account.cash, account.equity, account.multiplier) == ("248999.9", "249999.9", "2")
    assert account.pattern_day_trader is None
    fills = client.get("/account/activities/FILL")
    assert [(f["type"], f["price"], f["qty"], f["cum_qty"], f["leaves_qty"]) for f in fills] == [
        ("fill", "100.01", "10", "10", "0")
    ]


def test_orders_are_listed_by_status_newest_first_and_cut_at_the_limit(served: Live) -> None:
    client = served.trading
    for n in range(5):
        client.submit_order(limit(90 + n, client_order_id=f"o{n}", symbol="GLD" if n % 2 else "SLV"))
        served.later(1)
    served.trading.cancel_order_by_id(client.get_order_by_client_id("o0").id)
    served.later(1)

    def ids(**filters: Any) -> list[str]:
        return [order.client_order_id for order in client.get_orders(GetOrdersRequest(**filters))]

    assert ids() == ["o4", "o3", "o2", "o1"]
    assert ids(status=QueryOrderStatus.CLOSED) == ["o0"]
    assert ids(status=QueryOrderStatus.ALL, limit=2) == ["o4", "o3"]
    assert ids(status=QueryOrderStatus.ALL, direction="asc", limit=2) == ["o0", "o1"]
    assert ids(symbols=["SLV"]) == ["o4", "o2"]
    middle = client.get_order_by_client_id("o2").submitted_at
    assert ids(after=middle) == ["o4", "o3"]
    assert ids(status=QueryOrderStatus.ALL, until=middle) == ["o1", "o0"]


def test_cancel_all_answers_207_with_a_status_for_each_order(served: Live) -> None:
    for price in (90, 91):
        served.trading.submit_order(limit(price))
    served.later(1)
    answers = served.trading.cancel_orders()
    assert [answer.status for answer in answers] == [200, 200]
    served.later(1)
    assert served.trading.get_orders() == []


def test_second_cancel_is_refused_with_422(served: Live) -> None:
    order = served.trading.submit_order(limit(90))
    served.later(1)
    served.trading.cancel_order_by_id(order.id)
    served.later(1)
    error = refused(served.trading.cancel_order_by_id, order.id)
    assert (error.status_code, error.code) == (422, 42210000)


def test_client_order_id_stays_taken_after_a_cancel(served: Live) -> None:
    order = served.trading.submit_order(limit(90, client_order_id="mine"))
    served.later(1)
    served.trading.cancel_order_by_id(order.id)
    served.later(1)
    error = refused(served.trading.submit_order, market(client_order_id="mine"))
    assert (error.status_code, error.code, error.message) == (422, 40010001, "client_order_id must be unique")


def test_refusals_carry_alpacas_codes(served: Live) -> None:
    submit = served.trading.submit_order
    assert refused(submit, market(qty=10_000)).code == 40310000
    assert refused(submit, limit(100.001)).code == 42210000
    served.trading.submit_order(market())
    served.later()
    assert refused(submit, market("sell", 11)).code == 40310000
    intent = market("sell", 1, position_intent=PositionIntent.SELL_TO_OPEN)
    assert refused(submit, intent).status_code == 422
    served.trading.submit_order(limit(120, "sell", 10, time_in_force=TimeInForce.GTC))
    held = refused(submit, market("sell", 5))
    assert (held.status_code, "held_for_orders" in str(held)) == (403, True)
    assert "wash" in refused(submit, market("buy", 5)).message


def test_unknown_ids_and_symbols_are_404(served: Live) -> None:
    client = served.trading
    nobody = UUID("001c0b29-5bc9-45c4-bd32-5ba323c997b3")
    for call, argument in (
        (client.get_order_by_id, nobody),
        (client.get_order_by_client_id, "nobody"),
        (client.cancel_order_by_id, nobody),
        (client.get_open_position, "GLD"),
        (client.close_position, "GLD"),
        (client.get_asset, "TSLA"),
    ):
        error = refused(call, argument)
        assert (error.status_code, error.code) == (404, 40410000)


def test_replace_answers_with_the_new_order(served: Live) -> None:
    old = served.trading.submit_order(limit(90))
    served.later(1)
    new = served.trading.replace_order_by_id(old.id, ReplaceOrderRequest(limit_price=101, qty=12))
    assert new.replaces == old.id
    served.later(1)
    assert served.trading.get_order_by_id(old.id).status is OrderStatus.REPLACED
    assert served.trading.get_order_by_id(new.id).filled_qty == "12"


def test_closing_calls_sell_what_is_there(served: Live) -> None:
    client = served.trading
    for symbol in ("GLD", "SLV"):
        client.submit_order(market(symbol=symbol))
    served.later()
    client.submit_order(limit(120, "sell", 4))
    half = client.close_position("SLV", ClosePositionRequest(percentage="50"))
    assert half.qty == "5"
    served.later()
    answers = {answer.symbol: answer for answer in client.close_all_positions()}
    assert isinstance(answers["GLD"].body, FailedClosePositionDetails)
    assert answers["GLD"].status == 403
    assert answers["SLV"].body.qty == "5"
    served.later()
    client.close_all_positions(cancel_orders=True)
    served.later()
    assert client.get_all_positions() == []


def test_clock_and_calendar_speak_new_york_time(served: Live) -> None:
    clock = served.trading.get_clock()
    assert clock.is_open
    assert clock.timestamp.astimezone(UTC) == START
    assert clock.next_close.isoformat() == "2024-03-12T16:00:00-04:00"
    days = served.trading.get_calendar(GetCalendarRequest(start=date(2024, 11, 27), end=date(2024, 11, 30)))
    assert [(d.date, d.close.hour) for d in days] == [(date(2024, 11, 27), 16), (date(2024, 11, 29), 13)]


def test_assets_parse_into_the_library_s_model(served: Live) -> None:
    assets = served.trading.get_all_assets()
    assert [asset.symbol for asset in assets] == ["GLD", "SLV", "GDX"]
    assert served.trading.get_asset("GLD").id == assets[0].id
    assert assets[0].fractionable


def test_account_switches_are_set_and_obeyed(served: Live) -> None:
    client = served.trading
    settings = client.get_account_configurations()
    assert not settings.no_shorting
    changed: AccountConfiguration = settings.model_copy(update={"no_shorting": True, "suspend_trade": False})
    assert client.set_account_configurations(changed).no_shorting
    assert refused(client.submit_order, market("sell", 1)).status_code == 403
    client.patch("/account/configurations", {"suspend_trade": True})
    assert client.get_account().trade_suspended_by_user
    assert refused(client.submit_order, market("buy", 1)).status_code == 403


def test_portfolio_history_follows_equity(served: Live) -> None:
    served.trading.submit_order(market(qty=100))
    served.control("advance", to="close")
    served.control("advance", to="open")
    served.later(60)
    history = served.trading.get_portfolio_history(GetPortfolioHistoryRequest(period="1W", timeframe="1D"))
    assert history.equity == [249_999.0, 249_999.0]
    assert history.profit_loss == [-1.0, -1.0]
    assert (history.base_value, history.timeframe) == (250_000.0, "1D")
    minutes = served.trading.get_portfolio_history(
        GetPortfolioHistoryRequest(start=START, timeframe="1H", period="1D")
    )
    assert minutes.equity[0] == 249_999.0


@pytest.mark.parametrize(
    ("asked", "gains"),
    [
        ({}, [-1.0] * 6 + [0.0]),  # six hours of Tuesday's rest, and Wednesday's first
        ({"pnl_reset": "no_reset"}, [-1.0] * 7),
        ({"intraday_reporting": "extended_hours"}, [-1.0] * 10 + [0.0] * 6),
    ],
)
def test_intraday_profit_begins_anew_each_day_unless_asked_otherwise(
    served: Live, asked: dict[str, str], gains: list[float]
) -> None:
    served.trading.submit_order(market(qty=100))
    served.control("advance", to="close")
    served.control("advance", to="open")
    served.later(60)
    query = {"start": START.isoformat(), "timeframe": "1H", **asked}
    answer = served.trading.get("/account/portfolio/history", query)
    assert answer["profit_loss"] == gains


@pytest.mark.parametrize("wrong", ["pnl_reset=x", "intraday_reporting=x", "timeframe=2H", "period=9Q"])
def test_portfolio_history_of_another_kind_is_422(served: Live, wrong: str) -> None:
    assert refused(served.trading.get, f"/account/portfolio/history?{wrong}").status_code == 422


@pytest.mark.parametrize("wrong", ["currency=EUR", "sort=up", "feed=x", "asof=x", "adjustment=x", "limit=0"])
def test_bars_of_another_kind_are_422(served: Live, wrong: str) -> None:
    assert refused(served.data.get, f"/stocks/bars?symbols=GLD&timeframe=1Day&{wrong}").status_code == 422
    served.data.get("/stocks/bars?symbols=GLD&timeframe=1Day&currency=USD&sort=desc&feed=iex&asof=-")


def test_activities_come_a_page_at_a_time_and_overlap_nowhere(served: Live) -> None:
    for n in range(7):
        served.trading.submit_order(market(qty=n + 1))
        served.later(3)
    served.control("state", deposit="100")
    seen: list[str] = []
    token = None
    while True:
        query = {"page_size": 3, **({"page_token": token} if token else {})}
        page = served.trading.get("/account/activities", query)
        if not page:
            break
        seen += [row["id"] for row in page]
        token = page[-1]["id"]
    assert len(seen) == len(set(seen)) == 8
    assert served.trading.get("/account/activities/CSD")[0]["net_amount"] == "100"
    other = served.trading.get("/account/activities", {"category": "non_trade_activity"})
    assert [row["activity_type"] for row in other] == ["CSD"]
    trades = served.trading.get("/account/activities", {"category": "trade_activity"})
    assert {row["activity_type"] for row in trades} == {"FILL"}
    for wrong in ("/account/activities/INVALID", "/account/activities?category=all"):
        error = refused(served.trading.get, wrong)
        assert (error.status_code, error.code) == (422, 40010001)


def test_bars_are_merged_over_pages_and_hold_what_the_library_needs(served: Live) -> None:
    request = StockBarsRequest(
        symbol_or_symbols=["GLD", "SLV"], timeframe=TimeFrame.Day, start=date(2024, 1, 2), limit=None
    )
    whole = served.data.get_stock_bars(request)
    assert len(whole["GLD"]) == len(whole["SLV"]) == 49  # 21 in January, 20 in February, 8 in March
    raw = served.data.get(
        "/stocks/bars", {"symbols": "GLD,SLV", "timeframe": "1Day", "start": "2024-01-02", "limit": 40}
    )
    assert (len(raw["bars"]["GLD"]), "SLV" in raw["bars"]) == (40, False)
    follow = served.data.get(
        "/stocks/bars",
        {
            "symbols": "GLD,SLV",
            "timeframe": "1Day",
            "start": "2024-01-02",
            "limit": 40,
            "page_token": raw["next_page_token"],
        },
    )
    assert [len(follow["bars"][s]) for s in ("GLD", "SLV")] == [9, 31]
    assert set(raw["bars"]["GLD"][0]) == {"t", "o", "h", "l", "c", "v", "n", "vw"}


def test_minutes_end_with_the_last_whole_one_and_days_with_what_is_known(
    served: Live, tiny: TinyMarket
) -> None:
    tiny.set("GLD", OPEN.replace(minute=35), "100", "107", "100", "100")
    tiny.set("GLD", OPEN.replace(minute=50), "100", "199", "100", "100")  # not yet known
    fives = served.data.get_stock_bars(
        StockBarsRequest(symbol_or_symbols="GLD", timeframe=TimeFrame(5, TimeFrameUnit.Minute), start=OPEN)
    )["GLD"]
    assert [bar.timestamp for bar in fives] == [OPEN, OPEN.replace(minute=35)]
    assert fives[1].high == 107
    today = served.data.get_stock_bars(
        StockBarsRequest(symbol_or_symbols="GLD", timeframe=TimeFrame.Day, start=date(2024, 3, 12))
    )["GLD"]
    assert [(bar.high, bar.volume) for bar in today] == [(107, 1_000_000)]


def test_split_is_taken_out_of_earlier_prices_when_asked(served: Live, tiny: TinyMarket) -> None:
    tiny.events.append(CorporateAction("GLD", date(2024, 3, 11), D(4), None))
    query = {
        "symbols": "GLD",
        "timeframe": "1Day",
        "start": "2024-03-07",
        "end": "2024-03-11",
        "adjustment": "split",
    }
    bars = served.data.get("/stocks/bars", query)["bars"]["GLD"]
    assert [bar["c"] for bar in bars] == [25.0, 25.0, 100.0]
    request = CorporateActionsRequest(symbols=["GLD"], start=date(2024, 3, 1), end=date(2024, 3, 31))
    action = served.actions.get_corporate_actions(request).data["forward_splits"][0]
    assert (action.new_rate, action.old_rate) == (4, 1)


def test_latest_quote_trade_and_snapshot_agree(served: Live) -> None:
    quote = served.data.get_stock_latest_quote(StockLatestQuoteRequest(symbol_or_symbols="GLD"))["GLD"]
    trade = served.data.get_stock_latest_trade(StockLatestTradeRequest(symbol_or_symbols="GLD"))["GLD"]
    shot = served.data.get_stock_snapshot(StockSnapshotRequest(symbol_or_symbols=["GLD", "SLV"]))["GLD"]
    assert (quote.bid_price, quote.ask_price, quote.bid_size) == (99.99, 100.01, 1000)
    assert trade.price == shot.latest_trade.price == 100
    assert shot.daily_bar.close == shot.previous_daily_bar.close == 100
    assert shot.minute_bar.timestamp == START.replace(minute=39)


def test_recent_sip_data_need_a_subscription(served: Live) -> None:
    request = {"symbols": "GLD", "timeframe": "1Min", "feed": "sip", "end": "2024-03-12T13:39:00Z"}
    error = refused(served.data.get, "/stocks/bars", request)
    assert (error.status_code, "SIP" in str(error)) == (403, True)


def test_option_chain_pages_and_prices_obey_put_call_parity(served: Live) -> None:
    chain = served.options.get_option_chain(OptionChainRequest(underlying_symbol="GLD"))
    assert len(chain) > 400
    carries = []
    for symbol in (name for name in chain if name[9] == "C" and name.endswith("00100000")):
        put = symbol[:9] + "P" + symbol[10:]
        mids = [
            (s.latest_quote.bid_price + s.latest_quote.ask_price) / 2 for s in (chain[symbol], chain[put])
        ]
        expiry = datetime.strptime(symbol[3:9], "%y%m%d").replace(hour=20, tzinfo=UTC)
        years = (expiry - START).total_seconds() / (365 * 86400)
        if years > 0.15:  # nearer, a cent of either price is a percent of carry
            # call - put = spot x exp(-lease x time) - strike x exp(-rate x time), both 100 here
            carries.append((mids[0] - mids[1]) / 100 / years)
    assert len(carries) > 2
    assert -0.02 < min(carries) <= max(carries) < 0.08
    assert max(carries) - min(carries) < 0.005  # one rate for all expiries
    one = served.options.get_option_snapshot(OptionSnapshotRequest(symbol_or_symbols=[symbol]))
    assert one[symbol].implied_volatility == chain[symbol].implied_volatility


def test_stop_order_round_trips_through_the_wire(served: Live) -> None:
    served.trading.submit_order(market())
    served.later()
    order = served.trading.submit_order(
        StopOrderRequest(
            symbol="GLD", qty=10, side=OrderSide.SELL, time_in_force=TimeInForce.GTC, stop_price=95.5
        )
    )
    assert (order.stop_price, order.limit_price, order.expires_at.date()) == ("95.5", None, date(2024, 6, 10))


def test_wrong_keys_are_401(tiny: TinyMarket) -> None:
    from qgtm.exchange.wire import Keys

    with live(Exchange(tiny, start=START), keys=Keys("other", "pair")) as served:
        error = refused(served.trading.get_account)
    assert (error.status_code, error.code) == (401, 40110000)


def test_rate_limit_refuses_the_201st_call_and_says_when_it_resets(tiny: TinyMarket) -> None:
    with live(Exchange(tiny, start=START), per_minute=5) as served:
        served.trading._retry = 0
        for _ in range(5):
            served.trading.get_clock()
        error = refused(served.trading.get_clock)
        assert error.status_code == 429
        headers = error.response.headers
        assert (headers["X-Ratelimit-Limit"], headers["X-Ratelimit-Remaining"]) == ("5", "0")
        assert int(headers["X-Ratelimit-Reset"]) > 1_600_000_000
        served.data.get("/stocks/quotes/latest", {"symbols": "GLD"})  # data have a limit of their own
