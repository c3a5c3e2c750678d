"""Remember what a rule computed: a mean over 100 sessions once, however many parameters ask for it."""

import importlib.util
from collections import OrderedDict
from collections.abc import Callable, Hashable
from functools import wraps
from hashlib import blake2b
from threading import Lock
from types import FunctionType, ModuleType
from typing import Any, Final

import numpy as np

PURE: Final = "qgtm.features."
ROOM: Final = 64_000_000  # bytes of results that are kept


class Memo:
    """Keep the results of pure functions of arrays, by function and arguments, the latest used of them.

    What is kept is read-only, and so is what is handed out.
    """

    def __init__(self, room: int = ROOM) -> None:
        self._room = room
        self._held = 0
        self._kept: OrderedDict[Hashable, Any] = OrderedDict()
        self._lock = Lock()
        self._busy: dict[Hashable, Lock] = {}
        self.computed: dict[str, int] = {}

    def remembering(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function with a memory. Calls without an array are passed on."""
        name = f"{function.__module__}.{function.__name__}"

        @wraps(function)
        def remembered(*arguments: Any, **named: Any) -> Any:
            if not any(isinstance(each, np.ndarray) for each in arguments):
                return function(*arguments, **named)
            try:
                key = (name, *map(_key, arguments), *((k, _key(v)) for k, v in sorted(named.items())))
                hash(key)
            except TypeError:
                return function(*arguments, **named)
            with self._lock:
                busy = self._busy.setdefault(key, Lock())
            with busy:  # two who ask at once compute it once
                return self._found(name, key, arguments, lambda: function(*arguments, **named))

        return remembered

    def _found(self, name: str, key: Hashable, arguments: tuple[Any, ...], compute: Callable[[], Any]) -> Any:
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key][0]
        found = compute()
        return self._keep(name, key, found, arguments) if isinstance(found, np.ndarray) else found

    def _keep(self, name: str, key: Hashable, found: Any, arguments: tuple[Any, ...]) -> Any:
        found.flags.writeable = False
        if not _is_fixed(found):  # a view on what its caller may still write to
            found = found.copy()
            found.flags.writeable = False
        with self._lock:
            self.computed[name] = self.computed.get(name, 0) + 1
            # the arguments are held too: their places in memory are part of the key
            self._kept[key] = (found, arguments)
            self._held += found.nbytes
            while self._held > self._room and len(self._kept) > 1:
                gone, (oldest, _) = self._kept.popitem(last=False)
                self._held -= oldest.nbytes
                self._busy.pop(gone, None)
        return found


def _key(value: Any) -> Hashable:
    if not isinstance(value, np.ndarray):
        return (type(value), value)
    told = (value.shape, value.strides, value.dtype.str)
    if _is_fixed(value):
        return (value.__array_interface__["data"][0], *told)
    return (blake2b(np.ascontiguousarray(value).data, digest_size=16).digest(), value.shape, value.dtype.str)


def _is_fixed(value: Any) -> bool:
    # A read-only view on an array that somebody may still write to is no fixed one.
    while isinstance(value, np.ndarray):
        if value.flags.writeable:
            return False
        value = value.base
    return value is None


def remembered_module(name: str, memo: Memo) -> ModuleType:
    """Return a module of its own whose features' functions remember; the one that is loaded stays as it is.

    Raises ModuleNotFoundError for a name that is none.
    """
    spec = importlib.util.find_spec(name)
    if spec is None or spec.loader is None:
        raise ModuleNotFoundError(f"there is no module {name}")
    own = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(own)
    for each, value in list(vars(own).items()):
        if isinstance(value, FunctionType) and value.__module__.startswith(PURE):
            setattr(own, each, memo.remembering(value))
    return own
