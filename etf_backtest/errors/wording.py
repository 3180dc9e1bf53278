"""How messages quote what somebody wrote: on one line, and not at any length."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from itertools import islice

LONGEST_QUOTE = 120
LONGEST_MESSAGE = 4_000
MOST_NAMES = 20


def one_line(text: str) -> str:
    """Lines joined by blanks; what a terminal cannot print is escaped, "\\x1b" for one."""
    if not text.isprintable():
        text = " ".join(line.strip() for line in text.splitlines() if line.strip())
        text = "".join(_printable(character) for character in text)
    return shortened(text, LONGEST_MESSAGE)


def printable(text: str) -> str:
    """The same lines; what a terminal would obey instead of printing it is escaped."""
    if text.isprintable():
        return text
    return "\n".join("".join(map(_printable, line)) for line in text.split("\n"))


def unseen(text: str, *, lines: bool = False) -> str | None:
    """The first character that nobody sees, "U+202E"; None where there is none.

    Controls, halves of surrogate pairs, separators of lines, and what only directs how the rest is
    shown, such as from right to left; the two joiners are letters in some languages.

    Parameters
    ----------
    lines : bool
        Whether the text may have lines and tabs.
    """
    if text.isprintable():
        return None
    allowed = "\u200c\u200d\n\t\r" if lines else "\u200c\u200d"
    return next(
        (
            f"U+{ord(character):04X}"
            for character in text
            if unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp")
            and character not in allowed
        ),
        None,
    )


def shortened(text: str, longest: int = LONGEST_QUOTE) -> str:
    """The text, cut where it is longer than that, with an ellipsis."""
    return text if len(text) <= longest else f"{text[: longest - 3]}..."


def quoted(value: object) -> str:
    """`repr` of a value on one line, cut where it is long."""
    # the second cut saves the work on a text of megabytes
    text = repr(value[: 2 * LONGEST_QUOTE]) if isinstance(value, str) else repr(value)
    return shortened(" ".join(text.split()) if "\n" in text else text)


def listed(names: Sequence[object]) -> str:
    """The first names, and how many more there are."""
    first = ", ".join(shortened(str(name)) for name in islice(names, MOST_NAMES))
    more = len(names) - MOST_NAMES
    return f"{first} and {more:,} more" if more > 0 else first


def joined(problems: Iterable[str]) -> str:
    """The first problems, separated by semicolons, and how many more there are."""
    every = tuple(problems)
    more = len(every) - MOST_NAMES
    first = "; ".join(every[:MOST_NAMES])
    return f"{first}; and {more:,} more" if more > 0 else first


def _printable(character: str) -> str:
    if character.isprintable():
        return character
    return " " if character.isspace() else character.encode("unicode_escape").decode("ascii")
