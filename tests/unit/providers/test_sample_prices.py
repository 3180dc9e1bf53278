"""The bundled prices are what their provenance says."""

from __future__ import annotations

import numpy as np

from etf_backtest.market import PriceBasis
from etf_backtest.providers.sample_prices import SAMPLE_SYMBOLS, SamplePrices, sample_panel
from tests.unit.providers.reading import bars, findings


def test_sample_is_what_its_provenance_says() -> None:
    """2,264 sessions of 5 ETFs from 2014-01-02 to 2022-12-28, adjusted closes and nothing else."""
    read = list(SamplePrices().batches())
    found = bars(read)
    assert len(found) == 5 * 2264
    assert {bar["symbol"] for bar in found} == set(SAMPLE_SYMBOLS)
    assert {len(bar) for bar in found} == {4}
    assert (found[0]["date"], found[-1]["date"]) == ("2014-01-02", "2022-12-28")
    assert not findings(read)


def test_sample_panel_has_them_all() -> None:
    panel = sample_panel()
    assert panel.symbols == SAMPLE_SYMBOLS
    assert panel.prices.shape == (2264, 5)
    assert not np.isnan(panel.prices).any()
    assert set(panel.basis) == {PriceBasis.ADJUSTED_CLOSE}
    # the first line of the file
    assert panel.prices[0].tolist() == [52.704, 48.351, 48.986, 29.338, 47.054]
