"""Every registered strategy is proven not to look ahead, and cheats are found out."""

import datetime as dt
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etf_backtest.errors import AllocationError, InvalidParametersError, LookAheadError
from etf_backtest.market import PricePanel
from etf_backtest.market.quotes import Quotes
from etf_backtest.simulation import simulate
from etf_backtest.strategies import STRATEGIES, Momentum, Strategy, prove_no_lookahead
from etf_backtest.typing import FloatArray, IndexArray
from tests.unit.strategies.samples import SAMPLES, SYMBOLS, panel_of, walk

seeds = st.integers(0, 2**32 - 1)


def test_every_registered_strategy_is_drawn() -> None:
    assert set(SAMPLES) == set(STRATEGIES)
    for name, samples in SAMPLES.items():
        assert {sample().name for sample in samples} == {name}


OPTIMIZED = ("minimum_variance", "maximum_sharpe")
QUICK = [sample for name, samples in SAMPLES.items() if name not in OPTIMIZED for sample in samples]
SLOW = [sample for name in OPTIMIZED for sample in SAMPLES[name]]


@settings(deadline=None, max_examples=150)
@given(seeds, st.sampled_from(QUICK), st.sampled_from((None, "daily", "weekly")))
def test_no_registered_strategy_looks_ahead(seed: int, sample: object, when: object) -> None:
    strategy = sample()  # type: ignore[operator]
    panel = walk(seed)
    proof = prove_no_lookahead(strategy, panel, cuts=6, seed=seed, rebalance=when)  # type: ignore[arg-type]
    assert len(proof.cuts) == 6
    built = prove_no_lookahead(lambda _: sample(), panel, cuts=2, seed=seed)  # type: ignore[operator]
    assert built.comparisons > built.decisions > 0


@settings(deadline=None, max_examples=6)
@given(seeds, st.sampled_from(SLOW))
def test_no_optimized_strategy_looks_ahead(seed: int, sample: object) -> None:
    prove_no_lookahead(sample(), walk(seed, 60), cuts=3, seed=seed)  # type: ignore[operator]


@settings(deadline=None, max_examples=100)
@given(seeds, st.sampled_from(QUICK), st.integers(2, 89))
def test_cutting_the_data_changes_no_earlier_decision(seed: int, sample: object, cut: int) -> None:
    # the same without prove_no_lookahead: rows from the cut on are removed, or are others
    strategy: Strategy = sample()  # type: ignore[operator]
    panel, ends = walk(seed), np.arange(1, cut + 1)
    expected = strategy.targets(panel, ends)
    np.testing.assert_array_equal(strategy.targets(panel.rows(0, cut), ends), expected)
    other = panel.prices.copy()
    other[cut:] = walk(seed + 1).prices[cut:]
    np.testing.assert_array_equal(strategy.targets(panel.with_prices(other), ends), expected)


def only(column: int, symbols: tuple[str, ...]) -> FloatArray:
    weights = np.zeros(len(symbols))
    weights[column] = 1.0
    return weights


class Cheat(Strategy):
    """Holds what will have risen most at the end of the prices that it was given when built."""

    name = "cheat"

    def __init__(self, panel: PricePanel) -> None:
        self.symbols = panel.symbols
        self._winner = int((panel.prices[-1] / panel.prices[0]).argmax())

    def target_weights(self, history: PricePanel) -> FloatArray:
        return only(self._winner, self.symbols)


def test_a_strategy_that_was_fitted_to_all_the_prices_is_found_out() -> None:
    # A doubles in the end, but until row 80 B is ahead
    prices = np.ones((100, 2)) + np.arange(100)[:, np.newaxis] * [0.0, 0.001]
    prices[80:, 0] = 2.0
    panel = panel_of(prices, ("A", "B"))
    with pytest.raises(LookAheadError, match="a decision may follow from the history up") as caught:
        prove_no_lookahead(Cheat, panel)
    assert caught.value.symbol == "A"
    assert caught.value.date < dt.date(2021, 4, 26)  # row 80
    assert caught.value.weights == (1.0, 0.0)
    assert str(caught.value).startswith(
        f"cheat decides on {caught.value.date} that the weight of A is 1.0 with all prices, but "
        f"0.0 without the prices after {caught.value.date} (a decision may follow from the history"
    )
    # an instance carries what it has seen: this is what a function is for
    prove_no_lookahead(Cheat(panel), panel)


