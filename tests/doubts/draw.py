"""Draw doubts for as long as wanted: ``python -m tests.doubts.draw --minutes 30 --seed 7`` (``make doubts``).

Each doubt is a small dbt project of some parts, and one change of anything in it that dbt can read. We build the first,
meet the second, and must then have the rows that dbt's command line makes of it from nothing, or refuse and say why. A
doubt that is missed is tried with fewer parts, and its workspace is kept; the same seed draws the same doubts.
"""

from __future__ import annotations

import argparse
import itertools
import os
import random
import shlex
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from orchestrator.dbt_runner.process.zygote import VARIABLE, Zygote, supported
from tests.doubts.branch_knobs import BRANCHES
from tests.doubts.judge import Doubt, MissedError, Tally, judge, without
from tests.doubts.knobs import PARTS

MOST_PARTS = 4
DOUBTS_A_BATCH = 20


@st.composite
def doubts(draw: st.DrawFn) -> Doubt:
    """Draw a project and the change of one knob."""
    years = draw(st.booleans())
    usable = [part for part in (*PARTS, *BRANCHES) if part.years in (None, years)]
    parts = draw(st.lists(st.sampled_from(usable), min_size=1, max_size=MOST_PARTS, unique_by=lambda part: part.name))
    values = {(part.name, knob): draw(st.sampled_from(of)) for part in parts for knob, of in part.knobs.items()}
    turned = draw(st.sampled_from(sorted(values)))
    choices = next(part for part in parts if part.name == turned[0]).knobs[turned[1]]
    to = draw(st.sampled_from([value for value in choices if value != values[turned]]))
    return Doubt(years, tuple(parts), values, turned, to)


class Drawing:
    """Draws until the time is over, or so many doubts were judged."""

    def __init__(self, root: Path, ends: float, most: int | None) -> None:
        self.root = root
        self.tally = Tally()
        self.kept: list[Path] = []
        self._ends = ends
        self._most = most
        self._seen: set[str] = set()

    def over(self) -> bool:
        """Tell whether it is enough."""
        return time.monotonic() > self._ends or (self._most is not None and self.tally.drawn >= self._most)

    def batch(self, number: int) -> None:
        """Draw one batch."""
        checks = list(HealthCheck)
        limits = settings(
            max_examples=DOUBTS_A_BATCH,
            deadline=None,
            database=None,
            phases=(Phase.generate,),
            suppress_health_check=checks,
        )

        @seed(number)
        @limits
        @given(doubts())
        def each(doubt: Doubt) -> None:
            if not self.over() and doubt.words() not in self._seen:
                self._seen.add(doubt.words())
                self._judge(doubt)

        each()

    def _judge(self, doubt: Doubt) -> None:
        say(f"{self.tally.drawn + 1}: {doubt.words()}")
        missed = self._missed(doubt, self.tally)
        if missed is None:
            return
        self.tally.missed += 1
        for part in doubt.parts:
            if part.name != doubt.turned[0]:
                smaller = without(doubt, part.name)
                again = self._missed(smaller, Tally())
                doubt, missed = (doubt, missed) if again is None else (smaller, again)
        say(f"\nMISSED: {doubt.words()}\n{missed}\n")

    def _missed(self, doubt: Doubt, tally: Tally) -> MissedError | None:
        folder = Path(tempfile.mkdtemp(prefix="doubt-", dir=self.root))
        try:
            judge(doubt, folder, tally)
        except MissedError as error:
            self.kept.append(folder)
            return MissedError(f"{error}\nThe workspace is kept: {folder}")
        shutil.rmtree(folder)
        return None


@contextmanager
def forked_dbt() -> Iterator[None]:
    """Let the dbt processes of our commands be forks, unless whoever called us has seen to that."""
    if VARIABLE in os.environ or not supported():
        yield
        return
    with Zygote.start() as zygote:
        os.environ[VARIABLE] = str(zygote.address)
        try:
            yield
        finally:
            del os.environ[VARIABLE]


def say(words: str) -> None:
    """Write a line at once."""
    sys.stdout.write(f"{words}\n")
    sys.stdout.flush()


def main(arguments: list[str] | None = None) -> int:
    """Draw until the time is over; return 1 where something was missed."""
    parser = argparse.ArgumentParser(prog="make doubts", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--doubts", type=int, help="stop after so many changes")
    parser.add_argument("--seed", type=int, default=None, help="by default another one each time")
    parser.add_argument("--folder", type=Path, help="where to work; by default a temporary folder")
    options = parser.parse_args(arguments)
    number = options.seed if options.seed is not None else random.SystemRandom().randrange(1_000_000)
    root = Path(tempfile.mkdtemp(prefix="doubts-", dir=options.folder))
    drawing = Drawing(root, time.monotonic() + options.minutes * 60, options.doubts)
    with forked_dbt():
        for batch in itertools.count(number * 1_000):
            if drawing.over():
                break
            drawing.batch(batch)
    say(f"\n{drawing.tally.words(number)}")
    if drawing.tally.missed:
        command = f"--seed {number} --minutes {options.minutes:g}"
        say(f"To repeat it: make doubts ARGS={shlex.quote(command)}")
        return 1
    shutil.rmtree(root)
    return 0


if __name__ == "__main__":
    sys.exit(main())
