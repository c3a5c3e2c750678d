"""`qgtm killswitch`: how the kill switch stands, halt by hand, override the soft cap, ask to trade again."""

from typing import Annotated, Any

import typer

from qgtm.cli.options import AsJson, By, ConfigPath, Reason, configured, say, say_json
from qgtm.cli.wish import give, tell
from qgtm.core.commands import Command, Flatten, Halt, OverrideSoft, RequestReset, RevokeOverride
from qgtm.core.errors import ConfigError
from qgtm.core.instant import text_from_instant
from qgtm.engine.act import PARAMS as ACT
from qgtm.engine.request import why_no_reset
from qgtm.engine.state import State
from qgtm.risk.kill_switch import RAMP, must_flatten, size_frac
from qgtm.views.summary import risk_words
from qgtm.web.lookout import Lookout

Status = Annotated[bool, typer.Option("--status", help="Say how it stands; so does the bare verb.")]
Reset = Annotated[bool, typer.Option("--request-reset", help="Ask OpB to let it trade again, at half size.")]
Stop = Annotated[bool, typer.Option("--halt", help="Stop new orders; what is held stays.")]
Close = Annotated[bool, typer.Option("--flatten", help="With --halt: close everything, too.")]
Soft = Annotated[
    bool, typer.Option("--override-soft", help="Let the book be whole again past the soft cap, for a day.")
]
Revoke = Annotated[bool, typer.Option("--revoke-override", help="End such an override now.")]
DONE = {
    Halt: "new orders are stopped. `qgtm ack operator_halt` ends it.",
    Flatten: "everything is being closed. It takes both of you to trade again.",
    OverrideSoft: "the soft cap is overridden until the next close at most.",
    RevokeOverride: "the override has ended.",
    RequestReset: "OpB sees it on the page now.",
}


def command(
    status: Status = False,
    reset: Reset = False,
    halt: Stop = False,
    flatten: Close = False,
    override: Soft = False,
    revoke: Revoke = False,
    reason: Reason = "",
    by: By = "OpA",
    config: ConfigPath = None,
    as_json: AsJson = False,
) -> None:
    """Say how the kill switch stands, or move it: either of you can stop the fund, both start it again."""
    asked = [flag for flag in (status, reset, halt, override, revoke) if flag]
    if len(asked) > 1 or (flatten and not halt):
        raise ConfigError("one thing at a time; --flatten goes with --halt.")
    wish = _wish(reset, halt, flatten, override, revoke, reason, by)
    loaded, state_dir = configured(config)
    if wish is not None:
        tell(give(wish, by, state_dir), state_dir, DONE[type(wish)], as_json=as_json)
        return
    lookout = Lookout(state_dir, loaded.limits)
    state = lookout.look().chronicle.state
    lookout.close()
    if as_json:
        say_json(fields(state))
    else:
        say(*lines(state))


def _wish(
    reset: bool, halt: bool, flatten: bool, override: bool, revoke: bool, reason: str, by: str
) -> Command | None:
    kinds: tuple[tuple[bool, type[Any]], ...] = (
        (reset, RequestReset),
        (halt and flatten, Flatten),
        (halt, Halt),
        (override, OverrideSoft),
        (revoke, RevokeOverride),
    )
    kind = next((kind for is_asked, kind in kinds if is_asked), None)
    if kind is None:
        return None
    least = ACT.reason_chars if kind is OverrideSoft else 1
    if len(reason.strip()) < least:
        raise ConfigError(f"--reason takes {least} characters or more: it is what the journal keeps.")
    made: Command = kind(reason=reason, by=by)
    return made


def fields(state: State) -> dict[str, Any]:
    """Return the kill switch by its parts; sizes and falls are fractions."""
    switch, cool_off, fall = state.switch, state.cool_off, state.drawdown
    is_halted = must_flatten(switch)
    return {
        "mode": switch.mode.value,
        "cause": None if switch.cause is None else switch.cause.value,
        "since": None if switch.since is None else text_from_instant(switch.since),
        "kill_epoch": switch.kill_epoch,
        "latches": [latch.value for latch in switch.latches],
        "size_frac": size_frac(switch),
        "ramp_frac": RAMP[switch.ramp_step],
        "override_ends_at_frac": switch.override_floor_frac,
        "drawdown_frac": None if fall is None else fall.drawdown_frac,
        "is_flat": state.is_flat_confirmed if is_halted else None,
        "is_reconciled": state.is_clean,
        "cool_off_left_s": None if not is_halted or cool_off is None else cool_off.left_s,
        "why_no_reset": why_no_reset(state) if is_halted else None,
        "requests": [
            {"request_id": name, "act": waiting.request.act.value, "text": waiting.request.text}
            for name, waiting in state.authority.standing.items()
        ],
    }


def lines(state: State) -> list[str]:
    """Return how the kill switch stands, for a person."""
    told = fields(state)
    since = f" since {told['since'][:16].replace('T', ' ')} UTC" if told["since"] else ""
    cause = f", by the {told['cause'].replace('_', ' ')}" if told["cause"] else ""
    size = f"size {100 * told['size_frac']:.0f}% of normal, ramp at {100 * told['ramp_frac']:.0f}%"
    found = [f"{told['mode'].replace('_', ' ')}{since}{cause}: {risk_words(state.switch)}", size]
    if told["latches"]:
        found.append(f"latches on: {', '.join(told['latches'])}")
    if told["drawdown_frac"] is not None:
        found.append(f"{100 * told['drawdown_frac']:.2f}% below the peak")
    if must_flatten(state.switch):
        found.append("all is flat" if told["is_flat"] else "NOT YET FLAT, by the broker's word")
        reset = "`qgtm killswitch --request-reset --reason ...` asks OpB for it."
        found.append(f"no reset yet: {told['why_no_reset']}" if told["why_no_reset"] else reset)
    found += [f"waits for approval: {request['text']}" for request in told["requests"]]
    return found
