"""An exchange asked over the wire without sockets, as any vendor's client would."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from qgtm.exchange.core import Exchange
from qgtm.exchange.market.synthetic import SyntheticMarket
from qgtm.exchange.wire import Response, handle, request_from_url

NOW = datetime(2019, 6, 28, 18, 30, tzinfo=UTC)  # a Friday, 14:30 in New York


@dataclass
class Asker:
    """An exchange over a synthetic market, and the moment at which it is asked."""

    exchange: Exchange
    now: datetime = NOW

    def answer(self, path: str, method: str = "GET", body: bytes = b"", **headers: str) -> Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return handle(self.exchange, request_from_url(method, f"http://v{path}", body, named), self.now)

    def get(self, path: str, **query: object) -> Any:
        """Return the body of a good answer."""
        answer = self.answer(f"{path}?{urlencode(query)}")
        assert answer.status == 200, answer.body
        return answer.body

    def fred(self, what: str, **query: object) -> Any:
        return self.get(f"/fred/{what}", **{"api_key": "k", "file_type": "json", **query})


def asker(now: datetime = NOW, seed: int = 7) -> Asker:
    """Return an exchange whose venue time is `now`."""
    return Asker(Exchange(SyntheticMarket(seed), start=now, seed=seed), now)
