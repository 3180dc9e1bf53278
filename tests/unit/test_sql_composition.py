"""No statement of the package is made from values: a checker reads all of it, and is checked."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.python_names import sources_of
from tests.unit.sql_composition import Checker, Problem

DATABASE = "etf_backtest/database"
TRUSTED = {
    (f"{DATABASE}/pooled_connection.py", "fetch"): "hands on what its caller is checked for",
    (f"{DATABASE}/pooled_connection.py", "fetchrow"): "hands on",
    (f"{DATABASE}/pooled_connection.py", "fetchval"): "hands on",
    (f"{DATABASE}/pooled_connection.py", "execute"): "hands on",
    (f"{DATABASE}/queue/pooled_cursor.py", "execute"): "hands on",
    (f"{DATABASE}/queue/installation.py", "_create"): "files of the library and of the package",
    (f"{DATABASE}/queue/installation.py", "_apply"): "files of the library",
    (f"{DATABASE}/queue/installation.py", "_run_with_names"): "files of the package, names as %I",
    (f"{DATABASE}/backup/load.py", "_run"): "an archive, which is code (docs/security.md)",
    (f"{DATABASE}/backup/load.py", "_privileges"): "an archive, which is code",
    (f"{DATABASE}/backup/twin.py", "twin_of"): "what the server says of its database, in quotes",
    (f"{DATABASE}/doctor/explain.py", "_ask"): "fields of the constant QUERIES",
}
"""Where the checker cannot follow, and why it is right nevertheless."""


def problems(*texts: str) -> list[Problem]:
    sources = {f"m{number}": (f"m{number}.py", text) for number, text in enumerate(texts)}
    return list(Checker(sources).problems())


def test_the_package_makes_no_statement_from_values(repository: Path) -> None:
    found = list(Checker(sources_of(repository)).problems())
    assert [str(each) for each in found if (each.path, each.function) not in TRUSTED] == []
    # what needs no trust any more is not to have it
    assert set(TRUSTED) == {(each.path, each.function) for each in found}


@pytest.mark.parametrize(
    "code",
    [
        "async def f(c, name):\n    await c.execute(f'DROP TABLE {name}')",
        "async def f(c, name):\n    await c.fetch('SELECT * FROM t WHERE n = ' + name)",
        "async def f(c, name):\n    await c.fetch('SELECT * FROM %s' % name)",
        "async def f(c, name):\n    await c.fetchval('SELECT {}'.format(name))",
        "async def f(c, name):\n    sql = 'SELECT 1'\n    sql += name\n    await c.fetch(sql)",
        "async def f(c, name):\n    sql = 'SELECT 1'\n    if name:\n        sql = name\n"
        "    await c.fetch(sql)",
        "async def f(c, names):\n    await c.fetch(', '.join(names))",
        "async def f(c, names):\n    await c.fetch(', '.join(f'{n}' for n in names))",
        "async def f(c, names):\n    for name in names:\n        await c.fetch(name)",
        "async def f(c, **options):\n    await c.fetch(options['sql'])",
        "async def f(c):\n    await c.query_raw(query=input())",
        "async def f(c, q):\n    await c.fetch(*(q, 1))",
        "def g(x):\n    return f'SELECT {x}'\nasync def f(c, v):\n    await c.fetch(g(v))",
        "def f(x):\n    return Composed(x)",
        "def f(x):\n    return Composed(quote_identifier(x) + x)",
        "async def g(c, q: LiteralString):\n    await c.fetch(q)\n"
        "async def f(c, v):\n    await g(c, v)",
        "async def g(c, q: LiteralString):\n    await c.fetch(q)\n"
        "async def f(c, v):\n    await g(c, q=f'SELECT {v}')",
        "async def f(c, v):\n    await c.execute(sql.SQL(v))",
        "async def f(c, v):\n"
        "    await c.execute(await c.fetchval(\"SELECT format('DROP TABLE %s', $1)\", v))",
        "async def f(c, v):\n    q = await c.fetchval('SELECT $1', v)\n    await c.execute(q)",
        "async def f(c, v):\n    q = await c.fetchval('SELECT format($1, $2)', v)\n"
        "    await c.execute(q)",
        "class A:\n    async def f(self, c):\n        await c.execute(self.sql)",
        "async def f(c):\n    await c.execute(open('x.sql').read())",
        "async def f(c, v):\n    def g():\n        return c.fetch(v)\n    await g()",
        "from m1 import SQL\nasync def f(c):\n    await c.execute(SQL)",
    ],
)
def test_bad_code_is_seen(code: str) -> None:
    [problem] = problems(code, "import os\nSQL = os.environ['SQL']")
    assert problem.path == "m0.py"


@pytest.mark.parametrize(
    "code",
    [
        "async def f(c, v):\n    await c.fetch('SELECT $1', v)",
        "from m1 import TABLE\nasync def f(c):\n    await c.fetch(f'SELECT * FROM {TABLE}')",
        "import m1\nasync def f(c):\n    await c.fetch(f'SELECT * FROM {m1.TABLE}')",
        "FIELDS = {'a': 1, 'b': 2}\nLIST = ', '.join(f'{f} * {n}' for f, n in FIELDS.items())\n"
        "async def f(c):\n    await c.fetch(f'SELECT {LIST}')",
        "async def f(c, name):\n    await c.execute(f'DROP TABLE {quote_identifier(name)}')",
        "def g(x):\n    return f'sum({x})'\nasync def f(c):\n    await c.fetch(g('a'))",
        "async def g(c, q: LiteralString):\n    await c.fetch(q)\n"
        "async def f(c):\n    await g(c, 'SELECT 1')",
        "async def f(c, v):\n"
        "    await c.execute(sql.SQL('DROP TABLE {}').format(sql.Identifier(v)))",
        "async def f(c, v):\n"
        "    q = await c.fetchval(\"SELECT format('DROP TABLE %I', $1)\", v)\n"
        "    await c.execute(q)",
        "async def f(c, v):\n    await c.fetch('SELECT ' + ('a' if v else 'b'))",
    ],
)
def test_good_code_is_let_through(code: str) -> None:
    assert problems(code, "TABLE = 'prices'") == []
