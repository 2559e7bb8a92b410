"""Cases generated from a seed, each of which can be repeated alone."""

import random
from collections.abc import Iterator
from contextlib import contextmanager


class Case:
    """A random source for one case; an error in the case is raised with the options that repeat it."""

    def __init__(self, seed: int, name: str, number: int) -> None:
        self.rng = random.Random(f"{seed} {name} {number}")
        self._label = f"--fuzz-seed {seed}, case {number} of {name}"

    @contextmanager
    def shown(self, made: object) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            raise AssertionError(f"{self._label}: {made}: {error!r:.2000}") from error


class Fuzz:
    """Generates cases: `--fuzz-seed` selects others, `--fuzz-cases` multiplies their number."""

    def __init__(self, seed: int, times: int) -> None:
        self._seed, self._times = seed, times

    def cases(self, name: str, count: int) -> Iterator[Case]:
        for number in range(count * self._times):
            yield Case(self._seed, name, number)
