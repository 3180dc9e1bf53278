"""What Studio's driver is told of a URL; TLS against a real server."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from etf_backtest.database.studio import studio
from etf_backtest.database.studio.target import StudioTarget, translate
from etf_backtest.database.url import DatabaseUrl
from etf_backtest.errors import StudioDatabaseError, StudioUrlError
from tests.fixtures.cluster import Cluster


def target(parameters: str = "", host: str = "db.example") -> StudioTarget:
    return translate(DatabaseUrl.parse(f"postgresql://ann:s3cret@{host}:6543/etf{parameters}"))


def test_address_and_login_go_through_the_environment() -> None:
    assert target().environment == {
        "PGHOST": "db.example",
        "PGPORT": "6543",
        "PGDATABASE": "etf",
        "PGUSER": "ann",
        "PGPASSWORD": "s3cret",
        "PGAPPNAME": "etf-backtest studio",
    }
    assert target().url == "postgresql:///?sslmode=prefer&TimeZone=UTC"
    assert "s3cret" not in repr(target())


@pytest.mark.parametrize(
    ("parameters", "mode", "certificates"),
    [
        ("", "prefer", None),
        ("?sslmode=disable", "disable", None),
        ("?sslmode=require", "require", None),
        ("?sslmode=require&sslaccept=strict", "verify-full", None),
        ("?sslmode=require&sslrootcert=/ca.pem", "verify-full", Path("/ca.pem")),
        ("?sslmode=require&sslcert=/ca.pem", "verify-full", Path("/ca.pem")),
        ("?sslmode=verify-ca&sslrootcert=/ca.pem", "verify-full", Path("/ca.pem")),
        ("?sslmode=verify-full&sslrootcert=system", "verify-full", None),
        ("?host=/run/postgresql&sslmode=require", "disable", None),
    ],
)
def test_tls_is_never_weaker_than_the_url_says(
    parameters: str, mode: str, certificates: Path | None
) -> None:
    assert f"sslmode={mode}&" in target(parameters).url
    assert target(parameters).certificates == certificates


@pytest.mark.parametrize(
    ("parameters", "host", "message"),
    [
        ("?sslmode=sometimes", "db.example", "sslmode is 'sometimes', expected one of disable"),
        ("?sslmode=require&sslkey=/key.pem", "db.example", "client certificate"),
        ("?sslmode=verify-full", "192.0.2.1", "cannot check the certificate of the address"),
        ("", "[2001:db8::1]", "IPv6 address 2001:db8::1"),
    ],
)
def test_what_the_driver_cannot_do_is_refused(parameters: str, host: str, message: str) -> None:
    with pytest.raises(StudioUrlError, match=message):
        target(parameters, host)


def certify(server: Cluster, name: str) -> Path:
    """Have the server take TLS connections only, with a certificate that it signs itself."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("no openssl: apt-get install openssl")
    key, certificate = server.data / "server.key", server.data / "server.crt"
    subprocess.run(
        [
            *(openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}"),
            *("-keyout", key, "-out", certificate),
        ],
        check=True,
        capture_output=True,
    )
    owner = server.data.stat()
    for path in (key, certificate):
        os.chown(path, owner.st_uid, owner.st_gid)
        path.chmod(0o600)
    with (server.data / "postgresql.conf").open("a") as configuration:
        configuration.write("ssl = on\n")
    (server.data / "pg_hba.conf").write_text("hostssl all all 127.0.0.1/32 scram-sha-256\n")
    server.restart()
    return certificate


# the embedded server is built without TLS
@pytest.mark.parametrize("own_postgres", ["debian"], indirect=True)
def test_tls_is_used_and_checked(own_postgres: Cluster, studio_cache: Path) -> None:
    authority = certify(own_postgres, "localhost")
    url = own_postgres.url().replace("127.0.0.1", "localhost")
    for accepted in ("", "?sslmode=require", f"?sslmode=verify-full&sslrootcert={authority}"):
        with studio(url + accepted, cache_dir=studio_cache):
            pass

    def refusal(parameters: str) -> str:
        with (
            pytest.raises(StudioDatabaseError) as caught,
            studio(url + parameters, cache_dir=studio_cache),
        ):
            pass
        return caught.value.reason

    assert "no pg_hba.conf entry" in refusal("?sslmode=disable")
    assert "self-signed certificate" in refusal("?sslmode=verify-full")
    assert "ENOENT" in refusal("?sslmode=verify-full&sslrootcert=/nowhere.pem")
    authority = certify(own_postgres, "elsewhere.example")
    assert "not in the cert" in refusal(f"?sslmode=verify-full&sslrootcert={authority}")
