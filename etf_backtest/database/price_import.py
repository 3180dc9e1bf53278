"""Prices into the store: one COPY, one transaction, and only rows that differ are written.

Bars are turned into the server's binary format in a thread while the server takes the ones before.
They go to a temporary table first, so whoever reads or writes prices waits for nobody who parses a
file. The lock that makes one writer of prices at a time is held while they are merged.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from etf_backtest.database import packed_prices, price_merge
from etf_backtest.database.direct import direct_connection
from etf_backtest.database.price_binary import COLUMNS, HEADER, TRAILER, TimeOrderedIds, binary_rows
from etf_backtest.database.price_order import RowOrder
from etf_backtest.errors.prices import (
    ContradictoryPricesError,
    PricesLockedError,
    PricesNotStoredError,
    PricesTwiceError,
)
from etf_backtest.market.bar import PRICE_FIELDS
from etf_backtest.market.quality import Finding, Level
from etf_backtest.typing import JsonObject

if TYPE_CHECKING:
    import asyncpg

    from etf_backtest.database.url import DatabaseUrl
    from etf_backtest.market.bars import Bars

LOCK_SECONDS: Final = 60
_CHUNK = 16_384
"""Rows that are put into the server's format at once: a few megabytes."""
_WAITING = 4
"""Chunks that may wait for the server."""


@dataclass(frozen=True, slots=True)
class StoreReport:
    """What an import did to the store.

    Attributes
    ----------
    inserted, updated, unchanged : int
        Rows.
    revision : int, optional
        The number of the revision that it made; None where nothing had changed.
    contradictory : tuple of Finding
        Rows that were left out because they contradict what is stored of the same session.
    """

    inserted: int
    updated: int
    unchanged: int
    revision: int | None = None
    contradictory: tuple[Finding, ...] = ()


@asynccontextmanager
async def open_import(
    url: DatabaseUrl,
    *,
    source: str,
    provider: str | None = None,
    split_adjusted: bool | None = None,
    details: JsonObject | None = None,
    lock_seconds: float = LOCK_SECONDS,
) -> AsyncIterator[PriceImport]:
    """One transaction that stores prices: with `finish` all of them, otherwise none.

    Parameters
    ----------
    url : DatabaseUrl
        The database, with all migrations applied.
    source : str
        Kept with each row that is inserted or changed and with the revision; at most 50 characters.
    provider : str, optional
        Kept with the revision; at most 50 characters.
    split_adjusted : bool, optional
        Whether closes and dividends are divided by later splits; None: not said.
    details : dict, optional
        Kept with the revision: files, options.
    lock_seconds : float
        How long to wait at the end for another writer of prices.

    Raises
    ------
    PricesNotStoredError
        The server cannot be reached or went away, or has no room.
    """
    async with _explained_connection(url) as connection:
        with _explained(url):
            transaction = connection.transaction(isolation="read_committed")
            await transaction.start()
            await connection.execute(price_merge.STAGING)
        importing = PriceImport(
            connection,
            url,
            source=source,
            provider=provider,
            split_adjusted=split_adjusted,
            details=details or {},
            lock_seconds=lock_seconds,
        )
        try:
            yield importing
        except BaseException:
            await importing._abandon()
            raise
        if importing._report is None:
            await importing._abandon()
            return
        with _explained(url):
            await transaction.commit()


