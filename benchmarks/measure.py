"""Sampling in turn, A B C C B A …, so that whatever disturbs this machine disturbs all contenders alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

Sample = Callable[[], float]


@dataclass(frozen=True)
class Row:
    """One figure (the best of all rounds: noise only adds) beside its pair's.

    `ratio` is the median over all rounds and what the target is for; a `ratio_of_best` far from it means a
    disturbed run. A target is `("<=", 0.16)`.
    """

    what: str
    figure: float
    unit: str
    pair: str = ""
    ratio: float | None = None
    ratio_of_best: float | None = None
    target: tuple[str, float] | None = None

    @property
    def met(self) -> bool | None:
        if self.target is None:
            return None
        found = self.figure if self.ratio is None else self.ratio
        sign, wanted = self.target
        return {"<=": found <= wanted, "<": found < wanted, ">=": found >= wanted}[sign]


def compare(
    what: str, unit: str, ours: list[float], pair: str, theirs: list[float], target: Any = None, *, speed: bool = False
) -> Row:
    """Make the row of ours ÷ theirs; as a speed, theirs ÷ ours."""
    a, b = (theirs, ours) if speed else (ours, theirs)
    ratio = median(x / y for x, y in zip(a, b, strict=True))
    return Row(what, min(ours), unit, pair, ratio, min(a) / min(b), target)


def in_turn(samples: Sequence[Sample], rounds: int = 40) -> list[list[float]]:
    """Return the figures of each contender, after one round that only warms up."""
    figures: list[list[float]] = [[] for _ in samples]
    for turn in range(rounds + 1):
        for position in range(len(samples))[:: 1 if turn % 2 else -1]:
            figures[position].append(samples[position]())
    return [its[1:] for its in figures]


def per_call(
    function: Callable[[Any], object], inputs: Callable[[], Iterable[Any]], clock: Any = time.thread_time
) -> Sample:
    """Make a sample: microseconds per call, of CPU by default, over inputs that are made anew and untimed."""

    def sample() -> float:
        given = list(inputs())
        start = clock()
        for one in given:
            function(one)
        return (clock() - start) / len(given) * 1e6

    return sample


def drive(coroutine: Any) -> Any:
    """Run a coroutine that never waits for anything, without the cost of an event loop."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        return done.value
    raise RuntimeError("it waited for something")
