"""sslmode, on a server of Debian's: the wheel's PostgreSQL is built without TLS."""

from __future__ import annotations

import pytest

from etf_backtest.database.client.engine.errors import EngineConnectionError
from tests.fixtures.certificates import TlsServer
from tests.fixtures.cluster import Cluster
from tests.integration.engine.database import connected, new_client

ENCRYPTED = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"


async def encrypted(url: str, *parameters: str) -> object:
    async with connected(url, *parameters) as client:
        [row] = await client.query_raw(ENCRYPTED)
        return row["ssl"]


async def refusal(url: str) -> str:
    with pytest.raises(EngineConnectionError) as refused:
        await new_client(url).connect()
    return str(refused.value)


async def test_prisma_s_own_names_and_what_is_not_asked_for(tls_server: TlsServer) -> None:
    """Modes that verify: tests/integration/security/test_tls.py, by every way to the server."""
    named = tls_server.named
    assert await encrypted(named, "sslmode=disable") is False
    assert await encrypted(named, "sslmode=prefer") is True
    authority = f"sslcert={tls_server.authority}"
    assert await encrypted(named, authority, "sslaccept=strict", "sslmode=require") is True
    # issued for another name
    address = f"{tls_server.address}?sslmode=verify-full&sslrootcert={tls_server.authority}"
    message = await refusal(address)
    assert message.startswith("P1011")
    assert tls_server.cluster.password not in message


async def test_a_server_without_tls(postgres: Cluster) -> None:
    assert await encrypted(postgres.url(), "sslmode=prefer") is False
    assert (await refusal(postgres.url() + "?sslmode=require")).startswith("P1011")
