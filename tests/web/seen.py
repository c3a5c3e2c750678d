"""Looks at hand-made funds, for pages and routes."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx

from qgtm.adapters.clock import ManualClock
from qgtm.views.chronicle import Chronicle
from qgtm.views.summary import summary
from qgtm.web.app import create_app, guarded
from qgtm.web.desk import Desk
from qgtm.web.gate import App, door_of
from qgtm.web.lookout import Look
from tests.views.told import LIMITS, outside

WALL = datetime(2026, 3, 2, 19, 30, 5, tzinfo=UTC)  # 14:30:05 in New York
HOST = "127.0.0.1:8700"


def look_at(chronicle: Chronicle, age_s: float | None = 2.0, **more: object) -> Look:
    return Look(summary(chronicle, outside(age_s, **more), LIMITS), chronicle, 5000.0, WALL)


@dataclass
class Pretended:
    """A watch that sees what it was given, or fails as told."""

    seen: Look
    problem: Exception | None = None

    def look(self) -> Look:
        if self.problem:
            raise self.problem
        return self.seen


def served(look: Look, clock: ManualClock | None = None, problem: Exception | None = None) -> App:
    """Return the whole application over one look."""
    app = create_app(Desk(Pretended(look, problem)), LIMITS)
    return guarded(app, door_of("127.0.0.1", 8700), clock or ManualClock(WALL))


async def fetched(app: App, path: str, headers: Mapping[str, str] | None = None, method: str = "GET") -> Any:
    """Return the reply to one request from our own page."""
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url=f"http://{HOST}") as client:
        return await client.request(method, path, headers=dict(headers or {}))
