"""The queue of pending backtests, in the database."""

from __future__ import annotations

from collections.abc import Sequence

from etf_backtest.errors.base import EtfBacktestError


class QueueLibraryMissingError(EtfBacktestError):
    """The library of the queue is not installed on this machine."""

    def __init__(self) -> None:
        super().__init__(
            "procrastinate, which runs queued backtests, is not installed here",
            remedy="pip install 'etf-backtest[worker]'",
        )


class QueueNewerError(EtfBacktestError):
    """A newer library than this machine's has been at the queue's tables."""

    def __init__(self, schema: str, version: str, unknown: Sequence[str]) -> None:
        super().__init__(
            f"the queue in the schema {schema} is newer than this machine's procrastinate "
            f"{version}, which does not know {', '.join(unknown)}; nothing was changed",
            remedy="update it: pip install --upgrade 'etf-backtest[worker]'",
        )
        self.schema = schema
        self.version = version
        self.unknown = tuple(unknown)


class QueueRightError(EtfBacktestError):
    """The role may not install or update the queue; nothing was changed."""

    def __init__(self, schema: str, reason: str, *, remedy: str) -> None:
        super().__init__(
            f"the queue cannot be installed in the schema {schema}: {reason}", remedy=remedy
        )
        self.schema = schema


class QueueSchemaError(EtfBacktestError):
    """The schema that the queue belongs into holds something else."""

    def __init__(self, schema: str, holds: str, *, remedy: str) -> None:
        super().__init__(
            f"the queue cannot be installed in the schema {schema}: it {holds}", remedy=remedy
        )
        self.schema = schema


class QueueMissingError(EtfBacktestError):
    """The database has no queue, or one that this machine cannot work on."""

    def __init__(self, schema: str) -> None:
        super().__init__(
            f"the database has no queue (schema {schema})",
            remedy="install it: etf-backtest migrate deploy",
        )
        self.schema = schema
