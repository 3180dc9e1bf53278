"""What every source of prices has in common: batches of bars, and what was wrong with the rest."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from etf_backtest.market.bars import Bars
from etf_backtest.market.frozen import FrozenArrays
from etf_backtest.market.quality import Finding
from etf_backtest.typing import FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class PriceBatch(FrozenArrays):
    """Some rows of a source.

    Attributes
    ----------
    bars : Bars
        What could be read. Whether it is believable is checked later (`market.quality`).
    findings : tuple of Finding
        A reject for each row that could not be read (with its text), and warnings. A row is in
        `bars` or has a reject here, never both and never neither.
    split_adjusted : ndarray of float64, shape (rows,), optional
        Whether the close of each of `bars` is divided by later splits: 1, or 0 as traded, or NaN
        where not said. None: all as the source says it.
    """

    bars: Bars
    findings: tuple[Finding, ...] = ()
    split_adjusted: FloatArray | None = None


class PriceSource(Protocol):
    """A source of prices: a file, a folder, a frame, a vendor.

    Nothing is read before `batches()` is iterated over, and no more than a batch is held at once.
    """

    @property
    def name(self) -> str:
        """Kept with each row as its source: at most 50 characters."""
        ...

    @property
    def split_adjusted(self) -> bool | None:
        """Whether its closes are divided by later splits; None where nobody has said it of all."""
        ...

    def batches(self) -> Iterator[PriceBatch]:
        """Yield everything, in order.

        Raises
        ------
        EtfBacktestError
            The source cannot be read on: whoever stores its batches has to take them all back.
        """
        ...
