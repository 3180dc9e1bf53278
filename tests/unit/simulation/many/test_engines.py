"""NumPy and numba's machine code give the same answers."""

import os
import shutil
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba.core.caching import _CacheLocator

from etf_backtest.simulation.many import compiled
from etf_backtest.simulation.many.course import Course, course_of
from etf_backtest.simulation.many.engine import EngineName, engine_for, machine, run_with
from etf_backtest.simulation.many.totals import Totals
from etf_backtest.typing import FloatArray

ENGINES: tuple[EngineName, ...] = ("numpy", "numba")


def course(generator: np.random.Generator, sessions: int, width: int, rate: float) -> Course:
    """A random walk, with some symbols that never move, and random rows of fills."""
    steps = generator.normal(0, 0.02, (sessions, width)) * (generator.random(width) > 0.2)
    count = int(generator.integers(0, sessions - 1))
    fills = np.sort(generator.choice(sessions - 1, count, replace=False))
    growth = 1 + generator.uniform(0, 1e-3, sessions - 1)
    return course_of(np.exp(np.cumsum(steps, axis=0)), growth, fills, rate=rate)


def weights(generator: np.random.Generator, *shape: int) -> FloatArray:
    """Weights with many zeros, sums from 0 to 1, and some of 1."""
    raw = generator.random(shape) * (generator.random(shape) > 0.4)
    total = np.maximum(raw.sum(axis=-1, keepdims=True), 1e-300)
    scale = generator.choice([0.0, 0.5, 1.0, 1.0], (*shape[:-1], 1))
    scaled: FloatArray = raw / total * scale
    return scaled


def both(
    course: Course, targets: FloatArray, *, curves: bool
) -> tuple[list[Totals], list[FloatArray]]:
    totals, paths = [], []
    for engine in ENGINES:
        path = np.empty((course.sessions, len(targets)))
        totals.append(run_with(engine, course, targets, path if curves else None))
        paths.append(path)
    return totals, paths


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 2**32 - 1),
    sessions=st.integers(2, 200),
    width=st.integers(1, 12),
    count=st.sampled_from([1, 2, 31, 32, 33, 70, 200]),
    rate=st.sampled_from([0.0, 7e-4, 0.2]),
    fixed=st.booleans(),
    curves=st.booleans(),
)
def test_both_agree(
    seed: int, sessions: int, width: int, count: int, rate: float, fixed: bool, curves: bool
) -> None:
    generator = np.random.default_rng(seed)
    market = course(generator, sessions, width, rate)
    targets = weights(generator, count, 1 if fixed else market.fills.size, width)
    totals, paths = both(market, targets, curves=curves)
    for field in fields(Totals):
        one, other = (getattr(found, field.name) for found in totals)
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-13, err_msg=field.name)
    if curves:
        np.testing.assert_allclose(paths[0], paths[1], rtol=1e-12)
        np.testing.assert_array_equal(paths[0][0], 1.0)
        np.testing.assert_allclose(paths[0].sum(axis=0), totals[0].values, rtol=1e-12)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_portfolio_does_not_depend_on_its_neighbours(engine: EngineName) -> None:
    """To the rounding of sums; alone it stands in another lane, and another product of BLAS."""
    generator = np.random.default_rng(4)
    market = course(generator, 300, 7, 7e-4)
    targets = weights(generator, 1500, market.fills.size, 7)
    together = run_with(engine, market, targets)
    for number in (0, 31, 32, 767, 1499):
        alone = run_with(engine, market, targets[number : number + 1])
        for field in fields(Totals):
            expected = getattr(alone, field.name)[0]
            found = getattr(together, field.name)[number]
            assert found == pytest.approx(expected, rel=1e-12, abs=1e-13)


@pytest.mark.parametrize("engine", ENGINES)
def test_sales_alone_leave_cash(engine: EngineName) -> None:
    """A hair above the smallest order of C is sold, and nothing is bought: the proceeds are cash.

    Targets are 1/2 - 0.6e-9 twice and 1.2e-9 of C, and then 1/2, 1/2 and 0: only C is an order.
    """
    market = course_of(np.ones((3, 3)), np.ones(2), np.array([0, 1]), rate=0.01)
    hair = 1.2e-9
    targets = np.array([[[0.5 - hair / 2, 0.5 - hair / 2, hair], [0.5, 0.5, 0.0]]])
    path = np.empty((3, 1))
    run_with(engine, market, targets, path)
    expected = [1.0, (1 - 0.01 * hair) / 1.01, (1 - 0.01 * hair) / 1.01]
    np.testing.assert_allclose(path[:, 0], expected, rtol=5e-16)


@pytest.mark.parametrize("engine", ENGINES)
def test_what_is_sold_leaves_no_dust(engine: EngineName) -> None:
    """All but the last symbol is sold, and then worth 1e13 times as much: nobody has any.

    The last one and cash do not move: all values after the sale are the same.
    """
    generator = np.random.default_rng(2)
    prices = np.exp(generator.normal(0, 0.05, (8, 6)))
    prices[4:] = prices[3]
    prices[5:, :5] *= 1e13
    market = course_of(prices, np.ones(7), np.array([0, 3]), rate=7e-4)
    targets = np.zeros((70, 2, 6))
    targets[:, 0] = generator.dirichlet(np.ones(6), 70)
    targets[:, 1, 5] = 1 / 3
    path = np.empty((8, 70))
    run_with(engine, market, targets, path)
    np.testing.assert_allclose(path[4:], np.broadcast_to(path[3], (4, 70)), rtol=4e-16)


