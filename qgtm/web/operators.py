"""The plain pages of the two operators: sign in, enroll, approve or reject, end an override, halt."""

import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final
from urllib.parse import urlsplit

from fastapi import FastAPI, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.datastructures import FormData

from qgtm.adapters.proof import asserted_key
from qgtm.core.errors import JournalError
from qgtm.core.request import Person, Proof, ProofKind
from qgtm.web.act import Done, Refused
from qgtm.web.act_page import acts_page, approve_page, done_page, halt_page
from qgtm.web.asset import FOREVER
from qgtm.web.enroll_page import code_page, enrolled_page, invitation_page, no_invitation_page
from qgtm.web.gate import LOOPBACK
from qgtm.web.office import COOKIE, Office
from qgtm.web.page import Html
from qgtm.web.plain import POLICY, SCRIPT, STYLE, no_address_page, not_written_page
from qgtm.web.signin import SignedIn, TurnedAway
from qgtm.web.signin_page import signin_page
from qgtm.web.visitor import LONGEST, Visitor

WRITES: Final = ("/sign-in/", "/sign-out", "/enroll/", "/acts/")
OPEN: Final = ("/sign-in", "/enroll", "/assets/", "/api/health")  # to those who are not signed in
FIELDS: Final = 12
log = logging.getLogger(__name__)
Form = dict[str, str]


Page = Callable[[Request, Visitor], Awaitable[Response]]
Deed = Callable[[Request, Visitor, Form], Awaitable[Response]]


def add_operators(app: FastAPI, office: Office) -> None:
    """Put the plain pages into the application."""
    app.add_exception_handler(JournalError, _not_written)
    _add_assets(app)
    _add_signing(app, office)
    _add_enrolling(app, office)
    _add_acts(app, office)


def _add_assets(app: FastAPI) -> None:
    for each in (SCRIPT, STYLE):

        def file(content: bytes = each.content, kind: str = each.kind) -> Response:
            return Response(content, media_type=kind, headers={"cache-control": FOREVER.decode()})

        app.add_api_route(each.path, file, methods=["GET"], include_in_schema=False)


# With no referrer at all a browser would send its forms with the origin "null".
HEADERS: Final = {"content-security-policy": POLICY, "referrer-policy": "same-origin"}


def _html(page: Html, status: int = 200) -> HTMLResponse:
    return HTMLResponse(page, status, headers=HEADERS)


def _to(address: str) -> RedirectResponse:
    return RedirectResponse(address, 303, headers=HEADERS)


async def _not_written(request: Request, problem: Exception) -> Response:
    log.error("%s: %s", request.url.path, problem)
    return _html(not_written_page(), 503)


def _elsewhere(office: Office, request: Request) -> Response | None:
    """Return the way to the one address under which a passkey and its cookie work; None when it is this one.

    A phone that called this machine by its number cannot go there, and is told what is missing.
    """
    home = urlsplit(office.site.origins[0])
    host = request.headers.get("host", "").lower()
    if host == home.netloc:
        return None
    if home.scheme == "https" or host.rpartition(":")[0] in LOOPBACK:
        query = f"?{request.url.query}" if request.url.query else ""
        return _to(f"{office.site.origins[0]}{request.url.path}{query}")
    return _html(no_address_page(), 403)


async def _form(request: Request) -> Form:
    async with request.form(max_files=0, max_fields=FIELDS) as form:
        return _texts(form)


def _texts(form: FormData) -> Form:
    return {name: value for name, value in form.multi_items() if isinstance(value, str)}


def _proof(form: Form) -> Proof:
    """Return the proof that a form brings: six digits, or a passkey's assertion."""
    body, key = form.get("proof", ""), form.get("key", "")
    if key:
        return Proof(kind=ProofKind.TOTP, credential_id=key, body=body)
    return Proof(kind=ProofKind.PASSKEY, credential_id=asserted_key(body), body=body)


# --- signing in and out -------------------------------------------------------------------------


