# A print of notebooks/engine/request.ipynb: do not edit it here.
# Edit the notebook and run `make export`, which writes this file and MANIFEST.json anew.
"""Request.

From asking to the other's yes: what takes both persons, fixed to its last word, and what follows from the
approval.
"""

# cell 5 of notebooks/engine/request.ipynb
import json
from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal

from qgtm.core.codec import canonical, decode
from qgtm.core.commands import Approve, Enroll, NoteAttempt, OpenRequest, Reject, RequestReset, RevokeKey
from qgtm.core.events import (
    Event,
    LimitsChanged,
    ModeChanged,
    OperatorEnrolled,
    OperatorRevoked,
    RequestEnded,
    RequestMade,
    RequestOpened,
)
from qgtm.core.mode import Mode, Trigger
from qgtm.core.request import Act, Credential, Outcome, Person, Request
from qgtm.engine.act import SYSTEM, Seal, no_reason, only_opa, refused, told_both, why_not_settled
from qgtm.engine.authority import PARAMS as AUTHORITY
from qgtm.engine.authority import Moment, Standing, judged, why_over
from qgtm.engine.state import State
from qgtm.risk.kill_switch import PARAMS as SWITCH
from qgtm.risk.limits import Limits, limits_sha, texts


# cell 7 of notebooks/engine/request.ipynb
def reset_asked(state: State, command: RequestReset, seal: Seal) -> list[Event]:
    """Return the request to trade again after a hard halt, or why it cannot be asked for yet."""
    why = only_opa(command.by) or no_reason(command.reason) or why_no_reset(state)
    if why is not None:
        return refused("ask for a reset", command.by, why)
    return asked(state, seal, Act.RESET, command.by, _reset_text(state, command.reason), {})


def why_no_reset(state: State) -> str | None:
    """Return why trading cannot begin again now: what has still to happen, or None."""
    if state.switch.mode is not Mode.HALTED_HARD or state.cool_off is None:
        return "nothing is halted that takes both of you to start again"
    left_s = state.cool_off.left_s
    if left_s > 0:
        whole = timedelta(seconds=round(left_s))
        return f"the cool-off of {SWITCH.cool_off_s // 3600} hours has {whole} to go, by the slowest clock"
    return why_not_settled(state)


def _reset_text(state: State, reason: str) -> str:
    switch, fall = state.switch, Decimal(0) if state.drawdown is None else state.drawdown.drawdown_frac
    cause = (switch.cause or Trigger.HARD_CAP).replace("_", " ")
    return (
        f"Trade again after the halt of {switch.since:%Y-%m-%d %H:%M} UTC (halt {switch.kill_epoch}, by the "
        f"{cause}), {100 * fall:.2f}% below the peak. All was closed, both books agree, and the cool-off is "
        f"over. Half of the normal size at once, then 60, 70, 80, 90 and 100% at the next five sessions. The "
        f"risk peak restarts where the fund stands now. Reason: {reason.strip()}"
    )


def asked(state: State, seal: Seal, act: Act, by: str, text: str, detail: Mapping[str, str]) -> list[Event]:
    """Return a request, which takes the place of any other for the same act."""
    other = Person.OPB if by == Person.OPA else Person.OPA
    if not state.authority.keys_of(other):
        why = f"{other} has no key to approve it with: `qgtm operators enroll` makes one"
        return refused(f"ask for {act}", by, why)
    request = Request(
        request_id=f"{act}-{state.switch.kill_epoch}-{state.authority.made + 1}",
        act=act,
        by=Person(by),
        text=text,
        epoch=state.switch.kill_epoch,
        detail=detail,
        limits_sha=limits_sha(seal.limits),
        head=seal.head,
        nonce=seal.nonce,
        made_at=seal.at.wall_at,
        expires_at=seal.at.wall_at + timedelta(seconds=AUTHORITY.lifetime_s),
    )
    minutes = AUTHORITY.lifetime_s // 60
    return [
        *(over(each, Outcome.SUPERSEDED, by, "a newer one took its place") for each in _standing(state, act)),
        RequestMade(request=request, monotonic_s=seal.at.monotonic_s, epoch=seal.at.epoch),
        told_both(f"{by} asks, and {other} has {minutes} minutes to approve on the page: {text}"),
    ]