@pytest.mark.parametrize("engine", ENGINES)
def test_rounding_is_not_cash_that_earns_interest(engine: EngineName) -> None:
    """All is invested and all prices move alike: there is no order after the first, and no cash.

    Cash would grow tenfold a session. What is bought is 1 / 1.1 after costs of 10 %.
    """
    generator = np.random.default_rng(3)
    level = np.exp(generator.normal(0, 0.05, 13))
    prices = np.repeat(level[:, np.newaxis], 6, axis=1)
    market = course_of(prices, np.full(12, 10.0), np.arange(12), rate=0.1)
    targets = generator.dirichlet(np.ones(6), (70, 1))
    path = np.empty((13, 70))
    run_with(engine, market, targets / targets.sum(axis=-1, keepdims=True), path)
    expected = np.repeat(level[1:, np.newaxis] / level[0] / 1.1, 70, axis=1)
    np.testing.assert_allclose(path[1:], expected, rtol=1e-14)


@pytest.mark.parametrize("engine", ENGINES)
def test_cash_does_not_move(engine: EngineName) -> None:
    """Sold to the last share, and bought again later: in between each value is the same float."""
    generator = np.random.default_rng(8)
    steps = generator.normal(0, 0.02, (60, 3))
    market = course_of(np.exp(steps.cumsum(axis=0)), np.ones(59), np.arange(0, 59, 5), rate=7e-4)
    targets = weights(generator, 70, market.fills.size, 3)
    targets[:, 4:8] = 0.0  # filled on the rows 20 to 35
    path = np.empty((60, 70))
    run_with(engine, market, targets, path)
    assert (path[20:40] == path[20]).all()


@pytest.mark.parametrize("engine", ENGINES)
def test_targets_are_for_the_symbols_and_fills_of_the_course(engine: EngineName) -> None:
    """Machine code does not notice by itself: it would read what stands beside them."""
    market = course_of(np.ones((6, 2)), np.ones(5), np.array([0, 1, 2]), rate=0.0)
    for shape in ((4, 1, 3), (4, 1, 1), (4, 2, 2), (4, 4, 2)):
        with pytest.raises(AssertionError):
            run_with(engine, market, np.zeros(shape))


def test_numba_is_used_for_what_is_worth_it() -> None:
    assert engine_for(10 * 252) == ("numpy", None)
    assert engine_for(1000 * 5040) == ("numba", None)
    assert machine().run is not None


PROBE = """
import sys
import etf_backtest.simulation.many as many
assert "numba" not in sys.modules and "pandas" not in sys.modules
{before}
from etf_backtest.simulation.many.engine import engine_for
print(engine_for(10**9))
"""


def probe(before: str = "", **environment: str) -> str:
    """What another process says."""
    return subprocess.run(
        [sys.executable, "-c", PROBE.format(before=before)],
        env={**os.environ, **environment},
        check=True,
        capture_output=True,
        text=True,
    ).stdout


def test_without_numba_it_is_numpy() -> None:
    assert probe("sys.modules['numba'] = None") == "('numpy', None)\n"


def test_numba_that_is_switched_off_is_told() -> None:
    assert "NUMBA_DISABLE_JIT" in probe(NUMBA_DISABLE_JIT="1")


def test_numba_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    """A module in its place that refuses as numba does where NumPy is too new for it."""
    refusal = "raise ImportError('Numba needs NumPy 2.3 or less. Got NumPy 2.4.')"
    (tmp_path / "numba.py").write_text(refusal)
    said = probe(PYTHONPATH=str(tmp_path))
    assert "numba is installed but cannot be used, NumPy is: Numba needs NumPy 2.3" in said


def test_machine_code_is_kept_where_there_is_room(tmp_path: Path) -> None:
    """Compiled once, loaded from then on; Python's own caches do not matter.

    What this process has compiled or loaded is there for the next one, and so it is in the folder
    that NUMBA_CACHE_DIR names: nothing is compiled anew, which takes five seconds.
    """
    here: Any = machine().run
    kept = Path(here.stats.cache_path)
    assert len(here.stats.cache_misses) + len(here.stats.cache_hits) == 1
    assert list(kept.glob("compiled._run_portfolios*.nbc"))
    locator: Any = _CacheLocator
    named = tmp_path / locator.get_suitable_cache_subpath(compiled.__file__)
    shutil.copytree(kept, named, ignore=lambda _, names: [n for n in names if ".nb" not in n])
    shown = "import etf_backtest.simulation.many.compiled as c; s = c.run_portfolios.stats; "
    shown += "print(s.cache_path, len(s.cache_hits), len(s.cache_misses))"
    for place, options in ((kept, {}), (named, {"NUMBA_CACHE_DIR": str(tmp_path)})):
        said = probe(shown, PYTHONDONTWRITEBYTECODE="1", **options)
        assert said.startswith(f"{place} 1 0\n")
