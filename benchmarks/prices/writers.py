"""Ways to get a file of prices into `market_data`; each takes a database and returns the rows."""

from __future__ import annotations

import asyncio
import io
import subprocess
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import asyncpg

from etf_backtest.database.price_import import open_import
from etf_backtest.database.url import DatabaseUrl
from etf_backtest.market.bars import SCALES, Bars
from etf_backtest.providers.price_files import open_prices
from etf_backtest.services.ingest import import_prices

COLUMNS = ("symbol", "date", *SCALES, "source")
PATIENCE = 300
"""Seconds that psql may take."""


async def our_import(url: DatabaseUrl, file: Path) -> None:
    """`etf-backtest prices import`: reading, checking, storing, packing."""
    await import_prices(url, open_prices([file], closes="traded", source="test").sources)


async def our_bars(url: DatabaseUrl, bars: list[Bars]) -> None:
    """The same without reading and checking."""
    async with open_import(url, source="test", split_adjusted=False) as store:
        for some in bars:
            await store.add(some)
        await store.finish()


def _psql(url: DatabaseUrl, *commands: str) -> None:
    arguments = [argument for command in commands for argument in ("-c", command)]
    subprocess.run(
        ["psql", "-q", "-v", "ON_ERROR_STOP=1", "--single-transaction", url.render(), *arguments],
        check=True,
        timeout=PATIENCE,
    )


async def psql_copy(url: DatabaseUrl, file: Path) -> None:
    r"""`\copy` into the table."""
    copy = rf"\copy market_data ({', '.join(COLUMNS)}) FROM '{file}' CSV HEADER"
    await asyncio.to_thread(_psql, url, copy)


def _arrow(file: Path) -> Any:
    import pyarrow as pa
    import pyarrow.csv as csv

    types = {
        field: pa.decimal128(19, scale) if scale else pa.int64() for field, scale in SCALES.items()
    }
    return csv.read_csv(file, convert_options=csv.ConvertOptions(column_types=types))


async def arrow_copy(url: DatabaseUrl, file: Path) -> None:
    """pyarrow reads and writes CSV, COPY takes it."""
    import pyarrow.csv as csv

    text = io.BytesIO()
    csv.write_csv(_arrow(file), text, csv.WriteOptions(include_header=False))
    text.seek(0)
    connection = await asyncpg.connect(**url.asyncpg_arguments())
    await connection.copy_to_table("market_data", source=text, format="csv", columns=COLUMNS)
    await connection.close()


async def adbc_ingest(url: DatabaseUrl, file: Path) -> None:
    """ADBC's bulk ingestion of an Arrow table."""
    dbapi = import_module("adbc_driver_postgresql.dbapi")

    def work() -> None:
        with dbapi.connect(url.render()) as connection, connection.cursor() as cursor:
            cursor.adbc_ingest("market_data", _arrow(file), mode="append")
            connection.commit()

    await asyncio.to_thread(work)


def _engine(url: DatabaseUrl) -> Any:
    import_module("psycopg")
    sqlalchemy = import_module("sqlalchemy")
    return sqlalchemy.create_engine("postgresql+psycopg" + url.render().removeprefix("postgresql"))


async def sqlalchemy_insert(url: DatabaseUrl, file: Path) -> None:
    """SQLAlchemy Core on psycopg: insert() with a list of rows."""
    sqlalchemy = import_module("sqlalchemy")
    table = sqlalchemy.table("market_data", *(sqlalchemy.column(name) for name in COLUMNS))

    def work() -> None:
        with _engine(url).begin() as connection:
            for batch in _arrow(file).to_batches(max_chunksize=50_000):
                connection.execute(sqlalchemy.insert(table), batch.to_pylist())

    await asyncio.to_thread(work)


async def pandas_to_sql(url: DatabaseUrl, file: Path) -> None:
    """`DataFrame.to_sql(if_exists="append")` on psycopg."""

    def work() -> None:
        frame = _arrow(file).to_pandas()
        # it takes decimals for text
        prices = [field for field, scale in SCALES.items() if scale]
        frame[prices] = frame[prices].astype(float)
        frame.to_sql("market_data", _engine(url), if_exists="append", index=False)

    await asyncio.to_thread(work)


Writer = Callable[[DatabaseUrl, Path], Any]
PEERS: dict[str, tuple[Writer, int]] = {
    "pyarrow CSV and COPY": (arrow_copy, 1),
    "ADBC ingest": (adbc_ingest, 1),
    "SQLAlchemy insert (1/100 of the rows)": (sqlalchemy_insert, 100),
    "pandas.to_sql (1/100 of the rows)": (pandas_to_sql, 100),
}
"""Each with the part of the rows that it is given."""
