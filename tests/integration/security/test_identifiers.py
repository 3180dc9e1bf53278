"""Names as SQL: quoted here as the server itself would."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from etf_backtest.database.identifiers import keyword, quote_identifier
from tests.integration.security.database_roles import Roles

NASTY = (
    '"',
    '""',
    'a"; DROP TABLE users; --',
    "'",
    "$$",
    "%I",
    "\\",
    "select",
    "Ada",
    "é",
    "\n",
    "/*",
)
# what UTF-8 can hold, less NUL, which no name may have
NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=15)


def test_the_server_reads_the_name_that_was_quoted(roles: Roles) -> None:
    # settings: one statement asks about many names, and so does not wait for each
    @settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(NAMES, min_size=50, max_size=50))
    def check(drawn: list[str]) -> None:
        names = [*NASTY, *drawn]
        quoted = [row[0] for row in roles.ask("SELECT quote_ident(unnest($1::text[]))", names)]
        for name, theirs in zip(names, quoted, strict=True):
            # the server leaves the quotes away where a name needs none
            assert quote_identifier(name) in (theirs, f'"{theirs}"')
        columns = ", ".join(f"1 AS {quote_identifier(name)}" for name in names)
        [row] = roles.ask(f"SELECT {columns}")
        assert [name for name, _ in row.items()] == names

    check()


@pytest.mark.parametrize("name", ["", "a\0b"])
def test_no_name(name: str) -> None:
    with pytest.raises(ValueError, match="not a name"):
        quote_identifier(name)


def test_keywords_are_those_of_a_list() -> None:
    assert keyword("SELECT") == "SELECT"
    with pytest.raises(ValueError, match="not one of our SQL keywords"):
        keyword("SELECT 1; DROP TABLE users")
