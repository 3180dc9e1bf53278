"""Why metrics are undefined: a mapping that nobody can change, and that can be pickled."""

from __future__ import annotations

from etf_backtest.frozen_mapping import FrozenMapping


class Reasons(FrozenMapping[str, str]):
    """Names of undefined metrics and the reason for each, in the order of the metrics."""

    __slots__ = ()
