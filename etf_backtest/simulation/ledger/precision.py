"""How many digits the books have."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Context, Decimal

DIGITS = 34
"""Of every operation, as in IEEE 754 decimal128."""
CONTEXT = Context(prec=DIGITS, rounding=ROUND_HALF_EVEN)

NOTHING = Decimal("1e-9")
"""Of the money: a smaller gap is no order. Of a lot: so little less is still a whole one."""

ZERO, ONE = Decimal(0), Decimal(1)
YEAR_OF_INTEREST = Decimal(365)
CALENDAR_YEAR = Decimal("365.25")

CENT = Decimal("0.01")
SHARE = Decimal("0.000001")
"""Fractions of a share in a broker's books; several of them keep six decimals."""


@dataclass(frozen=True, slots=True)
class Precision:
    """Whether money and shares are booked as they are, or as a broker's statement shows them."""

    cents: bool = False

    def money(self, amount: Decimal) -> Decimal:
        """An amount that changes hands, to the cent, half to even."""
        return amount.quantize(CENT, ROUND_HALF_EVEN) if self.cents else amount

    def shares(self, count: Decimal) -> Decimal:
        """A number of shares, to six decimals, half to even."""
        return count.quantize(SHARE, ROUND_HALF_EVEN) if self.cents else count
