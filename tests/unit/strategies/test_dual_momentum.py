import numpy as np
import pytest

from etf_backtest.errors import InvalidParametersError
from etf_backtest.strategies import DualMomentum
from tests.unit.strategies.samples import panel_of

# over two sessions A gains 10 %, B 30 %, C 20 %, BIL 2 %
SYMBOLS = ("A", "B", "C", "BIL")
RISING = panel_of(
    np.array([[100.0, 10.0, 50.0, 50.0], [1.0, 1.0, 1.0, 1.0], [110.0, 13.0, 60.0, 51.0]]), SYMBOLS
)
# A gains 1 %, B loses 10 %, C gains 2 % as BIL does
FALLING = panel_of(
    np.array([[100.0, 10.0, 50.0, 50.0], [1.0, 1.0, 1.0, 1.0], [101.0, 9.0, 51.0, 51.0]]), SYMBOLS
)


def test_the_best_are_held_while_they_beat_the_safe_one() -> None:
    two = DualMomentum(["A", "B", "C"], safe="BIL", look_back=2, top_n=2)
    assert two.symbols == SYMBOLS
    assert two.target_weights(RISING).tolist() == [0.0, 0.5, 0.5, 0.0]
    # C is the best and returned 2 %, no more than BIL; A returned less
    assert two.target_weights(FALLING).tolist() == [0.0, 0.0, 0.0, 1.0]


def test_each_pick_is_compared_for_itself() -> None:
    history = panel_of(np.array([[100.0, 10.0, 50.0], [103.0, 10.1, 51.0]]), ("A", "B", "S"))
    weights = DualMomentum(["A", "B"], safe="S", look_back=1, top_n=2).target_weights(history)
    assert weights.tolist() == [0.5, 0.0, 0.5]


def test_without_a_safe_one_what_did_not_rise_is_cash() -> None:
    three = DualMomentum(["A", "B", "C"], look_back=2, top_n=3)
    weights = three.target_weights(FALLING.select(["A", "B", "C"]))
    assert weights.tolist() == [1 / 3, 0.0, 1 / 3]
    still = panel_of(np.ones((3, 3)), ("A", "B", "C"))  # 0 is not more than 0
    assert three.target_weights(still).tolist() == [0.0, 0.0, 0.0]


def test_the_safe_one_is_not_ranked_wherever_it_stands() -> None:
    first = DualMomentum(["BIL", "A", "B", "C"], safe="BIL", look_back=2)
    assert first.symbols == ("BIL", "A", "B", "C")
    panel = RISING.select(first.symbols)
    assert first.target_weights(panel).tolist() == [0.0, 0.0, 1.0, 0.0]
    stored = DualMomentum.from_stored({"safe": "BIL", "look_back": 2}, {"A": 0.5, "B": 0.5})
    assert stored.symbols == ("A", "B", "BIL")


@pytest.mark.parametrize("symbols", [("B", "C", "A"), ("C", "A", "B")])
def test_equal_returns_are_ranked_by_symbol(symbols: tuple[str, ...]) -> None:
    panel = panel_of(np.array([[1.0, 1.0, 1.0], [2.0, 2.0, 2.0]]), symbols)
    weights = DualMomentum(symbols, look_back=1, top_n=2).target_weights(panel)
    assert dict(zip(symbols, weights.tolist(), strict=True)) == {"A": 0.5, "B": 0.5, "C": 0.0}


def test_bounds() -> None:
    with pytest.raises(InvalidParametersError, match="top_n: expected at most 1, the number of"):
        DualMomentum(["A", "S"], safe="S", top_n=2)
    with pytest.raises(InvalidParametersError, match="expected different symbols"):
        DualMomentum(["S"], safe="S")
    with pytest.raises(InvalidParametersError, match="look_back: input should be greater"):
        DualMomentum(["A"], look_back=0)
    with pytest.raises(InvalidParametersError, match="safe: string should have at least 1"):
        DualMomentum(["A"], safe="")
