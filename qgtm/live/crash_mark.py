"""A mark on the disk that names the strategy at work, so that one which takes the process down is known."""

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qgtm.core.events import StrategyDisabled
from qgtm.engine.desk import Views
from qgtm.features.bars import FloatArray
from qgtm.features.seen import Seen


@dataclass(frozen=True)
class Marked:
    """A strategy whose name lies on the disk while it computes. A disk that refuses leaves no mark."""

    strategy: Views
    mark: Path

    @property
    def name(self) -> str:
        """Return the strategy's name."""
        return self.strategy.name

    @property
    def symbols(self) -> tuple[str, ...]:
        """Return what the strategy has views of."""
        return self.strategy.symbols

    @property
    def feeds(self) -> tuple[str, ...]:
        """Return the feeds that the strategy reads."""
        return self.strategy.feeds

    @property
    def warm_up(self) -> int:
        """Return how many sessions the strategy needs."""
        return self.strategy.warm_up

    @property
    def is_stateful(self) -> bool:
        """Return whether the strategy carries something from session to session."""
        return self.strategy.is_stateful

    def step(self, carried: object | None, seen: Seen) -> tuple[object | None, FloatArray]:
        """Let the strategy compute, under its mark."""
        with suppress(OSError):
            self.mark.write_text(self.name, "utf-8")
        try:
            return self.strategy.step(carried, seen)
        finally:
            with suppress(OSError):
                self.mark.unlink()

    def encode(self, carried: object | None) -> Any:
        """Return what the strategy writes down of what it carries."""
        return self.strategy.encode(carried)

    def decode(self, written: Any) -> object | None:
        """Return what the strategy carries from what it wrote down."""
        return self.strategy.decode(written)


def found(mark: Path) -> list[StrategyDisabled]:
    """Return that the strategy which was at work when the last process ended is disabled; remove the mark.

    A deployment gives it another chance.
    """
    try:
        name = mark.read_text("utf-8")
        mark.unlink()
    except (OSError, ValueError):
        return []
    reason = "the process ended while it was computing"
    return [StrategyDisabled(strategy=name, reason=reason)] if name else []