class Chooser(Strategy):
    """Trades the two symbols that rose most in all the prices it was built with, in equal parts."""

    name = "chooser"
    looks_at_prices = False

    def __init__(self, panel: PricePanel) -> None:
        best = np.argsort(-panel.prices[-1] / panel.prices[0])[:2]
        self.symbols = tuple(panel.symbols[column] for column in best)

    def target_weights(self, history: PricePanel) -> FloatArray:
        return np.full(2, 0.5)


def test_symbols_that_were_chosen_with_hindsight_are_found_out() -> None:
    with pytest.raises(LookAheadError, match="with all prices, but"):
        prove_no_lookahead(Chooser, walk(11))


class Moody(Strategy):
    """Remembers how often it was asked."""

    name = "moody"

    def __init__(self) -> None:
        self.symbols = SYMBOLS
        self._asked = 0

    def target_weights(self, history: PricePanel) -> FloatArray:
        self._asked += 1
        return np.full(len(SYMBOLS), 0.25 / (self._asked % 7 + 1))


def test_a_strategy_that_keeps_state_is_found_out() -> None:
    with pytest.raises(LookAheadError, match=r"asked again in another order \(compute weights fr"):
        prove_no_lookahead(Moody(), walk(0))


class Peeping(Momentum):
    """Takes a later row in its shortcut for many decisions."""

    def targets(self, history: PricePanel, ends: IndexArray) -> FloatArray:
        later = np.minimum(np.asarray(ends) + 1, history.dates.size)
        return super().targets(history, later)


def test_a_shortcut_that_looks_ahead_is_found_out() -> None:
    peeping = Peeping(SYMBOLS, look_back=3, skip=0)
    with pytest.raises(LookAheadError, match="targets must answer what target_weights does"):
        prove_no_lookahead(peeping, walk(0))


class Burglar(Strategy):
    """Looks for prices behind the ones that it was handed, as far back as NumPy leads."""

    name = "burglar"
    history_sessions = 5
    rebalance = "daily"

    def __init__(self) -> None:
        self.symbols = SYMBOLS

    def target_weights(self, history: PricePanel) -> FloatArray:
        behind = history.prices
        while isinstance(behind.base, np.ndarray):
            behind = behind.base
        return only(int((behind[-1] / behind[0]).argmax()), SYMBOLS)


class Honest(Burglar):
    """Decides in the same way on what it was handed."""

    name = "honest"

    def target_weights(self, history: PricePanel) -> FloatArray:
        return only(int((history.prices[-1] / history.prices[0]).argmax()), SYMBOLS)


def test_there_is_nothing_behind_the_history() -> None:
    panel = walk(3)
    burgled, honest = simulate(panel, Burglar()), simulate(panel, Honest())
    np.testing.assert_array_equal(burgled.book.equity, honest.book.equity)
    prove_no_lookahead(Burglar(), panel)
    # behind would be one winner at all times, that of the whole panel
    held = honest.weights.iloc[10:].idxmax(axis=1)
    assert {str(symbol) for symbol in held} == set(SYMBOLS)


class Closes(Strategy):
    """Decides on closes, which a panel from bars has beside its prices."""

    name = "closes"
    history_sessions = 4

    def __init__(self, symbols: tuple[str, ...]) -> None:
        self.symbols = symbols

    def target_weights(self, history: PricePanel) -> FloatArray:
        assert history.quotes is not None
        rise = history.quotes.closes[-1] / history.quotes.closes[0]
        return only(int(rise.argmax()), self.symbols)


