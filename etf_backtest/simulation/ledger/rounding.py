"""What booking to the cent does to a run."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from etf_backtest.simulation.ledger.precision import ZERO

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True, repr=False)
class RoundingDifference:
    """Value in a broker's books less the exact value, on each session that both runs have.

    Attributes
    ----------
    dates : tuple of date
    amounts : tuple of Decimal
        Currency.
    fractions : tuple of Decimal
        Of the exact value; 0 where that is 0.
    """

    dates: tuple[dt.date, ...]
    amounts: tuple[Decimal, ...]
    fractions: tuple[Decimal, ...]

    def __repr__(self) -> str:
        return f"RoundingDifference(worst {self.worst:.4f} of {len(self.dates)} sessions)"

    @property
    def worst(self) -> Decimal:
        """The amount that is farthest from 0, currency."""
        return max(self.amounts, key=abs, default=ZERO)

    @property
    def worst_fraction(self) -> Decimal:
        """The fraction that is farthest from 0."""
        return max(self.fractions, key=abs, default=ZERO)

    @property
    def series(self) -> pd.Series[float]:
        """The amounts as floats, by session."""
        import pandas as pd  # late: importing it costs more than a run

        index = pd.DatetimeIndex(list(self.dates), name="date")
        amounts = [float(amount) for amount in self.amounts]
        return pd.Series(amounts, index=index, name="rounding_difference")
