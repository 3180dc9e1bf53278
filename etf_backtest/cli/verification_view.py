"""How a verification looks in a terminal, and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

from etf_backtest.cli import console

if TYPE_CHECKING:
    from etf_backtest.services.verification import Verification


def show(verification: Verification, *, json: bool) -> None:
    """The verdict, what has changed, and the largest differences, on stdout."""
    if json:
        console.show_json(verification.to_dict())
        return
    differs = verification.changed or verification.differences
    otherwise = "not identical" if differs else "cannot be verified"
    verdict = "identical" if verification.identical else otherwise
    console.show_text(f"backtest {verification.backtest_id}: {verdict}", style="bold")
    if verification.identical:
        console.show_text("prices, rules and every number are what they were, to the last bit")
    if verification.data_revision is not None:
        console.show_text(f"computed with prices as stored in state {verification.data_revision}")
    if verification.ledger is not None:
        console.show_text(
            "the Decimal ledger, which shares nothing but the inputs, differs on no day by more "
            f"than {verification.ledger:.1e} of the value"
        )
    for title, lines in (
        ("changed since it ran", verification.changed),
        ("different numbers", [str(difference) for difference in verification.differences]),
        ("to know", verification.notes),
    ):
        if lines:
            console.show_text(f"{title}:")
        for line in lines:
            console.show_text(f"  {line}")