def _standing(state: State, act: Act) -> tuple[Standing, ...]:
    return state.authority.standing_for(act)


def over(waiting: Standing, outcome: Outcome, by: str, reason: str) -> RequestEnded:
    """Return the end of a request that was not approved."""
    return RequestEnded(request_id=waiting.request.request_id, outcome=outcome, by=by, reason=reason)


def request_opened(state: State, command: OpenRequest, seal: Seal) -> list[Event]:
    """Return that the other person's page shows a request, under a token of its own, or why it does not."""
    waiting = state.authority.standing.get(command.request_id)
    why = "no such request stands" if waiting is None else why_over(waiting, seal.at)
    if why is None and (command.by not in list(Person) or (waiting and command.by == waiting.request.by)):
        why = "the other person opens it"
    if why is not None:
        return refused("open a request", command.by, why, command.request_id if waiting is None else "")
    return [
        RequestOpened(request_id=command.request_id, token_hash=command.token_hash, by=Person(command.by))
    ]


def rejected(state: State, command: Reject) -> list[Event]:
    """Return the end of a request that one of the two does not want."""
    waiting = state.authority.standing.get(command.request_id)
    if waiting is None or command.by not in list(Person):
        why = "no such request stands" if waiting is None else "only the two operators may"
        return refused("turn a request down", command.by, why)
    reason = command.reason.strip() or "no reason given"
    return [
        over(waiting, Outcome.REJECTED, command.by, reason),
        told_both(f"{command.by} turned down: {waiting.request.text} ({reason})"),
    ]


def overdue(state: State, at: Moment) -> list[Event]:
    """Return the end of every request whose time is over."""
    facts: list[Event] = []
    for waiting in state.authority.standing.values():
        why = why_over(waiting, at)
        if why is not None:
            facts.append(over(waiting, Outcome.EXPIRED, SYSTEM, why))
            facts.append(told_both(f"Not approved in time ({why}): {waiting.request.text}", "yellow"))
    return facts


def attempt_noted(state: State, command: NoteAttempt) -> list[Event]:
    """Return what the page refused, for the journal and for both; too many of it end a request."""
    facts = refused(command.what[:200], command.by[:80], command.reason[:400], command.request_id[:80])
    return [*facts, *_exhausted(state, command.request_id)]


# cell 9 of notebooks/engine/request.ipynb
def approved(state: State, command: Approve, seal: Seal) -> list[Event]:
    """Return the act that both want, with the proof of it, or why the approval does not count."""
    found = judged(state.authority, command, seal.at, seal.verify)
    if isinstance(found, str):
        return _not_approved(state, command, found)
    request = found.waiting.request
    acts = _followed(state, request, seal)
    if isinstance(acts, str):
        return [
            *refused("approve a request", command.by, acts, level="orange"),
            over(found.waiting, Outcome.SUPERSEDED, SYSTEM, acts),
        ]
    yes = RequestEnded(
        request_id=request.request_id,
        outcome=Outcome.APPROVED,
        by=command.by,
        reason=request.text,
        proof=command.proof,
        count=found.count,
    )
    return [yes, *acts, told_both(f"{command.by} approved what {request.by} asked for: {request.text}")]


def _not_approved(state: State, command: Approve, reason: str) -> list[Event]:
    facts = refused("approve a request", command.by, reason, command.request_id[:80], level="orange")
    return [*facts, *_exhausted(state, command.request_id)]


def _exhausted(state: State, request_id: str) -> list[Event]:
    """Return the end of a request whose last attempt has just been refused."""
    waiting = state.authority.standing.get(request_id)
    if waiting is None or waiting.attempts + 1 < AUTHORITY.attempts:
        return []
    why = f"{AUTHORITY.attempts} attempts were refused: ask again"
    return [
        over(waiting, Outcome.EXHAUSTED, SYSTEM, why),
        told_both(f"Ended ({why}): {waiting.request.text}"),
    ]


