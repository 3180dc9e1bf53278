"""sslmode, on a server of Debian's: the wheel's PostgreSQL is built without TLS."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from etf_backtest.database.client.engine.errors import EngineConnectionError
from tests.fixtures.cluster import Cluster
from tests.integration.engine.database import connected, new_client

ENCRYPTED = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
debian_only = pytest.mark.parametrize("own_postgres", ["debian"], indirect=True)
needs_openssl = pytest.mark.skipif(
    shutil.which("openssl") is None,
    reason="no openssl to make certificates with: apt-get install openssl",
)


def openssl(folder: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)


def certify(folder: Path) -> None:
    """An authority, and a certificate from it for `localhost` alone."""
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    openssl(
        folder,
        *(
            "req",
            "-x509",
            *key,
            "-keyout",
            "ca.key",
            "-out",
            "ca.crt",
            "-subj",
            "/CN=test authority",
        ),
    )
    (folder / "names").write_text("subjectAltName=DNS:localhost\n")
    openssl(folder, *("req", *key, "-keyout", "server.key", "-out", "csr", "-subj", "/CN=server"))
    openssl(
        folder,
        *("x509", "-req", "-in", "csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial"),
        *("-extfile", "names", "-out", "server.crt"),
    )


def serve_tls(cluster: Cluster, folder: Path) -> None:
    certify(folder)
    owner = cluster.data.stat()
    for name in ("server.crt", "server.key"):
        path = cluster.data / name
        path.write_bytes((folder / name).read_bytes())
        path.chmod(0o600)
        os.chown(path, owner.st_uid, owner.st_gid)
    cluster.execute("ALTER SYSTEM SET ssl = on")
    cluster.restart()


async def encrypted(url: str, *parameters: str) -> object:
    async with connected(url, *parameters) as client:
        [row] = await client.query_raw(ENCRYPTED)
        return row["ssl"]


async def refusal(url: str) -> str:
    with pytest.raises(EngineConnectionError) as refused:
        await new_client(url).connect()
    return str(refused.value)


@debian_only
@needs_openssl
async def test_certificates_are_verified_when_asked(own_postgres: Cluster, tmp_path: Path) -> None:
    serve_tls(own_postgres, tmp_path)
    address = own_postgres.url()
    named = address.replace("@127.0.0.1:", "@localhost:")
    root = f"sslrootcert={tmp_path / 'ca.crt'}"
    assert await encrypted(address, "sslmode=disable") is False
    assert await encrypted(address, "sslmode=prefer") is True
    assert await encrypted(address, "sslmode=require") is True
    assert await encrypted(address, "sslmode=require", root) is True
    assert await encrypted(address, "sslmode=verify-ca", root) is True
    assert await encrypted(named, "sslmode=verify-full", root) is True
    assert (
        await encrypted(
            named, f"sslcert={tmp_path / 'ca.crt'}", "sslaccept=strict", "sslmode=require"
        )
        is True
    )
    # not issued by an authority that the system trusts
    for mode in ("verify-ca", "verify-full"):
        assert (await refusal(f"{named}?sslmode={mode}")).startswith("P1011")
    # issued for another name
    message = await refusal(f"{address}?sslmode=verify-full&{root}")
    assert message.startswith("P1011")
    assert own_postgres.password not in message


async def test_a_server_without_tls(postgres: Cluster) -> None:
    assert await encrypted(postgres.url(), "sslmode=prefer") is False
    assert (await refusal(postgres.url() + "?sslmode=require")).startswith("P1011")
