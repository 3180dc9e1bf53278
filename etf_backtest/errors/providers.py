"""Sources of prices that are asked over the network: what they answer, and what they do not."""

from __future__ import annotations

import math
from collections.abc import Sequence

from etf_backtest.errors.base import EtfBacktestError
from etf_backtest.errors.wording import joined


class ProviderError(EtfBacktestError):
    """A provider gave no usable prices of a symbol; nothing of that symbol was stored.

    `transient` says whether the same question may be answered a little later.
    """

    transient = False

    def __init__(self, symbol: str, message: str, *, remedy: str | None = None) -> None:
        super().__init__(f"{symbol}: {message}", remedy=remedy)
        self.symbol = symbol


class RateLimitedError(ProviderError):
    """The provider was asked too often."""

    transient = True

    def __init__(
        self, symbol: str, *, provider: str, status: int, retry_after: float | None = None
    ) -> None:
        asks = "" if retry_after is None else f" and asks for {math.ceil(retry_after):,} seconds"
        super().__init__(
            symbol,
            f"{provider} takes no more requests for now (HTTP {status}){asks}",
            remedy="wait, then fetch again with fewer symbols; what was stored is kept",
        )
        self.status = status
        self.retry_after = retry_after


class ProviderUnavailableError(ProviderError):
    """No answer, half an answer, or the server's own failure."""

    transient = True

    def __init__(
        self, symbol: str, *, provider: str, reason: str, status: int | None = None
    ) -> None:
        super().__init__(
            symbol,
            f"{provider} {reason}",
            remedy="look at your connection and at the provider's web site, then fetch again",
        )
        self.reason = reason
        self.status = status


class RefusedError(ProviderError):
    """The provider answers and does not want to answer this."""

    def __init__(self, symbol: str, *, provider: str, status: int, reason: str) -> None:
        super().__init__(
            symbol,
            f"{provider} refused the request (HTTP {status}): {reason}",
            remedy="a newer yfinance may know what it wants now: pip install --upgrade yfinance",
        )
        self.status = status
        self.reason = reason


class MalformedAnswerError(ProviderError):
    """An answer that is not what the provider's answers look like."""

    def __init__(self, symbol: str, *, provider: str, reason: str, transient: bool = False) -> None:
        super().__init__(
            symbol,
            f"the answer of {provider} {reason}",
            remedy="fetch again later; nothing of this symbol was stored",
        )
        self.transient = transient
        self.reason = reason


class SymbolNotFoundError(ProviderError):
    """The provider does not know the symbol, or no longer."""

    def __init__(self, symbol: str, *, provider: str, reason: str) -> None:
        super().__init__(
            symbol,
            f"{provider} does not have it: {reason}",
            remedy="look for the provider's own spelling of the symbol (BRK-B, VWRL.L, ^GSPC)",
        )
        self.reason = reason


class NoSessionsError(ProviderError):
    """The provider knows the symbol and has no prices in the window that was asked for."""

    def __init__(self, symbol: str, *, provider: str, window: str, reason: str) -> None:
        super().__init__(
            symbol,
            f"{provider} has no prices {window}: {reason}",
            remedy="ask for an earlier start",
        )
        self.reason = reason


class ProviderCacheError(ProviderError):
    """What a provider's library keeps between runs cannot be used."""

    def __init__(self, symbol: str, *, provider: str, folder: str, reason: str) -> None:
        super().__init__(
            symbol,
            f"what is kept of {provider} in {folder} cannot be used: {reason}",
            remedy="remove that folder and fetch again; it holds no prices",
        )
        self.folder = folder
        self.reason = reason


class FetchStoppedError(ProviderError):
    """Whoever asked for the prices did not want to wait any longer."""

    def __init__(self, symbol: str) -> None:
        super().__init__(symbol, "stopped before it was fetched", remedy="fetch it again")


class RejectedBarsError(ProviderError):
    """Some of the provider's rows cannot be stored; a history with holes is not stored either."""

    def __init__(self, symbol: str, *, provider: str, problems: Sequence[str]) -> None:
        count = len(problems)
        super().__init__(
            symbol,
            f"{provider} has {count:,} row{'s'[: count != 1]} that cannot be stored: "
            f"{joined(problems)}",
            remedy="fetch again later, choose another window, or import a file",
        )
        self.problems = tuple(problems)
