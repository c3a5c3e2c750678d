"""Plain pages for what must not go wrong: no Panel, no inline script, one small script for passkeys. Pure."""

import json
from collections.abc import Mapping, Sequence
from html import escape
from typing import Final

from webauthn.helpers import bytes_to_base64url

from qgtm.core.request import Credential, Person, ProofKind
from qgtm.web.asset import asset
from qgtm.web.page import Html, filled, page_text

SCRIPT: Final = asset("passkey.js", "text/javascript")
STYLE: Final = asset("plain.css", "text/css")
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
NO_SCRIPT: Final = Html(
    '<noscript><p class="bad">A passkey needs this page\'s one script, and scripts are off.</p></noscript>'
)


NOTHING: Final = Html("")


def plain_page(title: str, body: Html, *, who: Html = NOTHING, refresh_s: int | None = None) -> Html:
    """Return a whole document; `refresh_s` goes on to what waits after so many seconds, without script."""
    again = Html(f'<meta http-equiv="refresh" content="{refresh_s};url=/acts">\n') if refresh_s else NOTHING
    parts = {"title": title, "body": body, "who": who, "refresh": again}
    return filled(page_text("plain.html"), {**parts, "css": STYLE.path, "script": SCRIPT.path})


def not_written_page() -> Html:
    """Return what stands in the place of an answer while the system cannot read or write its own files."""
    told = (
        "Nothing was done: the system cannot use its own files just now, and its log says why. Call OpA, who "
        "can also halt without this page: `qgtm killswitch --halt --reason ...`."
    )
    return plain_page("Not possible now", card(say(told, "bad"), link("Back", "/", "quiet")))


def no_address_page() -> Html:
    """Return why nobody can act under the address that was called."""
    told = (
        "Signing in needs https and a name: a passkey is bound to a name, and a browser keeps its cookie for "
        "https alone. OpA sets `web.origin` in the configuration to such an address of this server."
    )
    return plain_page("Not at this address", card(say(told, "bad"), link("Back", "/", "quiet")))


def card(*parts: Html, kind: str = "") -> Html:
    """Return parts under one another in a frame."""
    return Html(f'<section class="card {kind}">{"".join(parts)}</section>')


def heading(text: str) -> Html:
    """Return a heading inside a card."""
    return Html(f"<h2>{escape(text)}</h2>")


def say(text: str, kind: str = "") -> Html:
    """Return a paragraph."""
    return Html(f'<p class="{kind}">{escape(text)}</p>')


def facts(rows: Mapping[str, str]) -> Html:
    """Return names and what they are."""
    told = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(text)}</dd></div>" for name, text in rows.items()
    )
    return Html(f"<dl>{told}</dl>")


def items(rows: Sequence[Html]) -> Html:
    """Return a list."""
    return Html(f"<ul>{''.join(f'<li>{row}</li>' for row in rows)}</ul>")


def link(text: str, address: str, kind: str = "") -> Html:
    """Return a link that looks as a button does."""
    return Html(f'<a class="button {kind}" href="{escape(address)}">{escape(text)}</a>')


def form(address: str, hidden: Mapping[str, str], button: str, *fields: Html, kind: str = "") -> Html:
    """Return a form that posts its fields and what is hidden."""
    return Html(
        f'<form method="post" action="{escape(address)}">{_hidden(hidden)}{"".join(fields)}'
        f'<button class="{kind}">{escape(button)}</button></form>'
    )


def field(label: str, name: str, **attributes: str) -> Html:
    """Return a labelled input; an attribute's trailing underscore is dropped, others become hyphens."""
    said = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(value)}"' for key, value in attributes.items()
    )
    return Html(f'<label>{escape(label)}<input name="{escape(name)}" required{said}></label>')


def code_field() -> Html:
    """Return the input for the six digits of an authenticator app."""
    return field(
        "Six digits from your authenticator app", "proof", inputmode="numeric",
        autocomplete="one-time-code", pattern="[0-9 ]{6,7}", maxlength="7", class_="code",
    )  # fmt: skip


def passkey_form(
    address: str,
    hidden: Mapping[str, str],
    button: str,
    wanted: Mapping[str, object],
    *fields: Html,
    kind: str = "",
) -> Html:
    """Return a form whose button asks for a passkey first; the page's script shows the button."""
    data = escape(json.dumps(wanted))
    return Html(
        f'<form method="post" action="{escape(address)}" data-passkey="{data}">{_hidden(hidden)}'
        f'<input type="hidden" name="proof">{"".join(fields)}'
        f'<button class="{kind}" hidden>{escape(button)}</button><p role="status" class="small"></p></form>'
        f"{NO_SCRIPT}"
    )


def asked_of(rp_id: str, challenge: bytes, keys: Sequence[Credential]) -> dict[str, object]:
    """Return what the script asks a passkey to sign."""
    ids = [key.credential_id for key in keys if key.kind is ProofKind.PASSKEY]
    return {"rp": rp_id, "challenge": bytes_to_base64url(challenge), "keys": ids}


def made_for(rp_id: str, challenge: bytes, keys: Sequence[Credential], person: Person) -> dict[str, object]:
    """Return what the script asks for a new passkey with."""
    user = {"id": bytes_to_base64url(person.value.encode()), "name": person.value}
    return {**asked_of(rp_id, challenge, keys), "user": user}


def _hidden(values: Mapping[str, str]) -> str:
    return "".join(
        f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">'
        for name, value in values.items()
    )
