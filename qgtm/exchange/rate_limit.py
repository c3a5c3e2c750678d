"""Limits of calls in process time: Alpaca's trading API has 200 a minute, the other vendors their own."""

from dataclasses import dataclass

PER_MINUTE = 200
_WINDOW_S = 60.0


@dataclass(frozen=True, slots=True)
class Allowance:
    """Whether a call may pass, and what the `X-Ratelimit` headers say; `reset_s` is an epoch second.

    `left_s` is how many seconds of the window are left.
    """

    is_allowed: bool
    limit: int
    remaining: int
    reset_s: int
    left_s: int = 0

    def headers(self) -> dict[str, str]:
        """Return the headers that every answer carries."""
        return {
            "X-Ratelimit-Limit": str(self.limit),
            "X-Ratelimit-Remaining": str(self.remaining),
            "X-Ratelimit-Reset": str(self.reset_s),
        }


class RateLimiter:
    """A window of `window_s` that begins with its first call and holds at most `per_minute` of them."""

    def __init__(self, per_minute: int = PER_MINUTE, window_s: float = _WINDOW_S) -> None:
        self.per_minute = per_minute
        self.window_s = window_s
        self._begun_s = float("-inf")
        self._count = 0

    def take(self, monotonic_s: float, wall_s: float) -> Allowance:
        """Count a call at process time `monotonic_s`; `wall_s` is the epoch for the reset header."""
        if monotonic_s - self._begun_s >= self.window_s:
            self._begun_s, self._count = monotonic_s, 0
        left_s = self.window_s - (monotonic_s - self._begun_s)
        reset_s = int(wall_s + left_s) + 1
        if self._count >= self.per_minute:
            return Allowance(False, self.per_minute, 0, reset_s, int(left_s))
        self._count += 1
        return Allowance(True, self.per_minute, self.per_minute - self._count, reset_s, int(left_s))
