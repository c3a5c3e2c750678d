"""What the plain pages lean on: who is signed in, what may be asked, and the one thread that writes."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeVar

from fastapi import Request
from starlette.requests import cookie_parser

from qgtm.adapters.proof import Prover, Site
from qgtm.core.commands import Command
from qgtm.ports import Clock
from qgtm.views.persons import Persons, persons
from qgtm.web.act import Acts
from qgtm.web.challenge import Challenges
from qgtm.web.desk import Desk
from qgtm.web.enroll import Enrolling
from qgtm.web.lookout import Look
from qgtm.web.signin import SignIn
from qgtm.web.visitor import Visitor, Visitors

COOKIE: Final = "__Host-qgtm"
T = TypeVar("T")


@dataclass
class Office:
    """All that the plain pages lean on; `clerk` is the one thread on which they are answered."""

    desk: Desk
    site: Site
    visitors: Visitors
    challenges: Challenges
    sign_in: SignIn
    acts: Acts
    enrolling: Enrolling
    clerk: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "clerk"))

    async def do(self, deed: Callable[[], T]) -> T:
        """Return what `deed` comes to, done after all that was asked before."""
        return await asyncio.get_running_loop().run_in_executor(self.clerk, deed)

    async def now_persons(self) -> tuple[Look, Persons]:
        """Return a fresh look, and how both operators stand in it."""
        look = await self.desk.ask(lambda look: look)
        return look, persons(look.chronicle.state, look.chronicle.ended)

    async def knows(self, cookies: str) -> bool:
        """Return whether somebody is signed in with these cookies, as their header says them."""
        return bool(await self.signed_in(cookie_parser(cookies).get(COOKIE, "")))

    async def visitor(self, request: Request) -> Visitor | None:
        """Return who asks, None for nobody who is signed in."""
        return await self.signed_in(request.cookies.get(COOKIE, ""))

    async def signed_in(self, session: str) -> Visitor | None:
        """Return whose session this is, None for one that is over, or whose key counts no more."""
        found = await self.do(lambda: self.visitors.visitor(session)) if session else None
        if found is None:
            return None
        _, stands = await self.now_persons()
        keys = {key.credential_id for key in stands.keys_of(found.person)}
        return found if found.credential_id in keys else None

    def close(self) -> None:
        """Take no more questions."""
        self.clerk.shutdown(wait=True, cancel_futures=True)
        self.visitors.close()


def office_of(
    desk: Desk,
    site: Site,
    web_file: Path,
    secrets: Path,
    put: Callable[[Command], None],
    clock: Clock,
    *,
    is_read_only: bool = False,
) -> Office:
    """Return the office of one server. Raises JournalError when its file cannot be used.

    With `is_read_only` it knows who is signed in and does nothing for them.
    """
    visitors = Visitors(web_file, clock.now, is_read_only=is_read_only)
    challenges = Challenges(clock.monotonic)
    prover = Prover(site, secrets)
    return Office(
        desk,
        site,
        visitors,
        challenges,
        SignIn(visitors, prover, challenges, put, clock.now),
        Acts(visitors, prover, put, clock.now, clock.monotonic),
        Enrolling(site, visitors, challenges, put, clock.now, secrets),
    )
