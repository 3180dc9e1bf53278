"""A PostgreSQL URL as a value: read, changed, written, and shown without its password.

The forms that Prisma, libpq and asyncpg share are understood; where they differ (an empty host, an
empty database name, `sslcert`) Prisma's reading is taken, because Prisma gets the same URL.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, NotRequired, TypedDict, get_args
from urllib.parse import quote, unquote

from etf_backtest.errors import DatabaseUrlError

if TYPE_CHECKING:
    import ssl

    import asyncpg
    from asyncpg.connect_utils import SessionAttribute

DEFAULT_PORT: Final = 5432
DEFAULT_DATABASE: Final = "postgres"
SslMode = Literal["disable", "allow", "prefer", "require", "verify-ca", "verify-full"]
SSL_MODES: Final[tuple[SslMode, ...]] = get_args(SslMode)
SCHEMES: Final = ("postgresql://", "postgres://")
MASK: Final = "***"

# Parts of the address that libpq allows after the question mark.
_ADDRESS_PARAMETERS: Final = frozenset({"user", "password", "port", "dbname", "host"})
_SECRET_PARAMETERS: Final = frozenset({"sslpassword"})
_ENCODE: Final = (
    "percent-encode special characters in the user and password: "
    "@ is %40, : is %3A, / is %2F, ? is %3F, # is %23"
)


class AsyncpgArguments(TypedDict):
    """Keyword arguments of `asyncpg.connect` and `asyncpg.create_pool`."""

    host: str
    port: int
    user: str
    password: Callable[[], str]
    database: str
    ssl: Literal["prefer"] | ssl.SSLContext | bool
    direct_tls: bool
    target_session_attrs: SessionAttribute
    krbsrvname: str
    gsslib: Literal["gssapi"]
    server_settings: dict[str, str]
    timeout: NotRequired[float]
    statement_cache_size: NotRequired[int]
    connection_class: NotRequired[type[asyncpg.Connection[asyncpg.Record]]]


@dataclass(frozen=True, slots=True, repr=False)
class DatabaseUrl:
    """Where a database is and how to get in. `str()` and `repr()` never show the password."""

    host: str
    """A name or address (IPv6 without brackets); what TLS certificates are checked against."""
    port: int
    database: str
    user: str
    password: str | None = field(default=None, repr=False)
    socket_directory: str | None = None
    """The directory of a unix socket (`?host=/directory`); then `host` is not connected to."""
    parameters: tuple[tuple[str, str], ...] = ()
    """What follows the question mark, decoded, in order, less what is a field of its own."""

    @classmethod
    def parse(cls, text: str, *, source: str = "DATABASE_URL") -> DatabaseUrl:
        """Read a URL.

        Parameters
        ----------
        text : str
            For example `postgresql://user:password@host:5432/database?schema=public`.
        source : str
            What the URL is called in messages.

        Raises
        ------
        DatabaseUrlError
            The text cannot be read. The message holds no part of the text that may be a password.
        """
        address, pairs = _split(text.strip(), source)
        user, password, host, port, database = _read_address(address, source)
        given = dict(pairs)
        hostname = given.get("host", host)
        if "," in hostname:
            raise DatabaseUrlError(source, "it names more than one host")
        on_socket = hostname.startswith("/")
        port_number = _read_port(given.get("port", port), source)
        user = given.get("user", user)
        if not user:
            # libpq would take the login name, Prisma's engine would not: say it rather than differ
            raise DatabaseUrlError(source, "it names no user")
        return cls(
            # a socket has no name of its own; the one that was written stands for it in the URL
            host=("localhost" if host.startswith("/") or not host else host)
            if on_socket
            else hostname or "localhost",
            port=port_number,
            database=given.get("dbname", database) or DEFAULT_DATABASE,
            user=user,
            password=given.get("password", password),
            socket_directory=hostname if on_socket else None,
            parameters=tuple(pair for pair in pairs if pair[0] not in _ADDRESS_PARAMETERS),
        )

    def parameter(self, name: str) -> str | None:
        """The last value of a parameter, or None."""
        return dict(self.parameters).get(name)

    @property
    def schema(self) -> str | None:
        """The schema that `?schema=` names."""
        return self.parameter("schema") or None

    @property
    def pooled(self) -> bool:
        """Whether it leads to pgbouncer, which may give each transaction another connection."""
        return self.parameter("pgbouncer") == "true"

    @property
    def server(self) -> str:
        """The server, for messages: `host:port` or the socket's directory."""
        if self.socket_directory is not None:
            return self.socket_directory
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def with_database(self, name: str) -> DatabaseUrl:
        """The same server, another database."""
        return replace(self, database=name)

    def render(self) -> str:
        """The URL with its password, in the form that Prisma and `new URL` accept."""
        return self._write(lambda secret: quote(secret, safe=""))

    def redacted(self) -> str:
        """The URL to show: every secret replaced by `***`."""
        return self._write(lambda _: MASK)

    def __str__(self) -> str:
        return self.redacted()

    def __repr__(self) -> str:
        return f"DatabaseUrl({self.redacted()!r})"

    def _write(self, secret: Callable[[str], str]) -> str:
        login = quote(self.user, safe="")
        if self.password is not None:
            login += f":{secret(self.password)}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        pairs = [
            f"{quote(name, safe='')}="
            + (secret(value) if name in _SECRET_PARAMETERS else quote(value, safe="/"))
            for name, value in self.parameters
        ]
        if self.socket_directory is not None:
            pairs.insert(0, f"host={quote(self.socket_directory, safe='/')}")
        query = "?" if pairs else ""
        place = f"{host}:{self.port}/{quote(self.database, safe='')}"
        return f"postgresql://{login}@{place}{query}{'&'.join(pairs)}"

    def asyncpg_arguments(self) -> AsyncpgArguments:
        """What `asyncpg.connect(**arguments)` needs; the password is behind a function.

        The query engine reads nothing but the URL, so what libpq's variables and files
        (`PGPASSWORD`, `~/.pgpass`, `PGTARGETSESSIONATTRS`, ...) would fill in is given here. One
        thing is left to them: with `sslmode=prefer` the client's certificate and TLS versions.

        Raises
        ------
        DatabaseUrlError
            TLS parameters cannot be used: unknown mode, missing or unreadable certificate.
        """
        from asyncpg.connect_utils import SessionAttribute  # not before something connects

        password = self.password or ""  # no function, no password: then others would be looked for
        arguments = AsyncpgArguments(
            host=self.socket_directory or self.host,
            port=self.port,
            user=self.user,
            password=lambda: password,
            database=self.database,
            ssl=self._tls(),
            direct_tls=False,
            target_session_attrs=SessionAttribute.any,
            krbsrvname="postgres",
            gsslib="gssapi",
            server_settings=self._server_settings(),
        )
        if timeout := self.parameter("connect_timeout"):
            try:
                seconds = float(timeout)
            except ValueError:
                raise DatabaseUrlError("the URL", "connect_timeout is not a number") from None
            # 0 is libpq's and Prisma's "for ever"
            arguments["timeout"] = seconds or 3600.0
        if self.pooled:
            from etf_backtest.database.pooled_connection import PooledConnection

            if self.schema not in {None, "public"}:
                raise DatabaseUrlError(
                    "the URL",
                    "schema cannot be combined with pgbouncer=true, other than schema=public",
                    remedy="connect to the server itself, or keep the tables in public",
                )
            arguments["server_settings"].pop("search_path", None)
            arguments["statement_cache_size"] = 0
            arguments["connection_class"] = PooledConnection
        return arguments

    def _server_settings(self) -> dict[str, str]:
        settings = {
            name: value
            for name in ("application_name", "options")
            if (value := self.parameter(name)) is not None
        }
        if self.schema is not None:
            settings["search_path"] = '"' + self.schema.replace('"', '""') + '"'
        return settings

    def tls(self) -> tuple[SslMode, str | None]:
        """The TLS mode by libpq's name, and the file of the authority to verify against, if any.

        Raises
        ------
        DatabaseUrlError
            There is no such mode.
        """
        if self.socket_directory is not None:
            return "disable", None
        # by default and for "allow" what the query engine does
        local = self.host in ("localhost", "::1") or self.host.startswith("127.")
        mode = _read_ssl_mode(self.parameter("sslmode") or ("disable" if local else "prefer"))
        authority = self.parameter("sslrootcert")
        if authority is None and self.parameter("sslkey") is None:
            # without a key this is Prisma's name for the authority's certificate
            authority = self.parameter("sslcert")
        if mode == "allow":
            mode = "disable"
        elif mode == "require" and self.parameter("sslaccept") == "strict":
            mode = "verify-full"
        elif mode == "require" and authority is not None:
            # as libpq does: whoever names an authority wants it asked
            mode = "verify-ca"
        return mode, authority

    def _tls(self) -> Literal["prefer"] | ssl.SSLContext | bool:
        mode, authority = self.tls()
        if mode == "disable":
            return False
        return mode if mode == "prefer" else self._tls_context(mode, authority)

    def _tls_context(self, mode: SslMode, authority: str | None) -> ssl.SSLContext:
        import ssl  # only for who verifies: it takes longer than everything else here

        try:
            system = authority in (None, "system")
            context = ssl.create_default_context(cafile=None if system else authority)
            context.check_hostname = mode == "verify-full"
            if mode == "require":
                context.verify_mode = ssl.CERT_NONE
            if key := self.parameter("sslkey"):
                certificate = self.parameter("sslcert") or key
                context.load_cert_chain(certificate, key, self.parameter("sslpassword"))
        except (OSError, ssl.SSLError) as error:
            names = ("sslrootcert", "sslcert", "sslkey")
            files = [path for name in names if (path := self.parameter(name))]
            missing = [path for path in files if not Path(path).is_file()]
            reason = f"there is no file {missing[0]}" if missing else f"{error.strerror or error}"
            raise DatabaseUrlError(
                "the URL", f"its certificates cannot be used: {reason}"
            ) from None
        return context


