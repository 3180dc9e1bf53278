"""DatabaseUrl: read, written, redacted, handed to asyncpg."""

from __future__ import annotations

import inspect
import re
import ssl
import traceback
from pathlib import Path
from typing import cast

import asyncpg
import pytest
from asyncpg import connect_utils
from hypothesis import given
from hypothesis import strategies as st

from etf_backtest.database.url import DatabaseUrl
from etf_backtest.errors import DatabaseUrlError

# Read by asyncpg when `sslmode` is `prefer`, whatever its arguments are.
CERTIFICATE_VARIABLES = {
    "PGSSLCERT",
    "PGSSLKEY",
    "PGSSLMINPROTOCOLVERSION",
    "PGSSLMAXPROTOCOLVERSION",
}
ODD = "p@ss:w/ör d%"
ODD_ENCODED = "p%40ss%3Aw%2F%C3%B6r%20d%25"  # by hand, from RFC 3986 and the UTF-8 table


def test_reads_the_usual_form() -> None:
    url = DatabaseUrl.parse("postgresql://ann:secret@db.example:6543/prices?schema=etf")
    assert (url.user, url.password, url.host, url.port) == ("ann", "secret", "db.example", 6543)
    assert (url.database, url.schema, url.server) == ("prices", "etf", "db.example:6543")
    assert url.render() == "postgresql://ann:secret@db.example:6543/prices?schema=etf"


@pytest.mark.parametrize(
    ("text", "rendered"),
    [
        ("postgres://a@h/d", "postgresql://a@h:5432/d"),
        ("postgresql://a@h", "postgresql://a@h:5432/postgres"),
        ("postgresql://a:@h/d", "postgresql://a:@h:5432/d"),
        ("postgresql:///d?user=a", "postgresql://a@localhost:5432/d"),
        ("postgresql://a@/d", "postgresql://a@localhost:5432/d"),
        ("postgresql://a:b@[::1]:6000/d", "postgresql://a:b@[::1]:6000/d"),
        ("postgresql://a@[::1]/d", "postgresql://a@[::1]:5432/d"),
        (f"postgresql://a:{ODD_ENCODED}@h/d", f"postgresql://a:{ODD_ENCODED}@h:5432/d"),
        ("postgresql://a:p@ss@h/d", "postgresql://a:p%40ss@h:5432/d"),
        ("postgresql://a@h/a%2Fb", "postgresql://a@h:5432/a%2Fb"),
        ("postgresql://h/d?user=u&password=p%26&port=7", "postgresql://u:p%26@h:7/d"),
        ("postgresql://a@h/d?connection_limit=5", "postgresql://a@h:5432/d?connection_limit=5"),
        ("  postgresql://a@h/d\n", "postgresql://a@h:5432/d"),
    ],
)
def test_writes_one_form_for_each(text: str, rendered: str) -> None:
    assert DatabaseUrl.parse(text).render() == rendered


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://a:b@/d?host=/run/my%20sockets",
        "postgresql://a:b@localhost/d?host=/run/my%20sockets",
        "postgresql://a:b@%2Frun%2Fmy%20sockets/d",
        "postgresql:///d?host=/run/my%20sockets&user=a&password=b",
    ],
)
def test_reads_each_form_of_a_unix_socket(text: str) -> None:
    url = DatabaseUrl.parse(text)
    assert url.socket_directory == url.server == "/run/my sockets"
    # a host is written, because `new URL` refuses a user without one
    assert url.render() == "postgresql://a:b@localhost:5432/d?host=/run/my%20sockets"
    assert url.asyncpg_arguments()["host"] == "/run/my sockets"
    assert url.asyncpg_arguments()["ssl"] is False


@given(
    user=st.text(min_size=1),
    password=st.text(),
    database=st.text(min_size=1),
    schema=st.text(min_size=1),
)
def test_what_is_written_is_read_back(user: str, password: str, database: str, schema: str) -> None:
    texts = [text.replace("\0", "") or "x" for text in (user, password, database, schema)]
    user, password, database, schema = (text.encode("utf-8", "replace").decode() for text in texts)
    url = DatabaseUrl(
        host="h", port=1, database=database, user=user, password=password,
        parameters=(("schema", schema),),
    )  # fmt: skip
    assert DatabaseUrl.parse(url.render()) == url


