"""When a portfolio is taken back to its targets."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, TypeAlias, get_args

from pydantic import BeforeValidator, Field

from etf_backtest.market.periods import Period
from etf_backtest.validated import ValidatedModel

_BANDS = re.compile(r"bands\((?P<arguments>[^()]*)\)")


class Bands(ValidatedModel):
    """Rebalance when a weight has drifted too far from its target; frozen and validated.

    Checked at each session's close, for each symbol, strictly: abs(weight - target) > absolute, or
    > relative * target. Both may be given (G. Daryanani, "Opportunistic Rebalancing", Journal of
    Financial Planning 21 (2008), 48-61, uses the relative one).

    Raises
    ------
    InvalidParametersError
        Neither is given, or one is out of bounds.
    """

    absolute: float | None = Field(
        None, gt=0, le=1, description="Fraction of the value: 0.05 is five percentage points."
    )
    relative: float | None = Field(
        None, gt=0, le=10, description="Fraction of the target: 0.25 of 0.40 is 0.10."
    )

    def contradictions(self) -> Iterator[str]:
        """At least one band."""
        if self.absolute is None and self.relative is None:
            yield "expected absolute, relative or both"


class Rebalancing(ValidatedModel):
    """When targets are decided: by the calendar, by bands, with new money, or all of them.

    Raises
    ------
    InvalidParametersError
        Naming what is out of bounds.
    """

    period: Period = Field(
        "never", description="On the first session, then on the last session of each period."
    )
    offset: int = Field(0, ge=0, le=252, description="Sessions after the end of the period.")
    bands: Bands | None = Field(None, description="Also when a weight has left its band.")
    cashflow: bool = Field(
        False, description="New money buys only what is underweight, withdrawals sell overweight."
    )

    def contradictions(self) -> Iterator[str]:
        """An offset counts from the end of a period."""
        if self.offset and self.period in ("never", "daily"):
            yield f"offset: {self.period} has no end of a period to count from"

    def __str__(self) -> str:
        parts: list[str] = (
            [] if self.period == "never" and (self.bands or self.cashflow) else [self.period]
        )
        if self.offset:
            parts = [f"{self.period} + {self.offset} sessions"]
        if self.bands is not None:
            limits = self.bands.model_dump(exclude_none=True)
            parts.append(f"bands({', '.join(f'{key}={limits[key]:g}' for key in limits)})")
        if self.cashflow:
            parts.append("cashflow")
        return ", ".join(parts)


def as_rebalancing(value: object) -> object:
    """Rebalancing from what people write.

    A period ("monthly"), "cashflow", "bands(absolute=0.05)", Bands, Rebalancing, their JSON form,
    or several of these in a list or tuple.

    Raises
    ------
    ValueError
        A part is none of these, or a part is given twice.
    """
    if value is None or isinstance(value, Rebalancing):
        return value
    if isinstance(value, Mapping):
        return Rebalancing.model_validate(dict(value))
    parts = value if isinstance(value, list | tuple) else (value,)
    merged: dict[str, object] = {}
    for part in parts:
        for key, setting in _fields(part).items():
            if key in merged:
                raise ValueError(f"{key} is given twice")
            merged[key] = setting
    return Rebalancing.model_validate(merged)


def _fields(part: object) -> dict[str, object]:
    if isinstance(part, Bands):
        return {"bands": part}
    if isinstance(part, Rebalancing):
        return part.model_dump(exclude_defaults=True)
    if isinstance(part, str):
        if part in get_args(Period):
            return {"period": part}
        if part == "cashflow":
            return {"cashflow": True}
        if match := _BANDS.fullmatch(part.strip()):
            pairs = (item.partition("=") for item in match["arguments"].split(",") if item.strip())
            return {"bands": {name.strip(): limit.strip() for name, _, limit in pairs}}
    raise ValueError(
        f"expected {', '.join(get_args(Period))}, cashflow, bands(absolute=..., relative=...), "
        "or several of these"
    )


AnyRebalancing: TypeAlias = Annotated[Rebalancing, BeforeValidator(as_rebalancing)]
"""Rebalancing, or what `as_rebalancing` takes; for fields of parameter models."""
