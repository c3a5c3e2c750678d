"""The paper exchange behind alpaca-py's own clients without a socket: requests go to its gate directly."""

from io import BytesIO
from typing import Any

from requests import ConnectionError as Broken
from requests import PreparedRequest, Response
from requests.adapters import BaseAdapter
from requests.structures import CaseInsensitiveDict

from qgtm.adapters.clock import ManualClock
from qgtm.exchange.gate import Gate, Now
from qgtm.exchange.wire import request_from_url

URL = "http://127.0.0.1:8701"


class GateAdapter(BaseAdapter):
    """Carries a request to a gate; faults that a socket would show become what requests makes of them."""

    def __init__(self, gate: Gate, clock: ManualClock) -> None:
        super().__init__()
        self.gate = gate
        self.clock = clock

    def send(self, request: PreparedRequest, **_options: Any) -> Response:
        body = request.body or b""
        raw = body.encode() if isinstance(body, str) else body
        asked = request_from_url(request.method or "", request.url or "", raw, request.headers)
        now = Now(self.clock.now(), self.clock.monotonic(), self.clock.now().timestamp())
        reply = self.gate.reply(asked, now)
        if reply.how != "whole" or reply.wait_s > 5:
            raise Broken(f"the exchange would {reply.how}")
        return self.response(request, reply.status, reply.headers, reply.content)

    def response(
        self, request: PreparedRequest, status: int, headers: dict[str, str], body: bytes
    ) -> Response:
        made = Response()
        made.status_code, made.headers = status, CaseInsensitiveDict(headers)
        made.raw, made.url, made.request = BytesIO(body), request.url or "", request
        return made

    def close(self) -> None:
        """Hold nothing."""
