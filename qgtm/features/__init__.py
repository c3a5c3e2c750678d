"""Features: causal functions of arrays, printed from notebooks/features (`bars` is written by hand)."""

from qgtm.features.bars import Bars

__all__ = ["Bars"]
