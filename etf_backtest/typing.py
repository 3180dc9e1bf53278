"""Names for the types that the pure rooms pass to each other."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

FloatArray: TypeAlias = NDArray[np.float64]
BoolArray: TypeAlias = NDArray[np.bool_]
IndexArray: TypeAlias = NDArray[np.intp]
DateArray: TypeAlias = NDArray[np.datetime64]
"""Exchange sessions, datetime64[D]."""

DateLike: TypeAlias = dt.date | np.datetime64 | str
"""One session; a string is ISO 8601, "2024-01-31"."""

JsonValue: TypeAlias = (
    str | int | float | bool | Sequence["JsonValue"] | Mapping[str, "JsonValue"] | None
)
JsonObject: TypeAlias = dict[str, JsonValue]
