"""`qgtm operators`: whose keys count, and how somebody gets one."""

from typing import Annotated

import typer

from qgtm.adapters.clock import SystemClock
from qgtm.adapters.files import StateDir, made_writable
from qgtm.adapters.inbox import Inbox
from qgtm.adapters.proof import site_of
from qgtm.cli.options import (
    AsJson,
    By,
    ConfigPath,
    Reason,
    configured,
    need_reason,
    say,
    say_json,
    when_taken,
)
from qgtm.config import Config
from qgtm.core.commands import RevokeKey
from qgtm.core.errors import ConfigError
from qgtm.core.request import Credential, Person, ProofKind
from qgtm.views.persons import Persons, persons

command = typer.Typer(
    add_completion=False,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    help="Enroll, list and revoke the two operators' keys.",
)
Who = Annotated[str, typer.Argument(help="OpA or OpB.")]


def _person(name: str) -> Person:
    found = next((each for each in Person if each.value.lower() == name.lower()), None)
    if found is None:
        raise ConfigError(f"there is no operator {name!r}: name OpA or OpB.")
    return found


@command.command()
def enroll(who: Who, config: ConfigPath = None, as_json: AsJson = False) -> None:
    """Print a link with which somebody makes a key on his own phone, once and within half an hour.

    The first key of a person counts at once, and both are told. One more, or one in the place of another,
    takes OpB's approval with a key that counts already.
    """
    from qgtm.web.visitor import INVITED, Visitors

    person = _person(who)
    loaded, state = configured(config)
    visitors = Visitors(made_writable(state).web, SystemClock().now)
    try:
        code = visitors.invite(person)
    finally:
        visitors.close()
    address = f"{site_of(loaded.web.origin, loaded.web.port).origins[0]}/enroll?code={code}"
    minutes = int(INVITED.total_seconds() // 60)
    if as_json:
        say_json({"person": person.value, "address": address, "minutes": minutes})
        return
    say(
        f"Send this to {person.value}; it works once, for {minutes} minutes, while `qgtm serve` runs:",
        f"  {address}",
        "Compare the key's fingerprint with what `qgtm operators list` prints, by voice, afterwards.",
    )


@command.command("list")
def listed(config: ConfigPath = None, as_json: AsJson = False) -> None:
    """List the keys that count, with the fingerprints that both of you compare."""
    loaded, state = configured(config)
    found = _both(loaded, state)
    if as_json:
        say_json([_row(key) for key in found.keys])
        return
    if not found.keys:
        say("Nobody is enrolled. `qgtm operators enroll OpB` prints a link for OpB's phone.")
    for key in found.keys:
        kind = "passkey" if key.kind is ProofKind.PASSKEY else "codes (weaker)"
        say(f"{key.person.value:<5}{kind:<16}{key.fingerprint:<22}{key.credential_id[:16]}")


@command.command()
def revoke(
    key: Annotated[str, typer.Argument(help="The beginning of the key's id, as `list` prints it.")],
    reason: Reason,
    by: By = "OpA",
    config: ConfigPath = None,
    as_json: AsJson = False,
) -> None:
    """Ask that a key count no more. It takes OpB's approval."""
    need_reason(reason)
    loaded, state = configured(config)
    matching = [each for each in _both(loaded, state).keys if each.credential_id.startswith(key)]
    if len(matching) != 1:
        raise ConfigError(
            f"{len(matching)} keys begin with {key!r}: `qgtm operators list` prints them; name one."
        )
    wish = RevokeKey(credential_id=matching[0].credential_id, reason=reason, by=by)
    with Inbox(made_writable(state).inbox) as inbox:
        number = inbox.put(wish, by, SystemClock().now())
    if as_json:
        say_json({"command_id": number, "kind": "RevokeKey", "by": by})
    else:
        say(f"Command {number} asks for it. {when_taken(state)}")


@command.command("sign-out")
def sign_out(who: Who, config: ConfigPath = None) -> None:
    """Sign somebody out of every browser."""
    from qgtm.web.visitor import Visitors

    person = _person(who)
    _, state = configured(config)
    visitors = Visitors(made_writable(state).web, SystemClock().now)
    try:
        visitors.end_all(person)
    finally:
        visitors.close()
    say(f"{person.value} is signed out everywhere.")


def _both(config: Config, state: StateDir) -> Persons:
    from qgtm.web.lookout import Lookout

    lookout = Lookout(state, config.limits)
    try:
        return persons(lookout.look().chronicle.state)
    finally:
        lookout.close()


def _row(key: Credential) -> dict[str, object]:
    return {
        "person": key.person.value,
        "kind": key.kind.value,
        "is_weaker": key.kind is ProofKind.TOTP,
        "fingerprint": key.fingerprint,
        "credential_id": key.credential_id,
    }
