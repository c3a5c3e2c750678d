"""A strategy's card: what it claims and what was found, as JSON that a report can read."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

from qgtm.core.gate import verdict_of

UNJUDGED: Final = {"sharpe": None, "overfit": None, "deflated": None}


def card(
    strategy: Mapping[str, Any],
    *,
    source: str,
    figures: Mapping[str, float],
    inputs: Mapping[str, str] | None = None,
    proof: Mapping[str, Any] | None = None,
    **words: Any,
) -> dict[str, Any]:
    """Return the card of a strategy given a notebook's names, the back-test's figures and the prose.

    `source` is "synthetic" or "recorded"; `inputs` says it of each feed where they differ, or that one is
    "lacking". `proof` are the figures of its evidence (`evidence.as_json`): without them, and with a feed
    that was not recorded, it is a shadow, and its `evidence` says so in the gates' own words.
    """
    named = SimpleNamespace(**strategy)
    worth = dict.fromkeys(named.FEEDS, source) if inputs is None else dict(inputs)
    verdict = verdict_of({"inputs": worth, "proof": proof or UNJUDGED})
    return {
        "name": named.NAME,
        "category": named.CATEGORY,
        "feeds": list(named.FEEDS),
        "symbols": list(named.symbols),
        "warm_up_sessions": named.warm_up,
        "params": asdict(named.PARAMS),
        "inputs": worth,
        "state": str(verdict.standing),
        "evidence": verdict.words,
        "proof": proof or UNJUDGED,
        "figures": {name: round(value, 6) for name, value in figures.items()},
        **words,
    }


def write_card(product: Any, written: Mapping[str, Any]) -> Path | None:
    """Write the card where the pipeline asked for it (`product["card"]`); without a product write nothing.

    Raises ValueError when the product names no card.
    """
    if product is None:
        return None
    if not isinstance(product, Mapping) or "card" not in product:
        raise ValueError("the product names no `card`: add `card: …json` beside `nb` in pipelines.yaml")
    path = Path(product["card"])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(written, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    return path
