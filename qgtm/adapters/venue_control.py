"""The embedded exchange's control port, as far as our own processes need it: holding venue time."""

import requests

from qgtm.core.errors import BrokerError

TIMEOUT_S = (1.0, 3.0)


class VenueControl:
    """Ask the embedded exchange on this machine; a real broker has no such port."""

    def __init__(self, port: int) -> None:
        self._url = f"http://127.0.0.1:{port}/control/hold"
        self._session = requests.Session()
        self._session.trust_env = False

    def is_there(self) -> bool:
        """Return whether the exchange answers."""
        try:
            return self._session.get(self._url, timeout=TIMEOUT_S).ok
        except requests.RequestException:
            return False

    def hold(self, name: str, ttl_s: float) -> None:
        """Let venue time stand for at most `ttl_s` process seconds. Raises BrokerError."""
        self._post({"name": name, "ttl_s": ttl_s})

    def release(self, name: str) -> None:
        """Let venue time go on, unless somebody else holds it. Raises BrokerError."""
        self._post({"name": name, "release": True})

    def _post(self, body: dict[str, object]) -> None:
        try:
            self._session.post(self._url, json=body, timeout=TIMEOUT_S).raise_for_status()
        except requests.RequestException as problem:
            raise BrokerError(f"the exchange's control port did not answer: {problem}") from problem