def _split(text: str, source: str) -> tuple[str, list[tuple[str, str]]]:
    """The address, and the decoded parameters."""
    scheme = next((scheme for scheme in SCHEMES if text.startswith(scheme)), None)
    if scheme is None:
        raise DatabaseUrlError(source, "it does not start with postgresql:// or postgres://")
    # a fragment means nothing to a database, so it is a password that was not encoded
    if "#" in text or not text.isprintable():
        raise DatabaseUrlError(source, "it has a character that must be encoded", remedy=_ENCODE)
    address, _, query = text.removeprefix(scheme).partition("?")
    if "@" in query and "@" not in address:
        raise DatabaseUrlError(source, "it has a ? before the @", remedy=_ENCODE)
    pairs = []
    for part in filter(None, query.split("&")):
        name, _, value = part.partition("=")
        pairs.append((_decode(name, source), _decode(value, source)))
    return address, pairs


def _read_address(address: str, source: str) -> tuple[str | None, str | None, str, str | None, str]:
    """User, password, host, port and database of `user:password@host:port/database`."""
    authority, _, database = address.partition("/")
    if "@" in database and "@" not in authority:
        raise DatabaseUrlError(source, "it has a / before the @", remedy=_ENCODE)
    login, _, place = authority.rpartition("@")
    user, colon, password = login.partition(":")
    if place.startswith("["):
        host, bracket, port = place[1:].partition("]")
        if not bracket or (port and not port.startswith(":")):
            raise DatabaseUrlError(source, "the brackets of its IPv6 address do not match")
        port = port[1:]
    else:
        host, _, port = place.partition(":")
    return (
        _decode(user, source) or None,
        _decode(password, source) if colon else None,
        _decode(host, source),
        port or None,
        _decode(database, source),
    )


def _read_port(port: str | None, source: str) -> int:
    if not port:
        return DEFAULT_PORT
    if not (port.isascii() and port.isdecimal() and 0 < int(port) < 65536):
        # not quoted: after a stray character it may be the end of a password
        raise DatabaseUrlError(source, "its port is not a number from 1 to 65535", remedy=_ENCODE)
    return int(port)


def _read_ssl_mode(text: str) -> SslMode:
    for mode in SSL_MODES:
        if mode == text:
            return mode
    raise DatabaseUrlError("the URL", f"sslmode is {text!r}, expected {', '.join(SSL_MODES)}")


def _decode(text: str, source: str) -> str:
    try:
        decoded = unquote(text, errors="strict")
    except UnicodeDecodeError:
        raise DatabaseUrlError(source, "its %-codes are not UTF-8") from None
    if "\0" in decoded:
        raise DatabaseUrlError(source, "it has a %00, which PostgreSQL cannot hold")
    return decoded
