"""A whole server over a hand-made journal, with two persons who hold keys in software."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from qgtm.adapters.clock import ManualClock
from qgtm.adapters.proof import Site, totp_for
from qgtm.core.commands import Command
from qgtm.core.events import Event, OperatorEnrolled, RequestMade
from qgtm.core.request import Act, Person, Request
from qgtm.simulation.authenticator import Authenticator
from qgtm.views.chronicle import Chronicle
from qgtm.web.app import create_app, guarded
from qgtm.web.desk import Desk
from qgtm.web.gate import App, door_of
from qgtm.web.office import COOKIE, Office, office_of
from tests.views.told import LIMITS
from tests.web.seen import Pretended, look_at

AT = datetime(2026, 3, 2, 19, 30, tzinfo=UTC)
HOME = "http://localhost:8700"
SITE = Site("localhost", (HOME,))
SECRET = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
PASSWORD = "four words will do"
REQUEST = Request(
    request_id="request-1",
    act=Act.RESET,
    by=Person.OPA,
    text="Trade again at half size.",
    epoch=1,
    detail={"factor": "0.5"},
    limits_sha="l",
    head="12:abc",
    nonce="n",
    made_at=AT,
    expires_at=AT + timedelta(minutes=10),
)


def phone(person: Person) -> Authenticator:
    return Authenticator("localhost", HOME, {Person.OPA: 21, Person.OPB: 22}[person])


@dataclass
class House:
    """A server, its clock, what it put into the inbox, and a browser's cookie."""

    folder: Path
    chronicle: Chronicle = field(default_factory=Chronicle)
    clock: ManualClock = field(default_factory=lambda: ManualClock(AT))
    inbox: list[Command] = field(default_factory=list)
    is_private: bool = False

    def __post_init__(self) -> None:
        for person in Person:
            self.happens(OperatorEnrolled(credential=phone(person).credential(person), by=person.value))
        desk = Desk(Pretended(look_at(self.chronicle)))
        web, secrets = self.folder / "web.db", self.folder / "secrets"
        self.office: Office = office_of(desk, SITE, web, secrets, self.inbox.append, self.clock)
        app = create_app(desk, LIMITS, office=self.office)
        door = door_of("127.0.0.1", 8700)
        self.app: App = guarded(app, door, self.clock, self.office, is_private=self.is_private)

    def happens(self, *events: Event) -> None:
        for event in events:
            self.chronicle.take(event, AT)

    def asks(self, request: Request = REQUEST) -> None:
        self.happens(RequestMade(request=request, monotonic_s=0.0, epoch=1))

    def has_codes(self, person: Person) -> str:
        """Let a person have a password and one-time codes too, and return the key's id."""
        credential = totp_for(person, SECRET, self.folder / "secrets")
        self.happens(OperatorEnrolled(credential=credential, by=person.value))
        self.office.visitors.set_password(credential.credential_id, PASSWORD)
        return credential.credential_id

    def close(self) -> None:
        self.office.close()

    async def ask(
        self,
        path: str,
        form: Mapping[str, str] | None = None,
        session: str = "",
        method: str = "",
        **headers: str,
    ) -> Any:
        """Return the reply to a GET, or to a POST of a form from our own page."""
        said = {"origin": HOME} if form is not None else {}
        said |= {"cookie": f"{COOKIE}={session}"} if session else {}
        said |= {name.replace("_", "-"): value for name, value in headers.items()}
        said = {name: value for name, value in said.items() if value != "-"}
        transport = httpx.ASGITransport(app=self.app, raise_app_exceptions=False, client=("10.0.0.9", 1))
        async with httpx.AsyncClient(transport=transport, base_url=HOME) as client:
            verb = method or ("POST" if form is not None else "GET")
            return await client.request(verb, path, data=form, headers=said)

    async def sign_in(self, person: Person, authenticator: Authenticator | None = None) -> Any:
        """Return the reply to a sign-in with a person's passkey."""
        page = (await self.ask("/sign-in")).text
        body = (authenticator or phone(person)).assertion(challenge_in(page))
        return await self.ask("/sign-in/passkey", {"challenge": hidden(page, "challenge"), "proof": body})

    async def session(self, person: Person) -> str:
        """Return the session of a person who has signed in."""
        return session_of(await self.sign_in(person))

    async def form_key(self, session: str) -> str:
        return hidden((await self.ask("/acts", session=session)).text, "form_key")

    def noted(self, kind: type[Command]) -> list[Any]:
        return [each for each in self.inbox if isinstance(each, kind)]


def session_of(reply: Any) -> str:
    return str(re.search(rf"{COOKIE}=([^;]+)", reply.headers.get("set-cookie", "")).group(1))  # type: ignore[union-attr]


def hidden(page: str, name: str) -> str:
    return str(re.search(rf'name="{name}" value="([^"]*)"', page).group(1))  # type: ignore[union-attr]


def challenge_in(page: str) -> bytes:
    from html import unescape
    from json import loads

    from webauthn import base64url_to_bytes

    found = re.search(r'data-passkey="([^"]*)"', page)
    assert found, page
    return bytes(base64url_to_bytes(loads(unescape(found.group(1)))["challenge"]))
