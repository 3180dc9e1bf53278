"""Verifiers of passwords: those that the server itself computes, and that clients sign in with."""

from __future__ import annotations

import base64
import hashlib
import hmac
from pathlib import Path

import pytest

from etf_backtest.database.scram import prepared, scram_verifier
from tests.acceptance.cli.conftest import run_here
from tests.fixtures.cluster import Cluster
from tests.integration.security.database_roles import PASSWORD, Roles

PASSWORDS = (
    PASSWORD,
    "a",
    " blanks at both ends ",
    "tab\tand control\x07",
    "héllo wörld",
    "he\u0301llo",  # composed by NFKC
    "\u2168 and \ufb01",  # compatibility: IX, fi
    "soft\u00adhyphen",  # mapped to nothing
    "no\u00a0break\u2003spaces",  # mapped to a blank
    "\u0628\u0627",  # right to left throughout
    "\u0628a",  # mixed directions: refused, and so as it is
    "private \ue000",  # prohibited: as it is
    "unassigned \u0221",  # in Unicode 3.2
    "😀 beyond the first plane",
    "x" * 600,
)


def test_they_are_those_of_the_server(postgres: Cluster, roles: Roles) -> None:
    for number, password in enumerate(PASSWORDS):
        role = f"scram {number} of {roles.url.database}"
        literal = password.replace("'", "''")
        roles.cluster.execute(f"CREATE ROLE \"{role}\" PASSWORD '{literal}'")
        roles.made.append(role)
        [row] = roles.ask("SELECT rolpassword FROM pg_authid WHERE rolname = $1", role)
        _, settings, _ = row["rolpassword"].split("$")
        iterations, _, salt = settings.partition(":")
        ours = scram_verifier(password, salt=base64.b64decode(salt), iterations=int(iterations))
        assert ours == row["rolpassword"], ascii(password)


def test_each_is_salted_anew() -> None:
    assert scram_verifier("x") != scram_verifier("x")


def test_of_rfc_7677() -> None:
    """Its example: with these keys the messages there have the proofs that they have there."""
    verifier = scram_verifier("pencil", salt=base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ=="))
    stored_key, server_key = (base64.b64decode(key) for key in verifier.split("$")[2].split(":"))
    nonce = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
    said = (
        f"n=user,r=rOprNGfwEbeRWgbNEkqO,r={nonce},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,"
        f"c=biws,r={nonce}"
    ).encode()
    signature = hmac.digest(server_key, said, "sha256")
    assert base64.b64encode(signature) == b"6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="
    proof = base64.b64decode("dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=")
    mask = hmac.digest(stored_key, said, "sha256")
    client_key = bytes(one ^ other for one, other in zip(proof, mask, strict=True))
    assert hashlib.sha256(client_key).digest() == stored_key


def test_what_saslprep_does() -> None:
    """RFC 4013, section 3."""
    assert prepared("I\u00adX") == "IX"
    assert prepared("USER") == "USER"
    assert prepared("\u00aa") == "a"
    assert prepared("\u2168") == "IX"
    assert prepared("\u0007") == "\u0007"  # refused there; as it is here
    assert prepared("\u0627\u0031") == "\u0627\u0031"


@pytest.mark.parametrize("postgres", ["embedded"], indirect=True)
def test_neither_password_nor_verifier_is_in_the_log(
    postgres: Cluster, roles: Roles, user_home: Path
) -> None:
    database = roles.url.database
    roles.cluster.execute(
        f"ALTER DATABASE {database} SET log_statement = 'all'",
        f"ALTER DATABASE {database} SET log_min_duration_statement = 0",
    )
    role = roles.name("logged")
    (user_home / "password").write_text("a secret of the log\n")
    given = ("--create", "--password-file", "password")
    run_here("db", "grant", "readonly", role, *given, url=roles.url.render())
    roles.made.append(role)
    log = postgres.log.read_text()
    assert f'CREATE ROLE "{role}" LOGIN' in log  # it is logged, that is
    assert "a secret" not in log
    assert "SCRAM-SHA-256$" not in log
    [row] = roles.ask("SELECT rolpassword FROM pg_authid WHERE rolname = $1", role)
    assert row["rolpassword"].startswith("SCRAM-SHA-256$4096:")
