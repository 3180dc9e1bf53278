"""Options that several commands have."""

from __future__ import annotations

import datetime as dt
import re
from typing import Annotated

import typer

JSON = Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")]
YES = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


def confirm(question: str, *, yes: bool) -> None:
    """Ask before something is destroyed; without a terminal `--yes` is needed.

    Raises
    ------
    typer.Exit
        With code 1 when the answer is no.
    """
    import sys

    from etf_backtest.errors import NotConfirmedError

    if yes:
        return
    if not sys.stdin.isatty():
        raise NotConfirmedError(question)
    if not typer.confirm(question, err=True):
        raise typer.Exit(1)


def parse_date(text: str, option: str) -> dt.date:
    """A date option such as 2015-01-31."""
    try:
        # fromisoformat alone takes 20150131 and 2015-W05 as well
        if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text, re.ASCII) is None:
            raise ValueError(text)  # noqa: TRY301  # one message for both
        return dt.date.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(
            f"{text!r} is not a date like 2015-01-31", param_hint=option
        ) from None
