"""OpB's acts as pages: what waits, the token and the exact text, a halt. Pure."""

from collections.abc import Sequence
from html import escape
from typing import Final

from qgtm.adapters.proof import Site
from qgtm.core.instant import NEW_YORK
from qgtm.core.request import Credential, Person, ProofKind, Request, challenge, flatten_challenge
from qgtm.views.matter import ASKED
from qgtm.views.persons import Persons
from qgtm.views.summary import Summary
from qgtm.web.act import Done, Refused
from qgtm.web.page import Html
from qgtm.web.plain import (
    NOTHING,
    asked_of,
    card,
    code_field,
    facts,
    field,
    form,
    heading,
    items,
    link,
    passkey_form,
    plain_page,
    say,
)
from qgtm.web.visitor import Visitor

LOOK_AGAIN_S: Final = 3
WEAKER: Final = "(weaker than a passkey)"


def acts_page(visitor: Visitor, told: Summary, persons: Persons, sessions: Sequence[Visitor]) -> Html:
    """Return the page that a visitor sees first: what waits, and what he can do."""
    is_opb = visitor.person is Person.OPB
    parts = [
        card(say(told.sentence)),
        _waiting(visitor, persons, is_opb=is_opb),
        _override(visitor, persons, is_opb=is_opb),
        card(link("Halt and close everything", "/acts/halt", "stop")) if is_opb else NOTHING,
        _keys(persons),
        _sessions(visitor, sessions),
    ]
    return plain_page("Your part", Html("".join(parts)), who=_who(visitor), refresh_s=30)


def _waiting(visitor: Visitor, persons: Persons, *, is_opb: bool) -> Html:
    request = persons.request
    if request is None:
        ended = say(persons.ended, "small") if persons.ended else NOTHING
        return card(say("Nothing waits for you."), ended)
    hidden = {"form_key": visitor.form_key, "request": request.request_id}
    acts = [
        form("/acts/open", hidden, "Read and confirm"),
        form("/acts/reject", hidden, "Reject", kind="quiet"),
    ]
    only = say("This waits for OpB: whoever asks cannot approve.", "small")
    return card(heading(ASKED[request.act]), _exact(request), *(acts if is_opb else [only]), kind="warn")


def _exact(request: Request) -> Html:
    until = f"{request.expires_at.astimezone(NEW_YORK):%a %H:%M:%S} New York"
    fixed = {name.replace("_", " "): value for name, value in request.detail.items()}
    return Html(
        say(request.text, "exact") + facts({"asked by": request.by.value, "open until": until, **fixed})
    )


def _override(visitor: Visitor, persons: Persons, *, is_opb: bool) -> Html:
    if not persons.override:
        return NOTHING
    revoke = form("/acts/revoke-override", {"form_key": visitor.form_key}, "End the override", kind="quiet")
    return card(heading("The soft cap is overridden"), say(persons.override), revoke if is_opb else NOTHING)


def _keys(persons: Persons) -> Html:
    rows = [_key(key) for key in persons.keys]
    listed = items(rows) if rows else say("Nobody is enrolled.")
    return card(Html(f"<details><summary>Keys that count</summary>{listed}</details>"))


def _key(key: Credential) -> Html:
    kind = "passkey" if key.kind is ProofKind.PASSKEY else f"codes {WEAKER}"
    return Html(f"<strong>{escape(key.person.value)}, {kind}</strong><span>{escape(key.fingerprint)}</span>")


def _sessions(visitor: Visitor, sessions: Sequence[Visitor]) -> Html:
    rows = []
    for each in sessions:
        is_here = each.session == visitor.session
        seen = f"{each.seen_at.astimezone(NEW_YORK):%d %b %H:%M} New York"
        hidden = {"form_key": visitor.form_key, "session": each.session}
        out = form("/sign-out", hidden, "Sign out here" if is_here else "Sign it out", kind="less")
        rows.append(Html(say(f"{each.agent or 'unknown browser'}, last seen {seen}", "small") + out))
    return card(Html(f"<details><summary>Where you are signed in</summary>{items(rows)}</details>"))


def approve_page(site: Site, visitor: Visitor, persons: Persons, token: str) -> Html:
    """Return the confirm page: the exact text, the token to type, and the proof."""
    request = persons.request
    if request is None:
        return done_page(visitor, Refused("This request is over."))
    hidden = {"form_key": visitor.form_key, "request": request.request_id}
    typed = field(
        "Type the token", "token", autocomplete="off", autocapitalize="characters", spellcheck="false",
        maxlength="32", class_="code",
    )  # fmt: skip
    keys = persons.keys_of(Person.OPB)
    approve = _proofs("/acts/approve", hidden, "Confirm", site, keys, challenge(request), typed, kind="")
    return plain_page(
        ASKED[request.act],
        Html(
            card(_exact(request))
            + card(say("Your token", "small"), Html(f'<p class="token">{escape(token)}</p>'), approve)
            + card(form("/acts/reject", hidden, "Reject", kind="quiet"))
        ),
        who=_who(visitor),
    )


def halt_page(site: Site, visitor: Visitor, persons: Persons, nonce: str) -> Html:
    """Return the page that asks once more before everything is closed."""
    reason = f"{visitor.person.value} halts from the page"
    hidden = {"form_key": visitor.form_key, "nonce": nonce, "reason": reason}
    keys = persons.keys_of(visitor.person)
    signed = flatten_challenge(reason, nonce)
    go = _proofs("/acts/flatten", hidden, "Halt and close everything", site, keys, signed, kind="stop")
    return plain_page(
        "Halt and close everything?",
        card(
            say("All open orders are cancelled and every position is sold or bought back at the market."),
            say("Afterwards nothing trades for at least 24 hours, and only both of you can start it again."),
            go if keys else say("You have no key enrolled: call OpA.", "bad"),
            link("Do not", "/acts", "quiet"),
            kind="warn",
        ),
        who=_who(visitor),
    )


def _proofs(
    address: str,
    hidden: dict[str, str],
    button: str,
    site: Site,
    keys: Sequence[Credential],
    signed: bytes,
    *fields: Html,
    kind: str,
) -> Html:
    """Return a form for the passkeys, and one for each key with codes."""
    ways = []
    if any(key.kind is ProofKind.PASSKEY for key in keys):
        wanted = asked_of(site.rp_id, signed, keys)
        ways.append(passkey_form(address, hidden, f"{button} with your passkey", wanted, *fields, kind=kind))
    for key in keys:
        if key.kind is ProofKind.TOTP:
            told = form(
                address, {**hidden, "key": key.credential_id}, f"{button} with a code {WEAKER}",
                *fields, code_field(), kind=kind or "quiet",
            )  # fmt: skip
            ways.append(told)
    return Html("".join(ways))


def done_page(visitor: Visitor, found: Done | Refused) -> Html:
    """Return what came of an act; after one that was sent the page goes back to what waits."""
    is_done = isinstance(found, Done)
    body = card(say(found.sentence, "good" if is_done else "bad"), link("Back", "/acts", "quiet"))
    refresh = LOOK_AGAIN_S if is_done else None
    return plain_page("Sent" if is_done else "Not done", body, who=_who(visitor), refresh_s=refresh)


def _who(visitor: Visitor) -> Html:
    return Html(f"<span>{escape(visitor.person.value)}</span>")
