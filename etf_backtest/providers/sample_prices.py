"""The prices that come with the package: five factor ETFs, 2014-01-02 to 2022-12-28.

Adjusted closes, for testing and example purposes only; `sample/PROVENANCE.md` tells where they are
from and under which licence.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import as_file, files

from etf_backtest.market import PricePanel, PriceSeries
from etf_backtest.market.quality import histories
from etf_backtest.providers.price_files import open_prices
from etf_backtest.providers.source import PriceBatch

SAMPLE_FILE = "factor_etfs_2014_2022.csv"
SAMPLE_SYMBOLS = ("MTUM", "QUAL", "SIZE", "USMV", "VLUE")


@dataclass(frozen=True, slots=True)
class SamplePrices:
    """Adjusted closes of MTUM, QUAL, SIZE, USMV and VLUE (a `PriceSource`): 2,264 sessions each."""

    name: str = "sample"
    split_adjusted: bool | None = None

    def batches(self) -> Iterator[PriceBatch]:
        """Yield all of them."""
        with as_file(files("etf_backtest.providers") / "sample" / SAMPLE_FILE) as path:
            opened = open_prices([path], wide_field="adjusted_close", source=self.name)
            for source in opened.sources:
                yield from source.batches()


def sample_panel() -> PricePanel:
    """The bundled prices as a panel, without a database: 2,264 sessions, 5 symbols."""
    bars = (batch.bars for batch in SamplePrices().batches())
    return PricePanel.from_series(
        [
            PriceSeries.from_adjusted_closes(each.symbol, each.dates, each.adjusted_close)
            for each in histories(bars)
        ]
    )
