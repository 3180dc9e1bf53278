"""The mixin on a client of another schema: nothing in it knows ours."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from types import ModuleType
from typing import Any

import asyncpg
import pytest

from etf_backtest.database.engine import WasmEngineMixin
from etf_backtest.database.prisma_cli.process import Prisma
from etf_backtest.database.prisma_cli.project import Project
from etf_backtest.settings import load_settings
from tests.fixtures.cluster import run_apart

SCHEMA = """
generator client {
  provider                    = "prisma-client-py"
  output                      = "./other_client"
  interface                   = "asyncio"
  recursive_type_depth        = 5
  enable_experimental_decimal = true
}

datasource db {
  provider = "postgresql"
  url      = env("OTHER_URL")
}

enum Colour {
  red
  green
}

model Everything {
  region   String
  number   Int
  blob     Bytes?
  big      BigInt    @default(0)
  ratio    Float     @default(0)
  payload  Json?
  amount   Decimal?  @db.Decimal(40, 10)
  when     DateTime?
  flag     Boolean   @default(false)
  colour   Colour    @default(red)
  colours  Colour[]
  numbers  Int[]
  words    String[]
  floats   Float[]
  bigs     BigInt[]
  decimals Decimal[]
  times    DateTime[]
  jsons    Json[]
  blobs    Bytes[]
  parts    Part[]

  @@id([region, number])
}

