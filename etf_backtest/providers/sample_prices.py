"""The prices that come with the package: five factor ETFs, 2014-01-02 to 2022-12-28.

Adjusted closes, for testing and example purposes only; `sample/PROVENANCE.md` tells where they are
from and under which licence.
"""

from __future__ import annotations

from importlib.resources import as_file, files

from etf_backtest.providers.csv_file import PriceFile, read_prices

SAMPLE_FILE = "factor_etfs_2014_2022.csv"
SAMPLE_SOURCE = "sample"
SAMPLE_SYMBOLS = ("MTUM", "QUAL", "SIZE", "USMV", "VLUE")


def read_sample_prices() -> PriceFile:
    """The bundled adjusted closes of MTUM, QUAL, SIZE, USMV and VLUE: 2,264 sessions each."""
    with as_file(files("etf_backtest.providers") / "sample" / SAMPLE_FILE) as path:
        return read_prices(path, wide_field="adjusted_close")
