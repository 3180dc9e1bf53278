"""Errors come out of a worker process as they were raised there."""

import copy
import datetime as dt
import importlib
import inspect
import multiprocessing
import pickle
import pkgutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import etf_backtest
from etf_backtest import errors
from etf_backtest.errors import CostsError, EtfBacktestError, NodeMissingError

DAY = dt.date(2024, 1, 31)
NUMBERS = {"port", "exit_code", "count", "value", "money", "total", "retry_after", "backtests"}
OTHER: dict[str, Any] = {
    "path": Path("prices.csv"),
    "manifest": Path("kept.json"),
    "start": Path("somewhere"),
    "root": Path("somewhere"),
    "cluster": Path("cluster"),
    "first": DAY,
    "last": DAY,
    "date": DAY,
    "symbols": ["VTI", "BND"],
    "known": ["VTI", "BND"],
    "problems": ["lag: expected more"],
    "last_lines": ["one", "two"],
    "weights": (0.5, 0.6),
    "how": ("with all prices", "without later ones"),
}


def every_class() -> Iterator[type[EtfBacktestError]]:
    for room in ("strategies", "simulation", "market", "metrics"):
        package = importlib.import_module(f"etf_backtest.{room}")
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            importlib.import_module(module.name)
    kinds = [EtfBacktestError]
    while kinds:
        kind = kinds.pop()
        yield kind
        kinds += [sub for sub in kind.__subclasses__() if sub.__module__.startswith("etf_backtest")]


def an_error(kind: type[EtfBacktestError]) -> EtfBacktestError:
    given: dict[str, Any] = {}
    for name, parameter in inspect.signature(kind).parameters.items():
        if parameter.default is parameter.empty or name in OTHER:
            given[name] = 7 if name in NUMBERS else OTHER.get(name, f"the {name}")
    return kind(**given)


EVERY_CLASS = sorted(set(every_class()), key=str)


@pytest.mark.parametrize("kind", EVERY_CLASS)
def test_each_class_can_be_pickled(kind: type[EtfBacktestError]) -> None:
    error = an_error(kind)
    error.add_note("in the third of ten runs")
    for back in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):
        assert type(back) is kind
        assert str(back) == str(error)
        assert back.args == error.args
        assert back.__dict__ == error.__dict__


def test_no_class_was_forgotten() -> None:
    named = {getattr(errors, name) for name in errors.__all__}
    named = {kind for kind in named if issubclass(kind, BaseException)}
    assert named <= set(EVERY_CLASS)
    assert etf_backtest.errors is errors
    assert isinstance(pickle.loads(pickle.dumps(NodeMissingError())), FileNotFoundError)


def raise_costs_error(money: float) -> None:
    raise CostsError(date=DAY, money=money)


def test_a_worker_process_hands_its_error_over() -> None:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        pending = pool.apply_async(raise_costs_error, (12.5,))
        with pytest.raises(
            CostsError, match=r"on 2024-01-31 .* the 12\.50 that there are"
        ) as raised:
            pending.get(timeout=60)
    assert raised.value.money == 12.5
    assert raised.value.date == DAY
