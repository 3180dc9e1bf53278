"""What trading costs."""

from __future__ import annotations

from pydantic import Field

from etf_backtest.validated import ValidatedModel

BASIS_POINT = 1e-4


class Costs(ValidatedModel):
    """Costs of an order, paid from cash at its fill; frozen and validated.

    An order of n shares with the notional v = n * close pays the commission
    ``max(commission_min, commission_fixed + commission_bps / 10,000 * v + commission_per_share *
    n)`` and loses ``slippage_bps / 10,000 * v`` to a worse price: buys are filled above the close,
    sales below.

    Raises
    ------
    InvalidParametersError
        A value is negative, not finite or absurd.
    """

    commission_bps: float = Field(
        0.0, ge=0, le=1000, description="Commission, basis points of the notional at the close."
    )
    commission_fixed: float = Field(
        0.0, ge=0, le=1e6, description="Commission of an order, currency."
    )
    commission_min: float = Field(
        0.0, ge=0, le=1e6, description="Lowest commission of an order, currency."
    )
    commission_per_share: float = Field(
        0.0, ge=0, le=1e3, description="Commission of a share, currency."
    )
    slippage_bps: float = Field(
        0.0, ge=0, le=1000, description="Worse price than the close, basis points: buys up."
    )

    @property
    def proportional(self) -> bool:
        """Whether costs are the same fraction of every notional, whatever its size and price."""
        return not (self.commission_fixed or self.commission_min or self.commission_per_share)

    @property
    def rate(self) -> float:
        """Proportional costs as a fraction of the notional: commission and slippage."""
        return (self.commission_bps + self.slippage_bps) * BASIS_POINT