def test_never_shows_a_password() -> None:
    url = DatabaseUrl.parse(f"postgresql://ann:{ODD_ENCODED}@h/d?sslpassword=also&schema=s")
    expected = "postgresql://ann:***@h:5432/d?sslpassword=***&schema=s"
    assert str(url) == url.redacted() == f"{url}" == expected
    assert repr(url) == f"DatabaseUrl({expected!r})"
    assert ODD not in repr(url.asyncpg_arguments())
    assert url.asyncpg_arguments()["password"]() == ODD


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("mysql://a:HIDDEN@h/d", "does not start with postgresql"),
        ("postgresql://a:HID/DEN@h/d", "a / before the @"),
        ("postgresql://a:HID?DEN@h/d", "a ? before the @"),
        ("postgresql://a:HID#DEN@h/d", "must be encoded"),
        ("postgresql://a:HID\nDEN@h/d", "must be encoded"),
        ("postgresql://a:HIDDEN", "port is not a number"),
        ("postgresql://a:HIDDEN@h:0/d", "port is not a number"),
        ("postgresql://a:HIDDEN@h:99999/d", "port is not a number"),
        ("postgresql://a:HIDDEN@[::1/d", "brackets"),
        ("postgresql://a:HIDDEN%FF@h/d", "not UTF-8"),
        ("postgresql://a:HIDDEN%00@h/d", "%00"),
        ("postgresql://a:HIDDEN@h,i/d", "more than one host"),
        ("postgresql://a:HIDDEN@h/d?sslmode=maybe", "sslmode is 'maybe'"),
        ("postgresql://a:HIDDEN@h/d?connect_timeout=soon", "connect_timeout"),
    ],
)
def test_says_what_is_wrong_without_the_password(text: str, reason: str) -> None:
    with pytest.raises(DatabaseUrlError, match=re.escape(reason)) as raised:
        DatabaseUrl.parse(text).asyncpg_arguments()
    shown = "".join(traceback.format_exception_only(raised.value)) + repr(raised.value.__dict__)
    assert "HID" not in shown
    assert "DEN" not in shown
    assert raised.value.remedy


def test_with_database_keeps_the_rest() -> None:
    url = DatabaseUrl.parse("postgresql://a:b@h/d?schema=s")
    assert url.with_database("e").render() == "postgresql://a:b@h:5432/e?schema=s"
    assert url.database == "d"


def test_gives_asyncpg_what_the_parameters_say() -> None:
    url = DatabaseUrl.parse(
        'postgresql://a@h/d?schema=my"s&application_name=app&options=-c%20a%3Db'
        "&connect_timeout=3&connection_limit=9"
    )
    arguments = url.asyncpg_arguments()
    assert arguments["server_settings"] == {
        "search_path": '"my""s"',
        "application_name": "app",
        "options": "-c a=b",
    }
    assert "statement_cache_size" not in arguments
    assert arguments["timeout"] == 3


def test_behind_pgbouncer_there_are_neither_named_statements_nor_a_search_path() -> None:
    arguments = DatabaseUrl.parse("postgresql://a@h/d?pgbouncer=true&schema=public")
    given = arguments.asyncpg_arguments()
    assert given["server_settings"] == {}
    assert given["statement_cache_size"] == 0
    assert given["connection_class"].__name__ == "PooledConnection"
    with pytest.raises(DatabaseUrlError, match=r"schema cannot .* pgbouncer=true"):
        DatabaseUrl.parse("postgresql://a@h/d?pgbouncer=true&schema=other").asyncpg_arguments()


