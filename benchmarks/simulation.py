"""Simulations beside bt, vectorbt and a plain NumPy loop, all in one run on this machine.

    python -m benchmarks.simulation [--vectorbt 100]

20 years of synthetic daily prices; monthly back to the targets, with 5 basis points of commission
and 2 of slippage. Each measurement has a process of its own; times are medians (and the best), and
memory is the highest of that process, imports and prices included. All return the mean final value,
which must be the same to 1e-3: nobody is compared with somebody who did other work.
"""

from __future__ import annotations

import argparse
import compileall
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec

from benchmarks.alone import ROOT, Measured, load, measure, seconds_in_python
from benchmarks.contestants import synthetic

SAME = 1e-3
"""How far final values may be apart: costs are paid by different rules."""
WITHOUT_NUMBA = ("numba",)
PORTFOLIOS = (125, 250, 500, 1000, 2000)
SESSIONS = (1260, 2520, 5040, 10080)
BT_PORTFOLIOS = 3

FIRST_RUN = """
import datetime, etf_backtest as eb
days = [datetime.date(2024, 1, 1) + datetime.timedelta(n) for n in range(500)]
prices = [[100.0 + n % 7, 100.0 + n % 5] for n in range(500)]
panel = eb.PricePanel(days, ("A", "B"), prices, ("total_return",) * 2)
eb.simulate(panel, eb.FixedWeights({"A": 0.6, "B": 0.4}), eb.Rules(rebalance="monthly"))
"""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a table."""

    name: str
    milliseconds: float
    best: float | None = None
    megabytes: float | None = None
    remark: str = ""


def show(title: str, lines: Sequence[Line]) -> None:
    """Print a table; `x first` says how often the first line fits into each."""
    print(f"\n{title}\n{'':40}{'ms':>11}{'best':>11}{'x first':>9}{'MB':>8}")
    for line in lines:
        times = line.milliseconds / lines[0].milliseconds
        best = "" if line.best is None else f"{line.best:,.2f}"
        memory = "" if line.megabytes is None else f"{line.megabytes:,.0f}"
        columns = f"{line.name:40}{line.milliseconds:>11,.2f}{best:>11}{times:>9,.1f}{memory:>8}"
        print(f"{columns}  {line.remark}".rstrip(), flush=True)


def line(name: str, took: Measured, *, scale: float = 1, remark: str = "") -> Line:
    """A measurement as a line; `scale` says how often it would have to be done."""
    best = took.best * 1000 * scale
    return Line(name, took.seconds * 1000 * scale, best, took.megabytes, remark)


def check_same(answers: Sequence[float]) -> None:
    """Stop where contestants did not do the same."""
    apart = max(answers) / min(answers) - 1
    if apart > SAME:
        raise SystemExit(f"the mean final values are {apart:.1e} apart: {answers}")


def one_portfolio() -> None:
    """A fixed-weight portfolio."""
    took = {
        "etf_backtest, simulation": measure("ours:held"),
        "etf_backtest, all metrics, a benchmark": measure("ours:measured"),
        "NumPy loop, curve": measure("by_numpy:held", 1),
        "NumPy loop, with 3 metrics": measure("by_numpy:measured", 1),
        "vectorbt, curve": measure("by_vectorbt:held", 1),
        "vectorbt, with 3 metrics": measure("by_vectorbt:measured", 1),
        "bt, with its statistics": measure("by_bt:fixed_weights", 1),
    }
    check_same([each.answer for each in took.values()])
    show(
        f"One fixed-weight portfolio of {synthetic.ETFS} ETFs, {synthetic.SESSIONS:,} sessions",
        [line(name, each) for name, each in took.items()],
    )


def many_portfolios(in_vectorbt: int) -> None:
    """1,000 portfolios; slow peers do fewer, and are scaled."""
    numpy_alone = measure("ours:many", 1000, hide=WITHOUT_NUMBA)
    fast = measure("ours:many", 1000)
    loop = measure("by_numpy:measured", 1000)
    check_same([numpy_alone.answer, fast.answer, loop.answer])
    vectorbt = measure("by_vectorbt:measured", in_vectorbt)
    bt = measure("by_bt:fixed_weights", BT_PORTFOLIOS)
    check_same([vectorbt.answer, measure("by_numpy:held", in_vectorbt).answer])
    check_same([bt.answer, measure("by_numpy:held", BT_PORTFOLIOS).answer])
    show(
        "1,000 such portfolios: final value, Sharpe ratio, drawdown",
        [
            line("etf_backtest, numba", fast, remark=f"first call {fast.first * 1000:,.0f} ms"),
            line("etf_backtest, NumPy alone", numpy_alone),
            line("NumPy loop, all portfolios at once", loop),
            line(
                "vectorbt",
                vectorbt,
                scale=1000 / in_vectorbt,
                remark=f"{in_vectorbt:,} measured (MB, too), time scaled",
            ),
            line(
                "bt",
                bt,
                scale=1000 / BT_PORTFOLIOS,
                remark=f"{BT_PORTFOLIOS} measured (MB, too), time scaled",
            ),
        ],
    )


def momentum_sweep() -> None:
    """1,000 points of momentum over 50 ETFs, signals included."""
    point = (252, 21, 5, 50)
    one, vectorbt = measure("ours:momentum", *point), measure("by_vectorbt:momentum", *point)
    check_same([one.answer, vectorbt.answer])
    fast, numpy_alone = measure("ours:sweep", 50), measure("ours:sweep", 50, hide=WITHOUT_NUMBA)
    check_same([fast.answer, numpy_alone.answer])
    show(
        "1,000 points of momentum over 50 ETFs, signals included",
        [
            line("etf_backtest, numba", fast),
            line("etf_backtest, NumPy alone", numpy_alone),
            line("etf_backtest, simulate, one point", one),
            line("vectorbt, one point", vectorbt),
        ],
    )


def growth() -> None:
    """Whether time grows as work does; `x linear` compares with the line before."""
    by_portfolios = [(count, synthetic.SESSIONS) for count in PORTFOLIOS]
    by_sessions = [(1000, sessions) for sessions in SESSIONS]
    for engine, hide in (("numba", ()), ("NumPy alone", WITHOUT_NUMBA)):
        for title, sizes in (("portfolios", by_portfolios), ("sessions", by_sessions)):
            print(f"\nGrowth with {title}, {engine}")
            print(f"{'portfolios':>12}{'sessions':>12}{'best ms':>11}{'x linear':>10}")
            before = None
            for count, sessions in sizes:
                took = measure("ours:many", count, sessions, hide=hide, patience=1.5)
                rate = took.best / count / sessions
                columns = f"{count:>12,}{sessions:>12,}{took.best * 1000:>11,.1f}"
                print(columns + ("" if before is None else f"{rate / before:>10.2f}"), flush=True)
                before = rate


def imports() -> None:
    """What a fresh process waits for."""
    compileall.compile_dir(ROOT / "etf_backtest", quiet=1)
    show(
        "Imports, in a fresh process",
        [
            Line("import etf_backtest", seconds_in_python("import etf_backtest") * 1000),
            Line("... and a first eb.simulate", seconds_in_python(FIRST_RUN) * 1000),
            Line("import numpy", seconds_in_python("import numpy") * 1000),
            Line("import pandas", seconds_in_python("import pandas") * 1000),
            Line("import bt", seconds_in_python("import bt") * 1000),
            Line("import vectorbt", seconds_in_python("import vectorbt") * 1000),
        ],
    )


def main(*, in_vectorbt: int) -> None:
    """Measure everything and print it."""
    if find_spec("numba") is None:
        raise SystemExit("numba is not installed: pip install 'etf-backtest[fast]'")
    print(f"{load()} before")
    one_portfolio()
    many_portfolios(in_vectorbt)
    momentum_sweep()
    growth()
    imports()
    print(f"\n{load()} after")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--vectorbt", type=int, default=100, help="portfolios it is given at once")
    main(in_vectorbt=parser.parse_args().vectorbt)
