"""SQL that is put together: from constants and quoted names, in this one place, never from values.

Values go as parameters (`$1`). Where PostgreSQL takes none (the name of a table or role) the name
is quoted here as the server's own quote_ident would. `tests/unit/test_sql_composition.py` refuses
statements that are made in another way.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import asyncpg

KEYWORDS: Final = frozenset(
    (
        *("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER", "MAINTAIN"),
        *("USAGE", "CREATE", "CONNECT", "TEMPORARY", "EXECUTE"),
        *("TABLE", "SEQUENCE", "SCHEMA", "DATABASE", "FUNCTION", "PROCEDURE", "TYPE"),
    )
)
"""What `keyword` lets through: privileges, and kinds of what they are of."""


class Composed(str):
    """A statement of constants, keywords and quoted names; made where the checker looks on."""

    __slots__ = ()


def quote_identifier(name: str) -> str:
    """A name in double quotes, whatever is in it.

    Raises
    ------
    ValueError
        It is empty or has a NUL: no name in PostgreSQL.
    """
    if not name or "\0" in name:
        raise ValueError(f"not a name in PostgreSQL: {name!r}")
    return '"' + name.replace('"', '""') + '"'


def keyword(word: str) -> str:
    """The word, if it is one of `KEYWORDS`.

    Raises
    ------
    ValueError
        It is something else.
    """
    if word not in KEYWORDS:
        raise ValueError(f"not one of our SQL keywords: {word!r}")
    return word


async def run_composed(
    connection: asyncpg.Connection[asyncpg.Record], statements: Iterable[Composed]
) -> None:
    """Run statements one by one.

    Raises
    ------
    TypeError
        One is text that came another way; those before it have been run.
    """
    for statement in statements:
        if not isinstance(statement, Composed):
            raise TypeError(f"expected a composed statement, got {type(statement).__name__}")
        await connection.execute(str(statement))  # asyncpg takes no subclass