@pytest.mark.parametrize(
    ("parameters", "verifies", "checks_name"),
    [
        ("sslmode=require", ssl.CERT_NONE, False),
        ("sslmode=require&sslaccept=strict", ssl.CERT_REQUIRED, True),
        ("sslmode=verify-ca", ssl.CERT_REQUIRED, False),
        ("sslmode=verify-full&sslrootcert=system", ssl.CERT_REQUIRED, True),
    ],
)
def test_verifies_certificates_as_asked(
    parameters: str, verifies: ssl.VerifyMode, checks_name: bool
) -> None:
    context = DatabaseUrl.parse(f"postgresql://a@h/d?{parameters}").asyncpg_arguments()["ssl"]
    assert isinstance(context, ssl.SSLContext)
    assert context.verify_mode is verifies
    assert context.check_hostname is checks_name


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        ("h/d", "prefer"),
        ("h/d?sslmode=prefer", "prefer"),
        ("h/d?sslmode=allow", False),
        ("h/d?sslmode=disable", False),
        # on this machine nobody listens in
        ("localhost/d", False),
        ("127.0.0.1/d", False),
        ("[::1]/d", False),
        ("localhost/d?sslmode=prefer", "prefer"),
    ],
)
def test_chooses_tls_as_the_query_engine_does(place: str, expected: str | bool) -> None:
    assert DatabaseUrl.parse(f"postgresql://a@{place}").asyncpg_arguments()["ssl"] == expected


@pytest.mark.parametrize("name", ["sslrootcert", "sslcert"])
def test_names_a_missing_certificate(name: str, tmp_path: Path) -> None:
    file = tmp_path / "authority.pem"
    url = DatabaseUrl.parse(f"postgresql://a@h/d?sslmode=require&{name}={file}")
    with pytest.raises(DatabaseUrlError, match=f"no file {file}"):
        url.asyncpg_arguments()
    file.write_text("not a certificate")
    with pytest.raises(DatabaseUrlError, match="certificates cannot be used"):
        url.asyncpg_arguments()


@pytest.mark.parametrize("text", ["postgresql://h/d", "postgresql://:HIDDEN@h/d", "postgres:///d"])
def test_says_where_a_user_is_missing(text: str) -> None:
    with pytest.raises(DatabaseUrlError) as raised:
        DatabaseUrl.parse(text)
    assert raised.value.message == "DATABASE_URL cannot be used: it names no user"
    assert raised.value.remedy == "expected postgresql://user:password@host:5432/database"


def test_leaves_nothing_to_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What asyncpg makes of the arguments with every variable of libpq's set, and with none."""
    argument_names = inspect.signature(asyncpg.connect).parameters
    missing = {
        name: argument.default
        for name, argument in argument_names.items()
        if name not in {"loop", "timeout", "connection_class", "record_class"}
    }

    # the stubs leave out what is private
    read = connect_utils._parse_connect_arguments  # type: ignore[attr-defined]

    def connection_parameters(url: str) -> str:
        addresses, parameters, _ = read(**missing | DatabaseUrl.parse(url).asyncpg_arguments())
        shown = parameters._replace(password=parameters.password(), ssl=bool(parameters.ssl))
        return f"{addresses} {shown}"

    urls = ("postgresql://a@h/d", "postgresql://a:b@127.0.0.1:7/d", "postgresql://a@/d?host=/run")
    before = [connection_parameters(url) for url in urls]
    (tmp_path / ".pgpass").write_text("*:*:*:*:of-the-file\n")
    (tmp_path / ".pgpass").chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    source = inspect.getsource(connect_utils)
    names = set(re.findall(r"(?:getenv|environ\.get)\(\s*['\"](PG[A-Z]+)['\"]", source))
    assert {"PGUSER", "PGPASSWORD", "PGTARGETSESSIONATTRS", "PGSSLNEGOTIATION"} <= names
    for name in names - CERTIFICATE_VARIABLES:
        monkeypatch.setenv(name, "standby" if name == "PGTARGETSESSIONATTRS" else "nonsense")
    assert [connection_parameters(url) for url in urls] == before


def test_is_a_value() -> None:
    url = DatabaseUrl.parse("postgresql://a:b@h/d")
    assert url == DatabaseUrl.parse("postgres://a:b@h:5432/d")
    assert len({url, DatabaseUrl.parse("postgres://a:b@h:5432/d")}) == 1
    with pytest.raises(AttributeError):
        cast("object", url).__setattr__("host", "other")
