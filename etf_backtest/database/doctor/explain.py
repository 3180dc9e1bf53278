"""How PostgreSQL answers a query of the application, on the data that there are."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from etf_backtest.database.direct import direct_connection
from etf_backtest.database.doctor.queries import QUERIES, Query
from etf_backtest.database.url import DatabaseUrl
from etf_backtest.errors import UnknownPatternError

if TYPE_CHECKING:
    import asyncpg

Node = Mapping[str, Any]
_CONDITIONS: Final = ("Index Cond", "Recheck Cond", "Hash Cond", "Filter")


@dataclass(frozen=True, slots=True)
class Plan:
    """The plan of one query."""

    query: Query
    indexes: tuple[str, ...]
    """Those that it uses, sorted."""
    read_whole: tuple[str, ...]
    """Tables that are read from one end to the other."""
    estimated_rows: int
    rows: int | None
    """Counted; None where it was not run."""
    milliseconds: float | None
    """Planning and running; None where it was not run."""
    lines: tuple[str, ...]
    """The plan, indented."""

    @property
    def uses_its_indexes(self) -> bool:
        """Whether it uses those that are there for it."""
        return set(self.query.indexes) <= set(self.indexes)


async def explain(url: DatabaseUrl, name: str, *, analyze: bool = False) -> Plan:
    """Ask for the plan of a query, with values from the database.

    Parameters
    ----------
    url : DatabaseUrl
        Of a migrated database.
    name : str
        One of `QUERIES`.
    analyze : bool
        Run it, too: in a read-only transaction that is rolled back.

    Raises
    ------
    UnknownPatternError
        There is no such query.
    """
    query = QUERIES.get(name)
    if query is None:
        raise UnknownPatternError(name, tuple(QUERIES))
    async with direct_connection(url) as connection:
        transaction = connection.transaction(readonly=True)
        await transaction.start()
        try:
            answer = await _ask(connection, query, analyze=analyze)
        finally:
            await transaction.rollback()
    return _read(query, answer)


async def _ask(
    connection: asyncpg.Connection[asyncpg.Record], query: Query, *, analyze: bool
) -> Node:
    values = await connection.fetchrow(query.values)
    options = "ANALYZE, FORMAT JSON" if analyze else "FORMAT JSON"
    # a constant of ours before a constant of ours
    answer = await connection.fetchval(f"EXPLAIN ({options}) {query.sql}", *(values or ()))
    plan: Node = json.loads(answer)[0]
    return plan


def _read(query: Query, answer: Node) -> Plan:
    top: Node = answer["Plan"]
    nodes = list(_nodes(top))
    ran = "Execution Time" in answer
    return Plan(
        query=query,
        indexes=tuple(sorted({node["Index Name"] for _, node in nodes if "Index Name" in node})),
        read_whole=tuple(
            sorted({n["Relation Name"] for _, n in nodes if n["Node Type"] == "Seq Scan"})
        ),
        estimated_rows=int(top["Plan Rows"]),
        rows=int(top["Actual Rows"]) if ran else None,
        milliseconds=answer["Planning Time"] + answer["Execution Time"] if ran else None,
        lines=tuple(_line(depth, node) for depth, node in nodes),
    )


def _nodes(node: Node, depth: int = 0) -> Iterator[tuple[int, Node]]:
    yield depth, node
    for below in node.get("Plans", ()):
        yield from _nodes(below, depth + 1)


def _line(depth: int, node: Node) -> str:
    parts = [node["Node Type"]]
    if "Index Name" in node:
        parts.append(f"using {node['Index Name']}")
    if "Relation Name" in node:
        parts.append(f"on {node['Relation Name']}")
    parts.append(f"({node['Plan Rows']:,} rows expected")
    if "Actual Rows" in node:
        # of each round, as PostgreSQL says it
        parts[-1] += f", {node['Actual Rows']:,.0f} found, {node['Actual Total Time']:.2f} ms"
        if node["Actual Loops"] != 1:
            parts[-1] += f", {node['Actual Loops']:,} times"
    parts[-1] += ")"
    parts += [f"[{name}: {node[name]}]" for name in _CONDITIONS if name in node]
    return "  " * depth + " ".join(parts)
