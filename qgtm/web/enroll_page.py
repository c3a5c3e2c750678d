"""What an invitation opens: make a passkey, or set a password with a one-time code."""

from qgtm.adapters.proof import Site
from qgtm.core.request import Person
from qgtm.views.persons import Persons
from qgtm.web.act import Refused
from qgtm.web.challenge import Challenges
from qgtm.web.enroll import OVER
from qgtm.web.page import Html
from qgtm.web.plain import card, code_field, facts, field, form, link, made_for, passkey_form, plain_page, say
from qgtm.web.visitor import LEAST_PASSWORD


def invitation_page(site: Site, persons: Persons, challenges: Challenges, person: Person, code: str) -> Html:
    """Return the first page of an enrolment."""
    name, challenge = challenges.give()
    keys = persons.keys_of(person)
    by_passkey = passkey_form(
        "/enroll/passkey", {"code": code, "challenge": name}, "Make a passkey",
        made_for(site.rp_id, challenge, keys, person),
    )  # fmt: skip
    by_password = form(
        "/enroll/password",
        {"code": code},
        "Use a password and codes",
        field(
            f"A password of at least {LEAST_PASSWORD} characters", "password", type="password",
            autocomplete="new-password", minlength=str(LEAST_PASSWORD),
        ),
        kind="quiet",
    )  # fmt: skip
    weaker = Html(
        f"<details><summary>Without a passkey (weaker)</summary>{say(WEAKER, 'small')}{by_password}</details>"
    )
    first = "You have no key yet." if not keys else f"You have {len(keys)} already; this one needs approval."
    told = say(f"{first} A passkey stays on your phone and opens with your face or finger.")
    return plain_page(f"Enroll {person.value}", Html(card(told, by_passkey) + card(weaker)))


WEAKER = (
    "Codes hold against strangers, but whoever runs the server could compute them. A passkey cannot be "
    "imitated there."
)


def code_page(code: str, secret: str, address: str) -> Html:
    """Return the page that gives an authenticator app its secret and asks for the first code."""
    grouped = " ".join(secret[at : at + 4] for at in range(0, len(secret), 4))
    return plain_page(
        "Add it to your authenticator app",
        card(
            link("Open the authenticator app", address, "quiet"),
            facts({"or type this key into it": grouped}),
            form("/enroll/code", {"code": code}, "Finish", code_field()),
        ),
    )


def enrolled_page(found: Person | Refused) -> Html:
    """Return how an enrolment went."""
    if isinstance(found, Refused):
        return plain_page("Not enrolled", card(say(found.sentence, "bad"), link("Back", "/sign-in", "quiet")))
    done = f"{found.value}'s key is sent to the system, which writes it down and tells both of you."
    return plain_page("Enrolled", card(say(done, "good"), link("Sign in", "/sign-in")))


def no_invitation_page() -> Html:
    """Return what an invitation that is over opens."""
    return plain_page("No invitation", card(say(OVER, "bad")))