class PriceImport:
    """An import under way; made by `open_import`."""

    def __init__(
        self,
        connection: asyncpg.Connection[asyncpg.Record],
        url: DatabaseUrl,
        *,
        source: str,
        provider: str | None,
        split_adjusted: bool | None,
        details: JsonObject,
        lock_seconds: float,
    ) -> None:
        self._connection = connection
        self._url = url
        self._about = (source, provider, split_adjusted, json.dumps(details))
        self._origin = (source, split_adjusted)
        self._lock_seconds = lock_seconds
        self._origins: dict[tuple[str, bool | None], int] = {}
        self._ids = TimeOrderedIds()
        self._order = RowOrder()
        self._chunks: asyncio.Queue[bytes | None] = asyncio.Queue(_WAITING)
        self._copying: asyncio.Task[None] | None = None
        self._report: StoreReport | None = None
        self.rows = 0
        """Rows that were added so far."""

    async def add(
        self, bars: Bars, *, source: str | None = None, split_adjusted: bool | None = None
    ) -> None:
        """Send rows to the server; nobody sees them before the import has finished.

        Parameters
        ----------
        bars : Bars
            Checked, with no (symbol, date) that was added before.
        source : str, optional
            Whose rows they are, with its `split_adjusted`; by default the import's own.

        Raises
        ------
        PricesNotStoredError
            The server went away, or has no room.
        """
        if self._report is not None:
            raise RuntimeError("the import has finished")
        if not len(bars):
            return
        if self._copying is None:
            self._copying = asyncio.create_task(self._copy())
        origin = self._origin if source is None else (source, split_adjusted)
        number = self._origins.setdefault(origin, len(self._origins))
        self._order.follow(bars)
        for first in range(0, len(bars), _CHUNK):
            rows = np.arange(first, min(first + _CHUNK, len(bars)))
            part = bars if rows.size == len(bars) else bars.take(rows)
            await self._send(await asyncio.to_thread(binary_rows, part, self._ids, origin=number))
        self.rows += len(bars)

    async def finish(self, *, skip_contradictory: bool = False) -> StoreReport:
        """Merge what was added into the store, and note where it came from.

        Parameters
        ----------
        skip_contradictory : bool
            Leave out rows that break a rule of the table once they are merged with what is stored
            of the same session, and report them, instead of storing nothing at all.

        Raises
        ------
        ContradictoryPricesError
            A row breaks a rule of the table, by itself or together with what is stored.
        PricesTwiceError
            A session of a symbol was added twice.
        PricesLockedError
            Somebody else has been writing prices for `lock_seconds`.
        PricesNotStoredError
            The server went away, or has no room.
        """
        from asyncpg import LockNotAvailableError

        if self._report is not None:
            raise RuntimeError("the import has finished")
        if self._copying is None:
            self._report = StoreReport(0, 0, 0)
            return self._report
        await self._send(None)
        with _explained(self._url):
            await self._copying
            try:
                self._report = await self._merge(skip_contradictory=skip_contradictory)
            except (
                LockNotAvailableError
            ) as error:  # SELECT FOR UPDATE: rows without the prices' lock
                raise PricesLockedError(self._lock_seconds) from error
        return self._report

    async def _merge(self, *, skip_contradictory: bool) -> StoreReport:
        do = self._connection
        await do.execute(price_merge.MEMORY)
        await do.copy_records_to_table(
            "staged_origins",
            records=[(number, *origin) for origin, number in self._origins.items()],
        )
        if self._order.may_repeat and (twice := await do.fetchrow(price_merge.TWICE)) is not None:
            raise PricesTwiceError(*twice)
        await self._lock()
        symbols = list(self._order.last)
        known = await do.fetchval(price_merge.STORED_SYMBOLS, symbols)
        updated, contradictory = 0, tuple[Finding, ...]()
        if known:
            await do.execute(price_merge.MERGE, known, *self._order.span)
            if skip_contradictory:
                rows = await do.fetch(price_merge.REMOVE_CONTRADICTORY)
                contradictory = tuple(_contradiction(row) for row in rows)
            new, changed = await do.fetchrow(price_merge.COUNT_MERGED) or (0, 0)
            if changed > price_merge.MANY:
                await do.execute(price_merge.NO_LOOPS)
            inserted = _count(await do.execute(price_merge.INSERT_NEW)) if new else 0
            updated = _count(await do.execute(price_merge.UPDATE)) if changed else 0
        else:
            order = "" if self._order.ascending else price_merge.IN_ORDER
            inserted = _count(await do.execute(price_merge.INSERT_ALL + order))
        unchanged = self.rows - inserted - updated - len(contradictory)
        if not inserted and not updated:
            return StoreReport(0, 0, unchanged, None, contradictory)
        revision = await do.fetchval(price_merge.COMPLETE_REVISION, *self._about)
        if revision is None:  # prices without one are in no state, and are not found
            raise PricesNotStoredError(
                "market_data does not keep its revisions: its triggers are missing or disabled",
                remedy="use a database made by migrate deploy, which db push does not replace",
            )
        await do.execute(packed_prices.PACK, await do.fetchval(price_merge.TOUCHED))
        return StoreReport(inserted, updated, unchanged, revision, contradictory)

    async def _lock(self) -> None:
        from asyncpg import LockNotAvailableError

        milliseconds = str(max(1, round(self._lock_seconds * 1000)))
        await self._connection.execute(price_merge.LOCK_TIMEOUT, milliseconds)
        try:
            await self._connection.execute(price_merge.LOCK)
        except LockNotAvailableError as error:
            raise PricesLockedError(
                self._lock_seconds, holder=await _lock_holder(self._url)
            ) from error

    async def _copy(self) -> None:
        await self._connection.copy_to_table(
            "staged_prices", source=self._stream(), format="binary", columns=COLUMNS
        )

    async def _stream(self) -> AsyncIterator[bytes]:
        yield HEADER
        while (chunk := await self._chunks.get()) is not None:
            yield chunk
        yield TRAILER

    async def _send(self, chunk: bytes | None) -> None:
        """Hand a chunk to the COPY, unless that has failed already."""
        assert self._copying is not None  # noqa: S101  # add() has begun it
        putting = asyncio.ensure_future(self._chunks.put(chunk))
        try:
            await asyncio.wait({putting, self._copying}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            if not putting.done():
                putting.cancel()
        if self._copying.done():
            with _explained(self._url):
                await self._copying

    async def _abandon(self) -> None:
        """End the transaction: the server takes everything back when the connection is gone."""
        if self._copying is not None and not self._copying.done():
            self._copying.cancel()
            with suppress(BaseException):
                await self._copying
        self._connection.terminate()


@asynccontextmanager
async def _explained_connection(
    url: DatabaseUrl,
) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
    opening = direct_connection(url)
    with _explained(url):
        connection = await opening.__aenter__()
    try:
        yield connection
    finally:
        if not connection.is_closed():
            await connection.close()


@contextmanager
def _explained(url: DatabaseUrl) -> Iterator[None]:
    """Say what the server's errors mean for the import."""
    import asyncpg

    try:
        yield
    except asyncpg.CheckViolationError as error:
        raise ContradictoryPricesError(
            error.constraint_name or "of market_data", row=_failing_row(error.detail)
        ) from error
    except asyncpg.ReadOnlySQLTransactionError as error:
        raise PricesNotStoredError(
            f"the server {url.server} is read-only (a standby or default_transaction_read_only)",
            remedy="import on the primary",
        ) from error
    except (asyncpg.InsufficientResourcesError, asyncpg.PostgresIOError) as error:
        raise PricesNotStoredError(
            f"the server {url.server} has no room: {error}",
            remedy="make room there, and import again",
        ) from error
    except (
        OSError,
        asyncpg.InterfaceError,
        asyncpg.PostgresConnectionError,
        asyncpg.OperatorInterventionError,
    ) as error:
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise PricesNotStoredError(
            f"the connection to {url.server} was lost: {reason}",
            remedy="import again when the server is back",
        ) from error


async def _lock_holder(url: DatabaseUrl) -> str | None:
    """Who is writing prices, as far as we may know."""
    async with direct_connection(url) as connection:
        row = await connection.fetchrow(price_merge.HOLDER)
    if row is None:
        return None
    name = f" ({row['application_name']})" if row["application_name"] else ""
    user, since = row["usename"] or "somebody", row["xact_start"]
    return f"{user}{name}, process {row['pid']}" + (
        f", in a transaction since {since:%Y-%m-%d %H:%M:%S %Z}" if since else ""
    )


def _contradiction(row: asyncpg.Record) -> Finding:
    known = ", ".join(f"{name} {row[name]}" for name in PRICE_FIELDS[:4] if row[name] is not None)
    return Finding(
        rule="contradicts_stored",
        level=Level.REJECT,
        message=f"with what is stored of the session it would be {known}, "
        "expected low <= open, close <= high",
        symbol=row["symbol"],
        date=row["date"],
    )


def _failing_row(detail: str | None) -> str | None:
    """Symbol, date and prices of PostgreSQL's "Failing row contains (id, symbol, date, ...)"."""
    _, _, row = (detail or "").partition("(")
    values = row.split(", ")
    if len(values) < 8:
        return None
    prices = zip(PRICE_FIELDS, values[3:8], strict=True)
    known = ", ".join(f"{name} {value}" for name, value in prices if value != "null")
    return f"{values[1]}, {values[2]}: {known}"


def _count(status: str) -> int:
    """The rows of a command's tag: INSERT 0 5, UPDATE 5."""
    return int(status.rpartition(" ")[2])
