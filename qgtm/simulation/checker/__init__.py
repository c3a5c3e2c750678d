"""The checker: holds what must always be true, from the trace, the durable rows and the exchange's truth.

It shares no code with the daemon: it reads the rows as text, counts the book anew, and asks the exchange's
core for what really happened.
"""

from qgtm.simulation.checker.check import Checker, Violation
from qgtm.simulation.checker.known import Bounds, bounds_from

__all__ = ["Bounds", "Checker", "Violation", "bounds_from"]
