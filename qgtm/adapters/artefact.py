"""A fitted model as a file: its parameters, what it was fitted on, and a checksum over both."""

import hashlib
import json
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any, Final

from qgtm.adapters.files import write_atomic
from qgtm.core.errors import ConfigError
from qgtm.features.hidden_markov import Model

SHIPPED: Final = Path(__file__).parents[1] / "features" / "regime_model.json"
CURE: Final = "fit it anew (notebooks/features/regime.ipynb, fit_until) or restore the file"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """A fitted model, the last session that it saw, and how it came about."""

    model: Model
    until: date
    sessions: int
    starts: int
    log_likelihood: float


def save_model(path: Path, fit: Fit) -> None:
    """Write the fit with its checksum, in place of what was there."""
    body = _body(fit)
    text = json.dumps({**body, "sha256": _sha256(body)}, indent=2, sort_keys=True)
    write_atomic(path, (text + "\n").encode())


def load_model(path: Path | None = None) -> Fit:
    """Return the fit of a file, the shipped one by default. Raises ConfigError for one that was changed."""
    path = path or SHIPPED
    try:
        body = json.loads(path.read_text(encoding="utf-8"))
        claimed = body.pop("sha256")
        if claimed != _sha256(body):
            raise ConfigError(f"{path} is not what was fitted: its checksum differs; {CURE}")
        return _fit(body)
    except OSError as problem:
        raise ConfigError(f"{path} cannot be read ({problem.strerror or problem}); {CURE}") from problem
    except (AttributeError, KeyError, TypeError, ValueError) as problem:
        raise ConfigError(f"{path} is no fitted model ({problem}); {CURE}") from problem


def _body(fit: Fit) -> dict[str, Any]:
    # through JSON and back, so that what is hashed is what will be read
    body: dict[str, Any] = json.loads(json.dumps({**asdict(fit), "until": fit.until.isoformat()}))
    return body


def _sha256(body: dict[str, Any]) -> str:
    text = json.dumps(body, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _fit(body: dict[str, Any]) -> Fit:
    model = body["model"]
    return Fit(
        model=Model(
            start=tuple(map(float, model["start"])),
            transition=_rows(model["transition"]),
            means=_rows(model["means"]),
            variances=_rows(model["variances"]),
        ),
        until=date.fromisoformat(body["until"]),
        sessions=int(body["sessions"]),
        starts=int(body["starts"]),
        log_likelihood=float(body["log_likelihood"]),
    )


def _rows(rows: list[list[float]]) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(map(float, row)) for row in rows)
