"""Measure one piece of work in a process of its own, so that its memory is its own, too.

`measure("ours:many", 1000)` imports benchmarks.contestants.ours in a fresh Python, calls
`many(1000)` there, which prepares what is not measured, and times the function that it returns.
"""

from __future__ import annotations

import importlib
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

Work = Callable[[], float]
"""Does it once and returns the mean final value, by which to see that all did the same."""

ROOT = Path(__file__).resolve().parents[1]
_FEWEST, _MOST = 3, 200


@dataclass(frozen=True, slots=True)
class Measured:
    """What a piece of work took.

    Attributes
    ----------
    seconds : float
        Median of the rounds after the first.
    best : float
        The quickest of them, seconds: what is left where others use the machine, too.
    first : float
        The first round, seconds: compilation or a cache of it included.
    megabytes : float
        Highest resident memory of the process, imports and prices included.
    answer : float
        What the work returned.
    rounds : int
    """

    seconds: float
    best: float
    first: float
    megabytes: float
    answer: float
    rounds: int


def measure(
    work: str, *arguments: int, hide: Sequence[str] = (), patience: float = 2.0
) -> Measured:
    """Run `work` in a fresh process, at least three times and for about `patience` seconds.

    Modules in `hide` cannot be imported there, as if they were not installed.
    """
    order = {"work": work, "arguments": arguments, "hide": list(hide), "patience": patience}
    run = subprocess.run(
        [sys.executable, "-m", "benchmarks.alone", json.dumps(order)],
        cwd=ROOT,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return Measured(**json.loads(run.stdout.splitlines()[-1]))


def seconds_in_python(code: str, *, rounds: int = 5) -> float:
    """Median of what `code` takes in a fresh Python that is already up."""
    timed = f"import time\nbegan = time.perf_counter()\n{code}\nprint(time.perf_counter() - began)"
    times = []
    for _ in range(rounds + 1):
        run = subprocess.run(
            [sys.executable, "-c", timed], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True
        )
        times.append(float(run.stdout.splitlines()[-1]))
    return statistics.median(times[1:])  # the first has warmed the file cache up


def load() -> str:
    """How busy the machine is."""
    return f"{os.cpu_count()} cores, load average {os.getloadavg()[0]:.1f}"


def _main(work: str, arguments: Sequence[int], hide: Sequence[str], patience: float) -> None:
    for name in hide:
        sys.modules[name] = None  # type: ignore[assignment]  # that is how imports are blocked
    module, _, function = work.partition(":")
    contestant = importlib.import_module(f"benchmarks.contestants.{module}")
    run: Work = getattr(contestant, function)(*arguments)
    times: list[float] = []
    answer = 0.0
    while len(times) < 1 + _FEWEST or (sum(times[1:]) < patience and len(times) < _MOST):
        began = time.perf_counter()
        answer = run()
        times.append(time.perf_counter() - began)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # KiB on Linux
    later = times[1:]
    took = Measured(statistics.median(later), min(later), times[0], peak, answer, rounds=len(later))
    print(json.dumps(asdict(took)))


if __name__ == "__main__":
    _main(**json.loads(sys.argv[1]))
