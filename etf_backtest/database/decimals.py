"""Where floating point becomes money: rounding half to even to the scale of a column."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal


def rounded(value: Decimal, *, scale: int) -> Decimal:
    """`value` with `scale` decimals, half to even."""
    return value.quantize(Decimal(1).scaleb(-scale), rounding=ROUND_HALF_EVEN)


def to_column(value: float, *, precision: int, scale: int) -> Decimal | None:
    """`value` for a column Decimal(precision, scale), or None where it does not fit.

    Parameters
    ----------
    value : float
        Finite; its shortest decimal form (repr) is what is rounded.
    precision, scale : int
        Digits in all and digits after the point, as in schema.prisma.
    """
    limit = Decimal(10) ** (precision - scale)
    exact = Decimal(repr(value))
    # first, because more digits than a decimal context holds cannot be rounded
    if abs(exact) >= limit:
        return None
    decimal = rounded(exact, scale=scale)
    return decimal if abs(decimal) < limit else None