def _add_signing(app: FastAPI, office: Office) -> None:
    @app.get("/sign-in", include_in_schema=False)
    async def door(request: Request) -> Response:
        if elsewhere := _elsewhere(office, request):
            return elsewhere
        _, stands = await office.now_persons()
        return _html(await office.do(lambda: signin_page(office.site, stands, office.challenges)))

    async def judged(request: Request, found: SignedIn | TurnedAway) -> Response:
        if isinstance(found, TurnedAway):
            _, stands = await office.now_persons()
            page = signin_page(office.site, stands, office.challenges, found.reason)
            return _html(page, 429 if found.wait_s else 403)
        old = request.cookies.get(COOKIE)
        if old:  # a session ends where the next one begins
            await office.do(lambda: _end(office, old))
        return _with_session(_to("/acts"), found.session)

    @app.post("/sign-in/passkey", include_in_schema=False)
    async def by_passkey(request: Request) -> Response:
        form, (_, stands) = await _form(request), await office.now_persons()
        found = await office.do(
            lambda: office.sign_in.by_passkey(
                stands.keys, form.get("challenge", ""), form.get("proof", ""), *_who(request)
            )
        )
        return await judged(request, found)

    @app.post("/sign-in/password", include_in_schema=False)
    async def by_password(request: Request) -> Response:
        form, (_, stands) = await _form(request), await office.now_persons()
        told = (form.get("name", ""), form.get("password", ""), form.get("proof", ""))
        found = await office.do(lambda: office.sign_in.by_password(stands.keys, *told, *_who(request)))
        return await judged(request, found)

    async def out(request: Request, visitor: Visitor, form: Form) -> Response:
        session = form.get("session", visitor.session)
        await office.do(lambda: office.visitors.end(session, visitor.person))
        answer = _to("/acts" if session != visitor.session else "/")
        if session == visitor.session:
            answer.delete_cookie(COOKIE, path="/", secure=True, httponly=True, samesite="strict")
        return answer

    _add_deed(app, office, "/sign-out", out)


def _with_session(answer: Response, session: str) -> Response:
    answer.set_cookie(
        COOKIE, session, max_age=int(LONGEST.total_seconds()), path="/", secure=True, httponly=True,
        samesite="strict",
    )  # fmt: skip
    return answer


def _end(office: Office, session: str) -> None:
    visitor = office.visitors.visitor(session)
    if visitor:
        office.visitors.end(visitor.session, visitor.person)


def _who(request: Request) -> tuple[str, str]:
    address = request.client.host if request.client else ""
    return address, request.headers.get("user-agent", "")


# --- acts ---------------------------------------------------------------------------------------


def _add_page(app: FastAPI, office: Office, path: str, page: Page) -> None:
    async def answer(request: Request) -> Response:
        if elsewhere := _elsewhere(office, request):
            return elsewhere
        visitor = await office.visitor(request)
        return await page(request, visitor) if visitor else _to("/sign-in")

    app.add_api_route(path, answer, methods=["GET"], include_in_schema=False)


def _add_deed(app: FastAPI, office: Office, path: str, deed: Deed) -> None:
    """Add a route that changes something: for a visitor alone, with his session's own form key."""

    async def answer(request: Request) -> Response:
        visitor, form = await office.visitor(request), await _form(request)
        if visitor is None:
            return _to("/sign-in")
        if not visitor.owns(form.get("form_key", "")):
            return _html(
                done_page(visitor, Refused("This form is from another session. Open the page anew.")), 403
            )
        return await deed(request, visitor, form)

    app.add_api_route(path, answer, methods=["POST"], include_in_schema=False)


