"""Ways to reach an operator: mail, push and chat, each an address in the environment, sent by apprise.

`QGTM_ALERTS_OPA` and `QGTM_ALERTS_OPB` hold addresses in apprise's form, parted by blanks. `QGTM_SMTP_URL`
(`smtp://USER:PASSWORD@HOST:PORT?from=ADDRESS`, or `smtps://`) is the mail server for the addresses in the
configuration. Every one is a secret: what is shown of it is its kind and host.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from qgtm.core.errors import ConfigError
from qgtm.core.request import Person

ADDRESSES: Final = {Person.OPA: "QGTM_ALERTS_OPA", Person.OPB: "QGTM_ALERTS_OPB"}
SMTP: Final = "QGTM_SMTP_URL"
NAMES: Final = (*ADDRESSES.values(), SMTP)
TIMES_S: Final = {"cto": "4", "rto": "8"}  # apprise's time limits: to connect, to be answered
PORTS: Final = {"smtp": 587, "smtps": 465}
HERE: Final = ("127.0.0.1", "::1", "localhost")


@dataclass(frozen=True, slots=True)
class Channel:
    """One way to one person; `name` may be shown, `address` is a secret."""

    person: Person
    name: str
    address: str

    def send(self, title: str, text: str, files: Sequence[str] = ()) -> str | None:
        """Send a message and return what went wrong, None for nothing. May block for the time limits.

        Raises nothing: a channel may fail in any way, and then another is tried.
        """
        import logging

        import apprise

        # Its log names addresses, and with them passwords.
        logging.getLogger("apprise").setLevel(logging.CRITICAL)
        way = apprise.Apprise()
        try:
            if not way.add(self.address):
                return "the address is not understood"
            is_sent = way.notify(title=title, body=text, attach=list(files) or None)
        except Exception as problem:  # noqa: BLE001 - whatever a vendor's plug-in raises
            return f"it failed with {type(problem).__name__}"
        return None if is_sent else "it was not taken"


def channels(found: Mapping[str, str], mails: Mapping[Person, str]) -> tuple[Channel, ...]:
    """Return every way there is to each person, mail first.

    `found` are the keys by name, `mails` the configuration's addresses. Raises ConfigError for an
    address that nobody understands, without showing it.
    """
    made = []
    for person, name in ADDRESSES.items():
        addresses = [(address, name) for address in found.get(name, "").split()]
        if found.get(SMTP) and mails.get(person):
            addresses.insert(0, (mail_address(found[SMTP], mails[person]), SMTP))
        made += [Channel(person, _shown(address), _limited(address, key)) for address, key in addresses]
    return tuple(made)


def mail_address(server: str, to: str) -> str:
    """Return apprise's form of a mail server's address and a recipient. Raises ConfigError.

    Mail goes in the clear to a server on this machine alone.
    """
    parts = urlsplit(server)
    try:
        port = parts.port or PORTS[parts.scheme]
    except (KeyError, ValueError):
        raise ConfigError(
            f"{SMTP} is not understood: write smtp://USER:PASSWORD@HOST:PORT?from=ADDRESS, or smtps:// for a "
            "port that begins with TLS."
        ) from None
    host, user = parts.hostname or "", unquote(parts.username or "")
    sign_in = f"{parts.username}:{parts.password or ''}@" if user else ""
    sender = dict(parse_qsl(parts.query)).get("from") or (user if "@" in user else to)
    is_clear = parts.scheme == "smtp" and host in HERE
    mode = "insecure" if is_clear else {"smtp": "starttls", "smtps": "ssl"}[parts.scheme]
    more = urlencode({"smtp": host, "mode": mode, "from": sender, "to": to}, quote_via=quote)
    return f"{'mailto' if is_clear else 'mailtos'}://{sign_in}{host}:{port}?{more}"


def _limited(address: str, name: str) -> str:
    import apprise

    if not apprise.Apprise.instantiate(address, suppress_exceptions=True):
        raise ConfigError(f"an address in {name} is not understood: see the forms that apprise knows.")
    return f"{address}{'&' if '?' in address else '?'}{urlencode(TIMES_S)}"


def _shown(address: str) -> str:
    """Return a name that shows no secret and tells two ways of one kind apart."""
    kind = address.partition("://")[0].lower()
    return f"{'mail' if kind.startswith('mailto') else kind}-{sha256(address.encode()).hexdigest()[:6]}"