def _followed(state: State, request: Request, seal: Seal) -> list[Event] | str:
    if request.limits_sha != limits_sha(seal.limits):
        return "the limits have changed since it was asked for: ask again"
    follow = {Act.RESET: _reset, Act.LIMITS: _loosened, Act.KEY: _key_changed}
    return follow[request.act](state, request, seal)


def _reset(state: State, request: Request, seal: Seal) -> list[Event] | str:
    why = why_no_reset(state)
    if why is not None or request.epoch != state.switch.kill_epoch:
        return why or "it was asked for after another halt"
    return [
        ModeChanged(
            trigger=Trigger.RESET_CONFIRMED,
            before=state.switch.mode,
            after=Mode.ACTIVE,
            reason=f"request {request.request_id}",
            at=seal.at.now,
            by=f"{request.by} and the other",
        )
    ]


def _loosened(state: State, request: Request, seal: Seal) -> list[Event] | str:
    by, reason = f"{request.by} and the other", f"request {request.request_id}"
    news = whole_limits(state, seal.limits, request.detail)
    return [LimitsChanged(limits=news, reason=reason, by=by, request_id=request.request_id)]


def _key_changed(state: State, request: Request, seal: Seal) -> list[Event] | str:
    keys, name = state.authority.credentials, request.detail.get("revoke", "")
    if name:
        if name not in keys:
            return "the key is not enrolled any more"
        return [
            OperatorRevoked(
                credential_id=name, reason=request.text, by=request.by, request_id=request.request_id
            )
        ]
    key: Credential = decode(Credential, json.loads(request.detail["enroll"]))
    if key.credential_id in keys:
        return "the key is enrolled already"
    return [OperatorEnrolled(credential=key, by=request.by, request_id=request.request_id)]


def whole_limits(state: State, limits: Limits, news: Mapping[str, str]) -> dict[str, str]:
    """Return the news, with every other limit beside them as long as none has been written down."""
    return dict(news) if state.limits is not None else {**texts(limits), **news}


# cell 11 of notebooks/engine/request.ipynb
def key_enrolled(state: State, command: Enroll, seal: Seal) -> list[Event]:
    """Return a person's first key, or the request for one more."""
    key, authority = command.credential, state.authority
    why = _why_no_key(state, key, command.by)
    if why is not None:
        return refused("enroll a key", command.by, why)
    named = f"a {key.kind} for {key.person}, fingerprint {key.fingerprint}"
    if key.person not in authority.ever:
        text = f"The first key is enrolled by {command.by}: {named}. Compare it with the owner's device."
        return [OperatorEnrolled(credential=key, by=command.by), told_both(text)]
    return asked(state, seal, Act.KEY, command.by, f"Enroll {named}", {"enroll": canonical(key)})


def _why_no_key(state: State, key: Credential, by: str) -> str | None:
    if by not in list(Person):
        return "only the two operators may"
    is_known = key.credential_id in state.authority.credentials
    return "the key is enrolled already" if is_known or not key.credential_id else None


def key_revoked(state: State, command: RevokeKey, seal: Seal) -> list[Event]:
    """Return the end of one's own key while another of it stays, or the request for any other's."""
    key = state.authority.credentials.get(command.credential_id)
    if key is None or command.by not in list(Person):
        why = "no such key is enrolled" if key is None else "only the two operators may"
        return refused("revoke a key", command.by, why)
    named = f"the {key.kind} of {key.person}, fingerprint {key.fingerprint}"
    if command.by == key.person and len(state.authority.keys_of(key.person)) > 1:
        gone = OperatorRevoked(credential_id=key.credential_id, reason=command.reason, by=command.by)
        return [
            gone,
            told_both(f"{command.by} revoked {named}: {command.reason.strip() or 'no reason given'}."),
        ]
    text = f"Revoke {named}. Reason: {command.reason.strip() or 'none given'}"
    return asked(state, seal, Act.KEY, command.by, text, {"revoke": key.credential_id})


__all__ = [
    "approved",
    "asked",
    "attempt_noted",
    "key_enrolled",
    "key_revoked",
    "over",
    "overdue",
    "rejected",
    "request_opened",
    "reset_asked",
    "whole_limits",
    "why_no_reset",
]
