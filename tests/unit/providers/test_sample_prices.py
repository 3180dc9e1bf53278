"""The bundled prices are what their provenance says."""

from __future__ import annotations

from etf_backtest.providers.sample_prices import SAMPLE_SYMBOLS, SamplePrices
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
