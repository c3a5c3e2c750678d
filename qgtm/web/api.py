"""The signal API: five GETs with fixed schemas. Fractions are fractions, dollars are dollars, times UTC."""

from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from hashlib import sha256
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict

from qgtm.risk.limits import Limits
from qgtm.views.performance import performance
from qgtm.views.signals import Signal, pending
from qgtm.views.summary import number
from qgtm.web.desk import Desk
from qgtm.web.lookout import Look


class Shape(BaseModel):
    """What every answer has in common: exactly these fields."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Health(Shape):
    """The dot, in the reduced form that may be shown to anybody: no amounts, no names."""

    dot: str
    daemon: str
    heartbeat_age_s: int | None


class ActiveSignal(Shape):
    """A side that a strategy takes now, and what it has earned since."""

    strategy: str
    symbol: str
    direction: str
    strength: float
    session: date
    opened_at: datetime
    entry_price_usd: float | None
    price_usd: float | None
    move_frac: float | None
    pnl_usd: float | None


class PastSignal(Shape):
    """A side that a strategy took and left, with its outcome."""

    strategy: str
    symbol: str
    direction: str
    session: date
    opened_at: datetime
    closed_at: datetime
    entry_price_usd: float | None
    exit_price_usd: float | None
    move_frac: float | None
    pnl_usd: float | None


class PendingSignal(Shape):
    """A symbol whose wanted weight (a signed share of equity) waits for orders."""

    symbol: str
    side: str
    wanted_frac: float
    held_frac: float | None
    strategies: tuple[str, ...]
    session: date | None


class Point(Shape):
    """The account at one close."""

    session: date
    equity_usd: float
    drawdown_frac: float


class Record(Shape):
    """How the account does, today and since the start; None is not known."""

    as_of: datetime | None
    equity_usd: float | None
    pnl_day_usd: float | None
    pnl_day_frac: float | None
    drawdown_frac: float | None
    sessions: int
    return_frac: float | None
    volatility_frac: float | None
    sharpe: float | None
    max_drawdown_frac: float | None
    by_strategy_usd: dict[str, float]
    closes: tuple[Point, ...]


def health_of(look: Look) -> Health:
    """Return the reduced health."""
    told = look.summary
    age_s = told.heartbeat_age_s
    return Health(
        dot=told.dot.value,
        daemon=told.daemon.value,
        heartbeat_age_s=None if age_s is None else int(age_s),
    )


def active_of(look: Look) -> tuple[ActiveSignal, ...]:
    """Return the open signals, the newest first."""
    book, ledger = look.chronicle.signals, look.chronicle.ledger
    rows = [
        ActiveSignal(
            strategy=signal.strategy,
            symbol=signal.symbol,
            direction=signal.direction,
            strength=signal.strength,
            session=signal.session,
            opened_at=signal.opened_at,
            entry_price_usd=number(signal.entry_price),
            price_usd=number(ledger.marks.get(signal.symbol)),
            move_frac=number(signal.move_frac(ledger.marks.get(signal.symbol))),
            pnl_usd=_cents(book.live_usd(signal, ledger)),
        )
        for signal in book.open.values()
    ]
    return tuple(sorted(rows, key=lambda row: (row.opened_at, row.strategy, row.symbol), reverse=True))


def history_of(look: Look, limit: int) -> tuple[PastSignal, ...]:
    """Return the ended signals, the newest first."""
    newest = list(look.chronicle.signals.closed)[::-1][:limit]
    return tuple(_past(signal) for signal in newest)


def _past(signal: Signal) -> PastSignal:
    return PastSignal(
        strategy=signal.strategy,
        symbol=signal.symbol,
        direction=signal.direction,
        session=signal.session,
        opened_at=signal.opened_at,
        closed_at=signal.closed_at or signal.opened_at,
        entry_price_usd=number(signal.entry_price),
        exit_price_usd=number(signal.exit_price),
        move_frac=number(signal.move_frac(signal.exit_price)),
        pnl_usd=_cents(signal.pnl_usd),
    )


def pending_of(look: Look, limits: Limits) -> tuple[PendingSignal, ...]:
    """Return what waits for orders, the largest difference first."""
    rows = pending(look.chronicle.state, limits.no_trade_band_frac)
    return tuple(
        PendingSignal(
            symbol=row.symbol,
            side=row.side,
            wanted_frac=row.wanted_frac,
            held_frac=row.held_frac,
            strategies=row.strategies,
            session=row.session,
        )
        for row in rows
    )


def record_of(look: Look) -> Record:
    """Return the account's record."""
    told, done = look.summary, performance(look.chronicle.ledger.closes)
    closes = tuple(
        Point(session=p.session, equity_usd=float(p.equity_usd), drawdown_frac=p.drawdown_frac)
        for p in done.points
    )
    return Record(
        as_of=told.as_of,
        equity_usd=number(told.equity_usd),
        pnl_day_usd=number(told.pnl_day_usd),
        pnl_day_frac=number(told.pnl_day_frac),
        drawdown_frac=number(told.drawdown_frac),
        sessions=done.sessions,
        return_frac=done.return_frac,
        volatility_frac=done.volatility_frac,
        sharpe=done.sharpe,
        max_drawdown_frac=done.max_drawdown_frac,
        by_strategy_usd={name: float(amount) for name, amount in done.by_strategy_usd.items()},
        closes=closes,
    )


def _cents(amount: Decimal | None) -> float | None:
    return None if amount is None else round(float(amount), 2)


Limit = Annotated[int, Query(ge=1, le=1000, description="at most so many, the newest first")]


def router(desk: Desk, limits: Limits) -> APIRouter:
    """Return the API's routes. An answer carries an ETag; a client that sends it back gets 304."""
    api = APIRouter(prefix="/api")

    async def said(request: Request, question: Callable[[Look], Shape | tuple[Shape, ...]]) -> Response:
        answer = await desk.ask(question)
        body = answer.model_dump_json() if isinstance(answer, Shape) else _listed(answer)
        return tagged(request, body.encode(), "application/json")

    @api.get("/health", response_model=Health)
    async def health(request: Request) -> Response:
        return await said(request, health_of)

    @api.get("/signals/active", response_model=tuple[ActiveSignal, ...])
    async def active(request: Request) -> Response:
        return await said(request, active_of)

    @api.get("/signals/pending", response_model=tuple[PendingSignal, ...])
    async def waiting(request: Request) -> Response:
        return await said(request, lambda look: pending_of(look, limits))

    @api.get("/signals/history", response_model=tuple[PastSignal, ...])
    async def history(request: Request, limit: Limit = 100) -> Response:
        return await said(request, lambda look: history_of(look, limit))

    @api.get("/performance", response_model=Record)
    async def record(request: Request) -> Response:
        return await said(request, record_of)

    return api


def _listed(rows: tuple[Shape, ...]) -> str:
    return f"[{','.join(row.model_dump_json() for row in rows)}]"


def tagged(request: Request, body: bytes, kind: str) -> Response:
    """Return the answer under its ETag, or 304 when the client has it already."""
    tag = f'"{sha256(body).hexdigest()[:32]}"'
    known = [each.strip().removeprefix("W/") for each in request.headers.get("if-none-match", "").split(",")]
    if tag in known or known == ["*"]:
        return Response(status_code=304, headers={"etag": tag})
    return Response(body, media_type=kind, headers={"etag": tag})
