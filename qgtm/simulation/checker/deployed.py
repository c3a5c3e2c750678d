"""What may run: the prints and the code that were deployed, and limits that nobody loosened alone."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from qgtm.simulation.checker.known import Bounds

PERSONS = ("OpA", "OpB")
OWN = "single_name_override_frac"


@dataclass
class Deployment:
    """The last manifest and code that were deployed, and the limits in force, by the rows alone."""

    manifest_sha: str = ""
    code_sha: str = ""
    limits: dict[str, Decimal] = field(default_factory=dict)

    def deployed(self, body: Mapping[str, Any]) -> str:
        """Hear what was put to work; return what is wrong with it: after the first start a person deploys."""
        is_first = not self.manifest_sha
        self.manifest_sha, self.code_sha = body["manifest_sha"], body["code_sha"]
        return "" if is_first or body["by"] in PERSONS else f"{body['by']} deployed {self.manifest_sha[:8]}"

    def booted(self, body: Mapping[str, Any]) -> str:
        """Return what is wrong with what a daemon runs."""
        if (body["manifest_sha"], body["code_sha"]) != (self.manifest_sha, self.code_sha):
            return f"a daemon runs {body['manifest_sha'][:8]}, and {self.manifest_sha[:8]} was deployed"
        return ""

    def changed(self, body: Mapping[str, Any], problem: str) -> str:
        """Hear that limits changed; return what is wrong with it. `problem`: why both did not want it."""
        news = {name: Decimal(value) for name, value in body["limits"].items()}
        looser = sorted(name for name, value in news.items() if self.limits and value > self._usual(name))
        self.limits |= news
        if looser and problem:
            return f"{', '.join(looser)} became looser by {body['by']}: {problem}"
        return ""

    def _usual(self, name: str) -> Decimal:
        """Return what a limit was; a symbol without a line of its own had the one of all symbols."""
        return self.limits.get(name, self.limits["single_name_frac"] if name.startswith(OWN) else Decimal(0))

    def bounds(self, bounds: Bounds) -> Bounds:
        """Return the bounds as the limits in force have them."""
        plain: dict[str, Any] = {
            name: value for name, value in self.limits.items() if name in Bounds.__dataclass_fields__
        }
        own = {name.split(".")[1]: value for name, value in self.limits.items() if name.startswith(f"{OWN}.")}
        return replace(bounds, **plain, overrides={**bounds.overrides, **own})
