"""Forbidden words [MS16], found by one automaton however many they are; spaces, signs and width hide none of them."""

from collections.abc import Sequence
from typing import Any

from chassis.wording import folded


class Forbidden:
    """Finds words of a list in texts."""

    def __init__(self, words: Sequence[str]) -> None:
        # Loaded with the first list: commands that judge no words do without the library.
        from ahocorasick_rs import AhoCorasick

        self.words = tuple(words)
        self._automaton: Any = AhoCorasick([folded(word) for word in words])

    def hits(self, text: str) -> list[str]:
        """The words found, each once, in the order of the list."""
        found: set[int] = {
            place for place, _, _ in self._automaton.find_matches_as_indexes(folded(text), overlapping=True)
        }
        return [self.words[place] for place in sorted(found)]
