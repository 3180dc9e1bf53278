"""What prices were before: the revisions of a symbol, and the store as it was known."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from etf_backtest.database.price_history import (
    Change,
    KnownState,
    Revision,
    StoredThen,
    changes_of,
    first_revision,
    revisions_of,
    state_at,
    state_before,
    stored_then,
)
from etf_backtest.database.price_store import coverage
from etf_backtest.errors import NoPricesError, NotFoundError
from etf_backtest.services.price_panel import IMPORT_REMEDY
from etf_backtest.services.written import meant
from etf_backtest.typing import JsonObject

if TYPE_CHECKING:
    from etf_backtest.database.url import DatabaseUrl

NEWEST = 2**63 - 1
"""No revision has a greater number."""
When = int | dt.date | dt.datetime
"""A state of prices: its number, a day (its end in UTC), or a moment (UTC if it has no zone)."""


@dataclass(frozen=True, slots=True)
class SymbolHistory:
    """What became of the prices of a symbol, newest first.

    Attributes
    ----------
    symbol : str
    date : date or None
        The session that was asked for; None for all.
    revisions : tuple of Revision
    changes : tuple of Change or None
        One by one, where they were asked for.
    """

    symbol: str
    date: dt.date | None
    revisions: tuple[Revision, ...]
    changes: tuple[Change, ...] | None

    def to_dict(self) -> JsonObject:
        """The history, ready for JSON."""
        data: JsonObject = {
            "symbol": self.symbol,
            "date": None if self.date is None else self.date.isoformat(),
            "revisions": [revision_as_data(each) for each in self.revisions],
        }
        if self.changes is not None:
            data["changes"] = [change.to_dict() for change in self.changes]
        return data


@dataclass(frozen=True, slots=True)
class PricesThen:
    """What was stored in a state, by symbol.

    Attributes
    ----------
    state : KnownState
    symbols : tuple of StoredThen
    unknown : tuple of str
        Symbols that were asked for and had no prices then.
    first_known_at : datetime or None
        When the first prices of all became known.
    """

    state: KnownState
    symbols: tuple[StoredThen, ...]
    unknown: tuple[str, ...]
    first_known_at: dt.datetime | None

    def to_dict(self) -> JsonObject:
        """What was stored, ready for JSON: decimals as strings, so that no digit is lost."""
        return {
            "revision": self.state.number,
            "known_at": _iso(self.state.known_at),
            "symbols": [_then_as_data(each) for each in self.symbols],
            "unknown": list(self.unknown),
        }


async def price_history(
    url: DatabaseUrl,
    symbol: str,
    *,
    date: dt.date | None = None,
    changes: bool = False,
    limit: int | None = None,
) -> SymbolHistory:
    """The revisions of a symbol, or of one of its sessions, newest first.

    Parameters
    ----------
    date : date, optional
        Of one session; its changes are listed then.
    changes : bool
        List every change one by one.
    limit : int, optional
        At most so many revisions, and so many changes.

    Raises
    ------
    NoPricesError
        Nothing was ever stored of it.
    """
    name = symbol.upper()
    revisions = await revisions_of(url, name, date=date, limit=limit)
    if not revisions:
        known = [each.symbol for each in await coverage(url)]
        if date is not None and name in known:
            raise NoPricesError(
                name,
                f"nothing was ever stored of {date}",
                remedy=f"see etf-backtest prices history {name}",
            )
        near = meant(name, known).rstrip("?")
        raise NoPricesError(
            name,
            "no prices were ever stored",
            remedy=", or ".join(part for part in (near, IMPORT_REMEDY) if part),
        )
    listed = None
    if changes or date is not None:
        listed = await changes_of(url, name, date=date, limit=limit)
    return SymbolHistory(name, date, revisions, listed)


async def known_state(url: DatabaseUrl, when: When) -> KnownState:
    """The state of prices that a number, a day or a moment means.

    Raises
    ------
    NotFoundError
        There was no revision of that number yet.
    """
    if isinstance(when, int):
        state = await state_before(url, when)
        if when > state.number and when > (await state_before(url, NEWEST)).number:
            raise NotFoundError(
                "state of prices", str(when), known=(), command="prices history SYMBOL"
            )
        return state
    if not isinstance(when, dt.datetime):
        # whatever became known on that day
        when = dt.datetime.combine(when, dt.time.max)
    return await state_at(url, when if when.tzinfo else when.replace(tzinfo=dt.UTC))


async def prices_as_of(url: DatabaseUrl, when: When, symbols: Sequence[str] = ()) -> PricesThen:
    """What was stored then; of all symbols where none are given.

    Raises
    ------
    NotFoundError
        There was no revision of that number yet.
    """
    state = await known_state(url, when)
    asked = tuple(dict.fromkeys(symbol.upper() for symbol in symbols))
    found = await stored_then(url, state.number, asked or None)
    names = {each.symbol for each in found}
    return PricesThen(
        state,
        found,
        tuple(symbol for symbol in asked if symbol not in names),
        (await first_revision(url)).known_at,
    )


def revision_as_data(revision: Revision) -> JsonObject:
    """A revision of a symbol, ready for JSON."""
    return {
        "revision": revision.number,
        "id": revision.id,
        "known_at": revision.known_at.isoformat(),
        "source": revision.source,
        "provider": revision.provider,
        "split_adjusted": revision.split_adjusted,
        "details": revision.details,
        "added": revision.added,
        "changed": revision.changed,
        "removed": revision.removed,
    }


def _iso(moment: dt.datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def _then_as_data(then: StoredThen) -> JsonObject:
    def text(value: object) -> str | None:
        return None if value is None else str(value)

    return {
        "symbol": then.symbol,
        "sessions": then.sessions,
        "first_date": then.first.isoformat(),
        "last_date": then.last.isoformat(),
        "last_close": text(then.last_close),
        "last_adjusted_close": text(then.last_adjusted_close),
        "revision": then.revision,
    }