model Part {
  id     Int        @id @default(autoincrement())
  region String
  number Int
  whole  Everything @relation(fields: [region, number], references: [region, number])
}
"""
TABLES = """
CREATE TYPE "Colour" AS ENUM ('red', 'green');
CREATE TABLE "Everything" (
    region text, number int, blob bytea, big bigint NOT NULL DEFAULT 0,
    ratio float8 NOT NULL DEFAULT 0, payload jsonb, amount decimal(40, 10), "when" timestamp(3),
    flag boolean NOT NULL DEFAULT false, colour "Colour" NOT NULL DEFAULT 'red', colours "Colour"[],
    numbers int[], words text[], floats float8[], bigs bigint[], decimals decimal(65, 30)[],
    times timestamp(3)[], jsons jsonb[], blobs bytea[], PRIMARY KEY (region, number)
);
CREATE TABLE "Part" (
    id serial PRIMARY KEY, region text NOT NULL, number int NOT NULL,
    FOREIGN KEY (region, number) REFERENCES "Everything"
);
"""


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModuleType]:
    """The package of a client that was generated from SCHEMA."""
    folder = tmp_path_factory.mktemp("other")
    schema = folder / "schema.prisma"
    schema.write_text(SCHEMA)
    prisma = Prisma(Project.find(Path(__file__).parent), load_settings({})).silent()
    run = run_apart(prisma.run("generate", "--schema", schema))
    assert run.exit_code == 0, run.stdout + run.stderr
    spec = importlib.util.spec_from_file_location(
        "other_client",
        folder / "other_client" / "__init__.py",
        submodule_search_locations=[str(folder / "other_client")],
    )
    assert spec is not None
    assert spec.loader is not None
    package = importlib.util.module_from_spec(spec)
    sys.modules["other_client"] = package
    spec.loader.exec_module(package)
    yield package
    for name in [n for n in sys.modules if n.split(".")[0] == "other_client"]:
        del sys.modules[name]


@pytest.fixture
async def url(empty_database: str) -> str:
    """A database with the tables of SCHEMA."""
    connection = await asyncpg.connect(empty_database)
    await connection.execute(TABLES)
    await connection.close()
    return empty_database


def client_class(other: ModuleType) -> Any:
    prisma: Any = other.Prisma

    class OtherDatabase(WasmEngineMixin, prisma):  # type: ignore[misc]  # known at run time only
        """Another client altogether."""

    return OtherDatabase


@pytest.mark.each_postgres
async def test_every_type_and_list(other: ModuleType, url: str) -> None:
    fields, models = other.fields, sys.modules["other_client.models"]
    when = datetime(2024, 2, 29, 12, 30, 15, 123000, UTC)
    data = {
        "region": "e\u2028u",
        "number": -(2**31),
        "blob": fields.Base64.encode(bytes(range(256))),
        "big": 2**63 - 1,
        "ratio": 0.1234567890123456,
        "payload": fields.Json("a string"),
        "amount": Decimal("123456789012345678901234567890.0123456789"),
        "when": when,
        "flag": True,
        "colour": "green",
        "colours": ["red", "green"],
        "numbers": [1, -2],
        "words": ["a,b", '"', "\\", "", "NULL"],
        "floats": [1.0, 2.5, 1e300],
        "bigs": [2**53 + 1, -(2**63)],
        "decimals": [Decimal("0.1"), Decimal("123456789012345678901234567890.5")],
        "times": [when],
        "jsons": [fields.Json({"a": 1}), fields.Json("text")],
        "blobs": [fields.Base64.encode(b"\x00\xff")],
    }
    async with client_class(other)(use_dotenv=False, datasource={"url": url}) as client:
        row = await client.everything.create(data)
        assert isinstance(row, models.Everything)
        expected = {**data, "payload": "a string", "jsons": [{"a": 1}, "text"], "parts": None}
        assert dict(row) == expected
        key = {"region_number": {"region": data["region"], "number": data["number"]}}
        assert dict(await client.everything.find_unique_or_raise(where=key)) == expected
        assert await client.everything.count(where={"blob": data["blob"]}) == 1
        assert await client.everything.count(where={"words": {"has_every": ['"', ""]}}) == 1
        assert await client.everything.count(where={"bigs": {"has": 2**53 + 1}}) == 1
        assert await client.everything.count(where={"numbers": {"is_empty": True}}) == 0
        changed = await client.everything.update(
            where=key, data={"numbers": {"push": [3]}, "colours": {"set": []}, "ratio": 3}
        )
        assert (changed.numbers, changed.colours, changed.ratio) == ([1, -2, 3], [], 3.0)
        assert isinstance(changed.ratio, float)


async def test_nulls_defaults_and_relations(other: ModuleType, url: str) -> None:
    async with client_class(other)(use_dotenv=False, datasource={"url": url}) as client:
        await client.everything.create(
            {"region": "r", "number": 1, "parts": {"create": [{}, {}]}}, include={"parts": True}
        )
        [row] = await client.everything.find_many(include={"parts": {"take": 1}})
        assert (row.blob, row.payload, row.amount, row.when, row.numbers, len(row.parts)) == (
            *(None, None, None, None, []),
            1,
        )
        part = await client.part.find_first(include={"whole": True})
        assert part.whole.region == "r"


async def test_float_aggregates_are_floats(other: ModuleType, url: str) -> None:
    async with client_class(other)(use_dotenv=False, datasource={"url": url}) as client:
        await client.everything.create_many(
            [{"region": "r", "number": n, "ratio": float(n)} for n in (1, 3)]
        )
        groups = await client.everything.group_by(
            ["region", "ratio"],
            sum={"ratio": True, "number": True},
            avg={"number": True},
            order={"ratio": "asc"},
        )
        assert groups == [
            {"region": "r", "ratio": n, "_sum": {"ratio": n, "number": n}, "_avg": {"number": n}}
            for n in (1.0, 3.0)
        ]
        [first, _] = groups
        kinds = (type(first["ratio"]), type(first["_sum"]["ratio"]), type(first["_avg"]["number"]))
        assert kinds == (float, float, float)
        assert type(first["_sum"]["number"]) is int


async def test_not_a_number(other: ModuleType, url: str) -> None:
    async with client_class(other)(use_dotenv=False, datasource={"url": url}) as client:
        with pytest.raises(other.errors.InputError, match="nan cannot be sent"):
            await client.everything.create({"region": "r", "number": 1, "ratio": float("nan")})


async def test_errors_are_of_the_other_package(other: ModuleType, url: str) -> None:
    async with client_class(other)(use_dotenv=False, datasource={"url": url}) as client:
        await client.everything.create({"region": "r", "number": 1})
        with pytest.raises(other.errors.UniqueViolationError):
            await client.everything.create({"region": "r", "number": 1})
        async with client.batch_() as batch:
            batch.everything.delete_many()
        async with client.tx() as transaction:
            assert await transaction.everything.count() == 0


async def test_the_schemas_own_url_is_used(
    other: ModuleType, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTHER_URL", url)
    async with client_class(other)(use_dotenv=False) as client:
        assert await client.part.count() == 0


def test_a_client_that_is_not_generated_is_refused() -> None:
    class NoClient(WasmEngineMixin):
        pass

    with pytest.raises(TypeError, match="asyncio"):
        _ = NoClient()._engine_class  # type: ignore[attr-defined]  # what a client would call


async def test_floats_carry_sixteen_digits(other: ModuleType, url: str) -> None:
    """A limit of Prisma's engine, known and left: money is Decimal."""
    async with client_class(other)(use_dotenv=False, datasource={"url": url}) as client:
        row = await client.everything.create({"region": "r", "number": 1, "ratio": 0.1 + 0.2})
        assert row.ratio == 0.3  # 0.30000000000000004 has seventeen
        assert await client.query_raw('SELECT ratio FROM "Everything"') == [{"ratio": 0.3}]