def _add_acts(app: FastAPI, office: Office) -> None:
    async def acts(request: Request, visitor: Visitor) -> Response:
        look, stands = await office.now_persons()
        sessions = await office.do(lambda: office.visitors.sessions(visitor.person))
        return _html(acts_page(visitor, look.summary, stands, sessions))

    async def halt(request: Request, visitor: Visitor) -> Response:
        _, stands = await office.now_persons()
        return _html(halt_page(office.site, visitor, stands, office.acts.nonce()))

    async def opened(request: Request, visitor: Visitor, form: Form) -> Response:
        _, stands = await office.now_persons()
        token = await office.do(lambda: office.acts.open(visitor.person, stands))
        if isinstance(token, Refused):
            return _html(done_page(visitor, token), 403)
        return _html(approve_page(office.site, visitor, stands, token))

    async def approved(request: Request, visitor: Visitor, form: Form) -> Response:
        _, stands = await office.now_persons()
        told = (form.get("request", ""), form.get("token", ""), _proof(form))
        found = await office.do(lambda: office.acts.approve(visitor.person, stands, *told))
        return await _proven(office, visitor, found)

    async def rejected(request: Request, visitor: Visitor, form: Form) -> Response:
        _, stands = await office.now_persons()
        wanted = form.get("request", "")
        found = await office.do(lambda: office.acts.reject(visitor.person, stands, wanted))
        return _done(visitor, found)

    async def revoked(request: Request, visitor: Visitor, form: Form) -> Response:
        _, stands = await office.now_persons()
        return _done(visitor, await office.do(lambda: office.acts.revoke_override(visitor.person, stands)))

    async def flattened(request: Request, visitor: Visitor, form: Form) -> Response:
        _, stands = await office.now_persons()
        told = (form.get("reason", ""), form.get("nonce", ""), _proof(form))
        found = await office.do(lambda: office.acts.flatten(visitor.person, stands, *told))
        return await _proven(office, visitor, found)

    _add_page(app, office, "/acts", acts)
    _add_page(app, office, "/acts/halt", halt)
    for path, deed in (
        ("/acts/open", opened),
        ("/acts/approve", approved),
        ("/acts/reject", rejected),
        ("/acts/revoke-override", revoked),
        ("/acts/flatten", flattened),
    ):
        _add_deed(app, office, path, deed)


async def _proven(office: Office, visitor: Visitor, found: Done | Refused) -> Response:
    """Answer an act that took a proof: whoever gave it goes on under a new session's id."""
    answer = _done(visitor, found)
    if isinstance(found, Refused):
        return answer
    with suppress(JournalError):  # what was sent stays sent
        return _with_session(answer, await office.do(lambda: office.visitors.renewed(visitor)))
    return answer


def _done(visitor: Visitor, found: Done | Refused) -> Response:
    return _html(done_page(visitor, found), 200 if isinstance(found, Done) else 403)


# --- enrolling ----------------------------------------------------------------------------------


def _add_enrolling(app: FastAPI, office: Office) -> None:
    """Add what an invitation opens; its code stands in the address and is used up by the first key."""

    @app.get("/enroll", include_in_schema=False)
    async def invitation(request: Request, code: str = "") -> Response:
        if elsewhere := _elsewhere(office, request):
            return elsewhere
        _, stands = await office.now_persons()
        person = await office.do(lambda: office.visitors.invited(code))
        if person is None:
            return _html(no_invitation_page(), 403)
        return _html(
            await office.do(lambda: invitation_page(office.site, stands, office.challenges, person, code))
        )

    @app.post("/enroll/passkey", include_in_schema=False)
    async def passkey(request: Request) -> Response:
        form, (_, stands) = await _form(request), await office.now_persons()
        told = (form.get("code", ""), form.get("challenge", ""), form.get("proof", ""))
        return enrolled(await office.do(lambda: office.enrolling.passkey(stands, *told)))

    @app.post("/enroll/password", include_in_schema=False)
    async def password(request: Request) -> Response:
        form = await _form(request)
        code = form.get("code", "")
        secret = await office.do(lambda: office.enrolling.password(code, form.get("password", "")))
        return enrolled(secret) if isinstance(secret, Refused) else _html(code_page(code, *secret))

    @app.post("/enroll/code", include_in_schema=False)
    async def code_typed(request: Request) -> Response:
        form, (_, stands) = await _form(request), await office.now_persons()
        told = (form.get("code", ""), form.get("proof", ""))
        return enrolled(await office.do(lambda: office.enrolling.code(stands, *told)))

    def enrolled(found: Person | Refused) -> Response:
        return _html(enrolled_page(found), 403 if isinstance(found, Refused) else 200)
