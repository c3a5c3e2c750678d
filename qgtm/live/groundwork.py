"""The boot's first two steps: what is on this machine, before anybody is asked anything."""

from qgtm import __version__
from qgtm.adapters.artefact import load_model
from qgtm.adapters.files import made_writable
from qgtm.adapters.inbox import Wish
from qgtm.adapters.manifest import manifest_sha
from qgtm.core.effects import Effect
from qgtm.core.errors import BootRefused
from qgtm.core.events import AlertRaised, Booted
from qgtm.core.gate import SMALL, Standing
from qgtm.core.series import SERIES
from qgtm.core.universe import SYMBOLS
from qgtm.engine.desk import Desk
from qgtm.engine.limit_change import limits_at_boot
from qgtm.engine.state import State, folded
from qgtm.features.hidden_markov import odds_feature
from qgtm.features.history import History
from qgtm.features.timetable import TIMETABLE
from qgtm.keys import load_keys, venue
from qgtm.live import crash_mark
from qgtm.live.kernel import Kernel
from qgtm.live.rig import PACKAGE, Rig
from qgtm.live.wish import deployment, facts_of
from qgtm.strategies import BY_NAME


def configuration(rig: Rig) -> str:
    """Read the keys, choose the venue, and see that the state folder can be written. Raises ConfigError."""
    made_writable(rig.state_dir)
    rig.keys = load_keys(rig.config.path, rig.environ)
    rig.venue = venue(rig.config, rig.keys, rig.environ)
    rig.open_clock()
    return f"{rig.config.path.name}, {rig.venue}, {len(rig.keys.found)} keys"


def strategies(rig: Rig) -> str:
    """Hold prints, manifest and journal against each other, and take lease and inbox. Raises QgtmError."""
    if found := rig.check_prints(PACKAGE):
        raise BootRefused("\n".join(difference.sentence for difference in found))
    unknown = [name for name in rig.config.strategies.enabled if name not in BY_NAME]
    if unknown:
        raise BootRefused(
            f"no strategy {unknown[0]} is printed: correct strategies.enabled; "
            f"there are {', '.join(BY_NAME)}."
        )
    rig.open_record()
    _sound(rig)
    state = _restored(rig)
    rig.take_lease(state.epoch)
    rig.open_inbox()
    passed_over = rig.inbox.go_on_after(state.command_id)
    rig.kernel.take_all([_passed_over(wish) for wish in passed_over], rig.clock.now())
    _deployment(rig)
    rig.kernel.take_all(crash_mark.found(rig.state_dir.crash_mark), rig.clock.now())
    names, prints = rig.config.strategies.enabled, rig.package.manifest.prints
    return f"{len(names)}/{len(BY_NAME)} loaded{_told(rig)}, {len(prints)} prints and all else as deployed"


def _sound(rig: Rig) -> None:
    """Refuse a journal whose chain does not hold from the newest snapshot on, or that a snapshot outlives."""
    audit = rig.audit()
    if audit.bad is not None:
        raise BootRefused(
            f"journal row {audit.bad.seq} ({audit.bad.kind}) cannot be believed: {audit.bad.what}. "
            "Run `qgtm audit verify` and restore the last backup; if this is an older one, put back on "
            f"purpose, delete {rig.state_dir.snapshots}, which remembers later rows."
        )


def _passed_over(wish: Wish) -> AlertRaised:
    text = (
        f"Command {wish.command_id} ({wish.kind}, {wish.by}) was given to an inbox that had been lost or put "
        "back, and was passed over: give it again."
    )
    return AlertRaised(level="yellow", cause="command passed over", text=text)


def _restored(rig: Rig) -> State:
    """Fold the journal, from the newest snapshot that it bears out; the kernel starts from what comes out."""
    kept = rig.snapshots.load(State, rig.journal.hash_at)
    state = folded((entry.event for entry in rig.journal.read(kept.head.seq)), kept.state)
    rig.history = History(SYMBOLS, (*SERIES, *TIMETABLE))
    desk = Desk(
        limits=rig.config.limits,
        strategies=tuple(
            crash_mark.Marked(BY_NAME[name], rig.state_dir.crash_mark)
            for name in rig.config.strategies.enabled
        ),
        history=rig.history,
        tape_share_frac=float(rig.config.feeds.ohlcv.tape_share_frac),
        regime=odds_feature(load_model().model),
    )
    rig.kernel = Kernel(desk, rig.history, rig.journal, perform=_later, state=state)
    return state


def _later(effect: Effect) -> None:
    """Do nothing: there are no hands yet, and the loop, once it turns, asks for all of it again."""


def _deployment(rig: Rig) -> None:
    """Take the inbox in, then refuse what nobody deployed; the first paper start deploys its own.

    The configuration's limits are held against those in force: what is tighter in it holds from here on.
    """
    now = rig.clock.now()
    while wishes := rig.inbox.wishes(rig.kernel.state.command_id):
        for wish in wishes:
            facts = facts_of(wish, rig.kernel.state, lambda: rig.package, rig.seal())
            rig.kernel.take_all(facts, now)
            rig.keep_releases(facts)
    sha = manifest_sha(rig.package.manifest)
    if _is_first(rig, sha):
        rig.kernel.take(deployment(rig.package, "first start"), now)
    state = rig.kernel.state
    if sha != state.manifest_sha:
        raise BootRefused(_not_deployed("these prints (manifest", sha, state.manifest_sha))
    if rig.package.code_sha != state.code_sha:
        raise BootRefused(
            _not_deployed("the files that connect them (code", rig.package.code_sha, state.code_sha)
        )
    rig.kernel.take_all([_booted(rig, sha), *limits_at_boot(state, rig.config.limits)], rig.clock.now())


def _is_first(rig: Rig, sha: str) -> bool:
    """Return whether a start on paper may deploy its own: nothing ever was, or nothing but these prints.

    Records from before the rest of the code was hashed know the prints alone.
    """
    state = rig.kernel.state
    is_new = not state.manifest_sha or (state.manifest_sha == sha and not state.code_sha)
    return is_new and rig.venue != "live"


def _not_deployed(what: str, found: str, deployed: str) -> str:
    return (
        f"{what} {found[:8]}) are not the deployed ones ({deployed[:8] or 'none'}): "
        "run `qgtm deploy` to put them to work, or `git checkout qgtm` to go back."
    )


def _booted(rig: Rig, sha: str) -> Booted:
    return Booted(
        epoch=rig.lease.epoch,
        version=__version__,
        venue=rig.venue,
        manifest_sha=sha,
        config_sha=rig.config.sha,
        account_number=rig.config.broker.account_number,
        strategies=tuple(rig.config.strategies.enabled),
        strategies_total=len(BY_NAME),
        code_sha=rig.package.code_sha,
        shadows=_shadows(rig),
        shadow_frac=0.0 if rig.config.gates.enforce or rig.venue == "live" else SMALL,
    )


def _shadows(rig: Rig) -> dict[str, str]:
    """Return who has not passed the gates, and why: it trades nothing, or on paper a little."""
    said = rig.verdicts().items()
    return {name: verdict.words for name, verdict in said if verdict.standing is Standing.SHADOW}


def _told(rig: Rig) -> str:
    shadows = rig.kernel.state.shadows
    return f" ({len(shadows)} in the shadow, at {max(shadows.values()):.0%} of their size)" if shadows else ""
