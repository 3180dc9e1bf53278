"""What a strategy from outside can get wrong: one clear error, with its name and the date."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest

from etf_backtest.errors import AllocationError, InvalidParametersError
from etf_backtest.market import PricePanel
from etf_backtest.strategies import EqualWeight, Strategy, check_strategy
from etf_backtest.strategies.weights import as_weights
from tests.unit.strategies.samples import walk

WHEN = "that mine decided on 2024-01-31"


def received(asked: object) -> list[float]:
    weights: list[float] = as_weights(asked, ("A", "B"), when=WHEN).tolist()
    return weights


@pytest.mark.parametrize(
    "asked",
    [
        np.array([0.3, 0.7]),
        [0.3, 0.7],
        (0.3, Decimal("0.7")),
        {"B": 0.7, "A": 0.3},
        {"B": 0.7, "A": Decimal("0.3")},
        pd.Series({"B": 0.7, "A": 0.3}),
        pd.Series({"B": 0.7, "A": 0.3}, dtype="Float64"),
        np.ma.array([0.3, 0.7]),
    ],
)
def test_weights_in_order_and_by_name(asked: object) -> None:
    assert received(asked) == [0.3, 0.7]


def test_what_is_left_out_has_no_weight() -> None:
    assert received({"B": 0.7}) == [0.0, 0.7]
    assert received({}) == [0.0, 0.0]
    assert received(np.array([True, False])) == [1.0, 0.0]


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ("half", "expected 2 weights {}, received 'half'"),
        (["0.3", "0.7"], "expected 2 weights {}, received ['0.3', '0.7']"),
        (["a", 0.7], "expected 2 weights {}, received ['a', 0.7]"),
        (None, "expected 2 weights {}, received None"),
        ([0.3, None], "expected 2 weights {}, received [0.3, None]"),
        ({0.3}, "expected 2 weights {}, received {{0.3}}"),
        ((w for w in (0.3, 0.7)), "expected 2 weights {}, received <generator object"),
        ([[0.3], [0.3, 0.7]], "expected 2 weights {}, received [[0.3], [0.3, 0.7]]"),
        ([0.3, [0.7]], "expected 2 weights {}, received [0.3, [0.7]]"),
        ([0.3, 0.7j], "expected 2 weights {}, received [0.3, 0.7j]"),
        (np.array([0.3, 0.7j], dtype=object), "expected 2 weights {}, received array([0.3, 0.7j]"),
        (pd.bdate_range("2024-01-01", periods=2), "expected 2 weights {}, received DatetimeIndex"),
        ([10**400, 0], "expected 2 weights {}, received [1000"),
        (
            np.ma.array([0.3, 0.7], mask=[False, True]),
            "some of the weights {} are masked: masked_array(",
        ),
        ({"A": np.ma.masked}, "some of the weights {} are masked: "),
        ([0.3, 0.3, 0.4], "expected 2 weights {}, received the shape (3,)"),
        (0.3, "expected 2 weights {}, received the shape ()"),
        ({"A": 0.3, "C": 0.7}, "the weights {} are for 'C', which is not among its symbols A, B"),
        (pd.Series([0.3, 0.7]), "the weights {} are for 0, which is not among its symbols A, B"),
        (pd.Series([0.3, 0.7], index=["A", "A"]), "the weights {} name A twice"),
        (pd.Series({"A": 0.3, "B": pd.NA}), "expected 2 weights {}, received A 0.3 B <NA>"),
        (
            pd.DataFrame({"A": [0.3], "B": [0.7]}),
            "expected 2 weights {}, received the shape (2, 1)",
        ),
        (pd.DataFrame({0: [0.3], 1: [0.7]}), "the weights {} are for 0, which is not among"),
    ],
)
def test_what_are_no_weights(asked: object, message: str) -> None:
    with pytest.raises(AllocationError) as caught:
        received(asked)
    assert str(caught.value).startswith(message.format(WHEN))
    assert "\n" not in str(caught.value)
    assert len(caught.value.message) < 220


class Mine(Strategy):
    name = "mine"
    symbols = ("A", "B")

    def __init__(self, answer: Callable[[PricePanel], Any] = lambda _: [0.5, 0.5]) -> None:
        self._answer = answer

    def target_weights(self, history: PricePanel) -> Any:
        return self._answer(history)


def test_the_error_names_the_strategy_and_the_date() -> None:
    panel = walk(0, 10, ("A", "B"))
    with pytest.raises(
        AllocationError, match=r"2 weights that mine decided on 2021-01-05, received 'a'"
    ):
        Mine(lambda _: "a").targets(panel, np.array([2]))


def test_what_is_a_strategy() -> None:
    for strategy in (Mine(), EqualWeight(["A"])):
        assert check_strategy(strategy) is strategy
    mine = Mine()
    mine.symbols, mine.history_sessions = ["A", "B"], np.int64(3)  # type: ignore[assignment]
    assert check_strategy(mine) is mine


def changed(**attributes: object) -> Strategy:
    mine = Mine()
    for name, value in attributes.items():
        setattr(mine, name, value)
    return mine


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"name": 5}, "name: expected a text of one line, received 5"),
        ({"name": " "}, "name: expected a text of one line, received ' '"),
        ({"name": "a\nb"}, r"name: expected a text of one line, received 'a\nb'"),
        ({"symbols": None}, "symbols: expected a tuple of different symbols, received None"),
        ({"symbols": "AB"}, "symbols: expected a tuple of different symbols, received 'AB'"),
        ({"symbols": {"A"}}, "symbols: expected a tuple of different symbols, received {'A'}"),
        ({"symbols": ()}, "symbols: expected different symbols, received ()"),
        ({"symbols": ("A", "A")}, "symbols: expected different symbols, received ('A', 'A')"),
        ({"symbols": (1,)}, "symbols: expected different symbols, received (1,)"),
        ({"symbols": (["A"],)}, "symbols: expected different symbols, received (['A'],)"),
        ({"rebalance": "hourly"}, "rebalance: expected one of never, daily, weekly, monthly, "),
        *(
            (
                {"history_sessions": span},
                f"history_sessions: expected 1 or more, or None for all, received {span!r}",
            )
            for span in (0, -5, 2.5, "x", True)
        ),
        ({"parameters": {"a": 1}}, "parameters: expected a ValidatedModel, received {'a': 1}"),
        ({"allocations": [1]}, "allocations: expected a mapping, received [1]"),
    ],
)
def test_attributes_that_no_strategy_has(attributes: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidParametersError) as caught:
        check_strategy(changed(**attributes))
    assert str(caught.value).startswith(f"Mine: {message}")


def test_what_is_missing_is_named_all_at_once() -> None:
    class Nothing(Strategy):
        def target_weights(self, history: PricePanel) -> Any:
            return history

    with pytest.raises(
        InvalidParametersError,
        match=r"^Nothing: name: expected a text of one line, received none; "
        r"symbols: expected a tuple of different symbols, received none$",
    ):
        check_strategy(Nothing())


def test_it_must_be_asked_for_as_much_as_it_is_given() -> None:
    class Hasty(Mine):
        history_sessions = 5

        @property
        def needed_sessions(self) -> int:
            return 2

    with pytest.raises(InvalidParametersError, match="needed_sessions: expected 5 or more, rec"):
        check_strategy(Hasty())


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (None, "many: strategy: expected a Strategy, received NoneType: BuyAndHold({'SPY': 1.0})"),
        ({"A": 1.0}, "many: strategy: expected a Strategy, received dict: BuyAndHold({'SPY'"),
        (Mine, "many: strategy: expected a Strategy, received ABCMeta: Mine is a class, build one"),
    ],
)
def test_what_is_no_strategy_at_all(given: object, message: str) -> None:
    with pytest.raises(InvalidParametersError) as caught:
        check_strategy(given, owner="many")
    assert str(caught.value).startswith(message)