def test_closes_of_the_future_are_changed_too() -> None:
    panel = walk(8)
    nothing = np.zeros(panel.prices.shape)
    quotes = Quotes(panel.prices * 2, nothing, nothing + 1)
    whole = PricePanel(panel.dates, panel.symbols, panel.prices, panel.basis, quotes)
    prove_no_lookahead(Closes(SYMBOLS), whole)

    def fitted(prices: PricePanel) -> Strategy:
        assert prices.quotes is not None
        rise = prices.quotes.closes[-1] / prices.quotes.closes[0]
        return Closes(tuple(s for s, r in zip(SYMBOLS, rise, strict=True) if r > np.median(rise)))

    with pytest.raises(LookAheadError):
        prove_no_lookahead(fitted, whole)


def test_symbols_that_begin_and_end_at_other_times() -> None:
    panel = walk(5, 120)
    prices = panel.prices.copy()
    prices[:20, 0] = prices[100:, 1] = np.nan
    proof = prove_no_lookahead(Momentum(SYMBOLS, look_back=5, skip=1), panel.with_prices(prices))
    assert min(proof.cuts) >= panel.dates[26].astype(dt.date)
    assert max(proof.cuts) < panel.dates[99].astype(dt.date)


def test_what_the_proof_says() -> None:
    proof = prove_no_lookahead(Momentum(SYMBOLS, look_back=5, skip=0), walk(0), cuts=3)
    # five month ends in 90 sessions from 2021-01-04 (January to April; the last row, 7 May, is
    # none), and the three cuts
    assert proof.decisions == 7
    assert str(proof).startswith("Momentum(C, A, D, B) does not look ahead: ")
    assert proof == prove_no_lookahead(Momentum(SYMBOLS, look_back=5, skip=0), walk(0), cuts=3)


def test_what_cannot_be_proven() -> None:
    with pytest.raises(InvalidParametersError, match="expected more than the 274 sessions that mo"):
        prove_no_lookahead(Momentum(SYMBOLS), walk(0))
    with pytest.raises(InvalidParametersError, match="cuts: expected 1 or more, received 0"):
        prove_no_lookahead(Momentum(SYMBOLS, look_back=2), walk(0), cuts=0)
    with pytest.raises(InvalidParametersError, match="expected a Strategy, received str: "):
        prove_no_lookahead(lambda _: "momentum", walk(0))  # type: ignore[arg-type, return-value]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"cuts": "x"}, "cuts: expected 1 or more, received 'x'"),
        ({"cuts": 1.5}, "cuts: expected 1 or more, received 1.5"),
        ({"cuts": True}, "cuts: expected 1 or more, received True"),
        ({"seed": -1}, "seed: expected a whole number of 0 or more, received -1"),
        ({"seed": "x"}, "seed: expected a whole number of 0 or more, received 'x'"),
        ({"rebalance": "x"}, "rebalance: expected one of never, daily, .*, received 'x'"),
        ({"rebalance": []}, r"rebalance: expected one of never, daily, .*, received \[\]"),
        ({"strategy": None}, "strategy: expected a Strategy, or a function .*, received None"),
        ({"panel": None}, "panel: expected a PricePanel, received NoneType"),
    ],
)
def test_arguments_of_the_wrong_kind(arguments: dict[str, Any], message: str) -> None:
    whole: dict[str, Any] = {"strategy": Momentum(SYMBOLS, look_back=2), "panel": walk(0)}
    whole |= arguments
    strategy, panel = whole.pop("strategy"), whole.pop("panel")
    with pytest.raises(InvalidParametersError, match=rf"^prove_no_lookahead: {message}"):
        prove_no_lookahead(strategy, panel, **whole)


@pytest.mark.parametrize("weight", [np.nan, -0.1, np.inf])
def test_weights_that_no_portfolio_has_are_no_proof(weight: float) -> None:
    class Constant(Honest):
        name = "constant"

        def target_weights(self, history: PricePanel) -> FloatArray:
            return np.array([0.5, weight, 0.0, 0.0])

    with pytest.raises(
        AllocationError, match=rf"the weight of A that constant decided on 2021-01-.* is {weight}"
    ):
        prove_no_lookahead(Constant(), walk(0))


def test_absurd_prices_change_no_decision_either() -> None:
    prices = 10.0 ** np.random.default_rng(0).uniform(-300, 300, (90, 4))
    for sample in QUICK:
        prove_no_lookahead(sample(), panel_of(prices), cuts=4)
