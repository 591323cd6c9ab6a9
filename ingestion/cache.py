"""A bounded memory of what was computed last. Unlike `lru_cache` on a method it keeps nothing else alive."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
T = TypeVar("T")


class LruCache(Generic[K, V]):
    """The last `size` values by key; None: all of them.

    Safe to use from several threads. Values are made outside the lock, so two threads may make the same one.
    """

    def __init__(self, size: int | None) -> None:
        self._size = size
        self._values: OrderedDict[K, V] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._values)

    def get(self, key: K, make: Callable[[K], V]) -> V:
        """The value of a key, made when it isn't known. A maker that raises stores nothing."""
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
                return self._values[key]
        value = make(key)
        self._store({key: value})
        return value

    def get_all(self, items: Mapping[K, T], make: Callable[[list[T]], Sequence[V]]) -> dict[K, V]:
        """The values of all keys; `make` gets the items of those that aren't known, in one call, and may be spared it."""
        with self._lock:
            known = {key: self._values[key] for key in items if key in self._values}
            for key in known:
                self._values.move_to_end(key)
        missing = {key: item for key, item in items.items() if key not in known}
        if missing:
            made = dict(zip(missing, make(list(missing.values())), strict=True))
            self._store(made)
            known |= made
        return known

    def _store(self, values: Mapping[K, V]) -> None:
        with self._lock:
            for key, value in values.items():
                self._values[key] = value
                self._values.move_to_end(key)
            while self._size is not None and len(self._values) > self._size:
                self._values.popitem(last=False)
