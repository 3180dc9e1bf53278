"""Passwords and tokens come in by a prompt, standard input or a file: never by an argument."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

FROM_STDIN = Annotated[
    bool, typer.Option("--password-stdin", help="Read the password from standard input.")
]
FROM_FILE = Annotated[
    Path | None, typer.Option("--password-file", help="Read the password from a file.")
]
LONGEST = 8192
"""Bytes that are read: more than the longest password in UTF-8."""


def new_password(from_stdin: bool, file: Path | None, *, none: bool) -> str | None:
    """The new password, checked; without a word where it is from, it is asked for twice.

    Raises
    ------
    SecretInputError
        There is no terminal to ask on, or what is read is no single line of UTF-8.
    PasswordRefusedError
        It is too short, too long, or cannot be typed again.
    typer.BadParameter
        More than one place is named.
    """
    from etf_backtest.errors import SecretInputError
    from etf_backtest.services.passwords import check_password

    if from_stdin + (file is not None) + none > 1:
        raise typer.BadParameter("give one of --password-stdin, --password-file, --no-password")
    if none:
        return None
    if from_stdin or file is not None:
        password = read_secret("password", file)
    elif sys.stdin.isatty():
        password = str(
            typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
        )
    else:
        raise SecretInputError(
            "there is no terminal to ask for the password on",
            remedy="give --password-stdin, --password-file FILE or --no-password",
        )
    check_password(password)
    return password


def read_secret(what: str, file: Path | None) -> str:
    """The one line of a file, or of standard input, without its end.

    Raises
    ------
    SecretInputError
        It cannot be read, is empty, or is more than one line of UTF-8.
    """
    from etf_backtest.errors import SecretInputError

    place = "standard input" if file is None else str(file)
    try:
        if file is None:
            content = sys.stdin.buffer.read(LONGEST + 1)
        else:
            with file.open("rb") as stream:
                content = stream.read(LONGEST + 1)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise SecretInputError(
            f"{place} cannot be read: {reason}", remedy=f"name a file with the {what}"
        ) from None
    line = content.removesuffix(b"\n").removesuffix(b"\r")
    try:
        # some editors write a mark before the first character, which nobody types at a prompt
        secret = line.decode("utf-8-sig")
    except UnicodeDecodeError:
        secret = ""
    if not secret or "\n" in secret or len(content) > LONGEST:
        # what was read is not part of the message, nor of what Python chains to it
        raise SecretInputError(
            f"{place} does not have a {what}",
            remedy=f"expected is the {what} alone, on one line of UTF-8",
        )
    return secret
