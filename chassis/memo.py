"""Results that are asked for again and again."""

from collections.abc import Callable, Hashable
from typing import TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Memo(dict[K, V]):
    """What a function said of arguments it was asked about; all is forgotten when there are too many.

    `functools.lru_cache` keeps its arguments in the order of their use: with tens of thousands of them, taking one
    from it moves several that lie far apart in memory, which costs more than the small computations meant here.
    """

    def __init__(self, find: Callable[[K], V], limit: int) -> None:
        self.find = find
        self.limit = limit

    def __missing__(self, key: K) -> V:
        if len(self) >= self.limit:
            self.clear()
        found = self[key] = self.find(key)
        return found
