"""How a portfolio looks in a terminal, and as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

from etf_backtest.cli import console

if TYPE_CHECKING:
    from etf_backtest.database.models import Portfolio


def as_data(portfolio: Portfolio, owner: str | None = None) -> dict[str, object]:
    """A portfolio for JSON; `owner` is null where it is the user's own."""
    return {
        "id": portfolio.id,
        "name": portfolio.name,
        "owner": owner,
        "is_public": portfolio.isPublic,
        "description": portfolio.description,
        "initial_capital": str(portfolio.initialCapital),
        "currency": portfolio.currency,
        "holdings": {h.symbol: str(h.allocation) for h in portfolio.holdings or []},
    }


def holdings_in_words(portfolio: Portfolio) -> str:
    """Symbols and percents in a row."""
    return ", ".join(f"{h.symbol} {h.allocation:.2%}" for h in portfolio.holdings or [])


def show_list(portfolios: Sequence[Portfolio]) -> None:
    """The user's portfolios as a table."""
    console.show_table(
        None,
        [("name", "left"), ("holdings", "left"), ("capital", "right"), ("seen by", "left")],
        [(p.name, holdings_in_words(p), _capital(p), _seen_by(p)) for p in portfolios],
        fold="holdings",
    )


def show_public(portfolios: Sequence[Portfolio], owners: Mapping[str, str | None]) -> None:
    """Everybody's as a table, with the ids that they are found by."""
    console.show_table(
        None,
        [
            ("id", "left"),
            ("of", "left"),
            ("name", "left"),
            ("holdings", "left"),
            ("capital", "right"),
        ],
        [
            (p.id, owners[p.userId] or "you", p.name, holdings_in_words(p), _capital(p))
            for p in portfolios
        ],
        fold="holdings",
    )


def _capital(portfolio: Portfolio) -> str:
    return f"{portfolio.initialCapital:,.2f} {portfolio.currency}"


def _seen_by(portfolio: Portfolio) -> str:
    return "everybody" if portfolio.isPublic else "you"


def show_one(portfolio: Portfolio, owner: str | None) -> None:
    """All that there is to say about one."""
    holdings = portfolio.holdings or []
    cash = 1 - sum((h.allocation for h in holdings), Decimal(0))
    console.show_facts(
        portfolio.name,
        [
            ("id", portfolio.id),
            ("of", owner or "you"),
            ("seen by", _seen_by(portfolio)),
            ("description", portfolio.description or "-"),
            ("initial capital", _capital(portfolio)),
            *((h.symbol, f"{h.allocation:.2%}") for h in holdings),
            ("cash", f"{cash:.2%}"),
        ],
    )
