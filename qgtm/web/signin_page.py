"""The door: a passkey's button, and under it the way with password and code."""

from qgtm.adapters.proof import Site
from qgtm.views.persons import Persons
from qgtm.web.challenge import Challenges
from qgtm.web.page import Html
from qgtm.web.plain import NOTHING, asked_of, card, code_field, field, form, passkey_form, plain_page, say

NOBODY = "Nobody is enrolled yet. OpA runs `qgtm operators enroll OpB` and sends OpB the link that it prints."


def signin_page(site: Site, persons: Persons, challenges: Challenges, problem: str = "") -> Html:
    """Return the page, with what went wrong the last time."""
    told = say(problem, "bad") if problem else NOTHING
    if not persons.keys:
        return plain_page("Sign in", Html(told + card(say(NOBODY))))
    name, challenge = challenges.give()
    by_passkey = passkey_form(
        "/sign-in/passkey", {"challenge": name}, "Sign in with your passkey",
        asked_of(site.rp_id, challenge, ()),
    )  # fmt: skip
    by_password = form(
        "/sign-in/password",
        {},
        "Sign in",
        field("Name", "name", autocomplete="username", autocapitalize="none"),
        field("Password", "password", type="password", autocomplete="current-password"),
        code_field(),
        kind="quiet",
    )
    less = Html(f"<details><summary>Password and code (weaker)</summary>{by_password}</details>")
    return plain_page("Sign in", Html(told + card(by_passkey) + card(less)))
