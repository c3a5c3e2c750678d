"""The strategies' cards where they lie, and what the gates say of each: read at boot, shown everywhere.

A card in `reports/evidence` was made by `qgtm evidence` over recorded bars, of a print as it was then; one in
`reports/pipeline` by a notebook's own run, and it proves nothing to those who trade.
"""

import json
from collections.abc import Iterable, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from qgtm.adapters.files import write_atomic
from qgtm.adapters.manifest import Manifest
from qgtm.core.gate import NO_CARD, Standing, Verdict, verdict_of

EVIDENCE: Final = "evidence"
PIPELINE: Final = "pipeline"
OF_A_RUN: Final = "its card is of a notebook's run: run `qgtm evidence` over recorded bars"
CHANGED: Final = "its print has changed since its evidence: run `qgtm evidence` over recorded bars"


def print_sha(manifest: Manifest, name: str) -> str:
    """Return one hash of the print of strategy `name` and of all prints that it leans on.

    Raises KeyError for a strategy that is not printed.
    """
    left, met = [f"strategies/{name}"], dict[str, str]()
    while left:
        each = left.pop()
        if each not in met:
            entry = manifest.prints[each]
            met[each] = entry.module_sha256
            left += entry.imports
    return sha256(json.dumps(sorted(met.items())).encode()).hexdigest()


def keep_card(reports: Path, card: Mapping[str, Any]) -> Path:
    """Write a card of `qgtm evidence` and return its path. Raises OSError."""
    path = reports / EVIDENCE / f"{card['name']}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, (json.dumps(card, indent=2, sort_keys=True) + "\n").encode())
    return path


def verdicts(reports: Path, manifest: Manifest, names: Iterable[str]) -> dict[str, Verdict]:
    """Return what the gates say of each strategy's card; without one that can be read it is a shadow."""
    return {name: _verdict(reports, manifest, name) for name in names}


def _verdict(reports: Path, manifest: Manifest, name: str) -> Verdict:
    kept = _card(reports / EVIDENCE / f"{name}.json")
    card = kept if kept is not None else _card(reports / PIPELINE / f"{name}.json")
    if card is None:
        return Verdict((NO_CARD,))
    verdict = verdict_of(card)
    if verdict.standing is Standing.SHADOW:
        return verdict
    if kept is None or "print" not in card:
        return Verdict((OF_A_RUN,))
    is_same = f"strategies/{name}" in manifest.prints and card["print"] == print_sha(manifest, name)
    return verdict if is_same and card.get("name") == name else Verdict((CHANGED,))


def _card(path: Path) -> Mapping[str, Any] | None:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError):
        return {}  # which has no figures that can be read
    return found if isinstance(found, dict) else {}
