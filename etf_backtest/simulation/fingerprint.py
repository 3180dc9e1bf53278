"""What tells one run from any other, and with what it was computed."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Mapping

import numpy as np

from etf_backtest.typing import JsonObject
from etf_backtest.version import VERSION


def fingerprint_of(inputs: Mapping[str, object]) -> str:
    """SHA-256, in hexadecimal, of the inputs as JSON with sorted keys and no blanks.

    Floats are written in their shortest form that reads back as the same float64.
    """
    text = json.dumps(inputs, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def versions() -> JsonObject:
    """Of what takes part in the arithmetic; sums may differ in their last bit between them."""
    return {
        "etf_backtest": VERSION,
        "numpy": np.__version__,
        "python": platform.python_version(),
        "machine": platform.machine(),
    }
