"""Cases made from a seed, each of which can be made again alone."""

import random
from collections.abc import Iterator
from contextlib import contextmanager


class Case:
    """A source of chance of its own; what goes wrong with it is raised with what makes it again."""

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
    """`--fuzz-seed` makes other cases, `--fuzz-cases` so many times as many."""

    def __init__(self, seed: int, times: int) -> None:
        self._seed, self._times = seed, times

    def cases(self, name: str, count: int) -> Iterator[Case]:
        for number in range(count * self._times):
            yield Case(self._seed, name, number)
