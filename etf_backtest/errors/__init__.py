"""Every error that etf_backtest raises itself, one class per condition.

The message says what happened and where, `remedy` says what to do. The command line prints both on
one line each and exits with `exit_code`. Errors of the database's engine are prisma-client-py's own
classes (`etf_backtest.database.client.errors`).
"""

from etf_backtest.errors.base import (
    EtfBacktestError,
    NotConfirmedError,
    OutputError,
    SettingsError,
)
from etf_backtest.errors.postgres import (
    ClusterVersionError,
    DatabaseConnectionError,
    DatabaseMissingError,
    DatabaseUrlError,
    EmbeddedServerError,
)
from etf_backtest.errors.prices import (
    ContradictoryPricesError,
    MissingPolicyError,
    MissingPricesError,
    NoClosesError,
    NoPricesError,
    PriceDataError,
    PriceFileError,
    PriceProblem,
    RateError,
    UncoveredWindowError,
    UnknownSymbolError,
    WindowError,
)
from etf_backtest.errors.prisma import (
    GenerateError,
    MigrationNameError,
    NodeMissingError,
    PrismaNotInstalledError,
    ProjectNotFoundError,
    VersionMismatchError,
)
from etf_backtest.errors.records import (
    AmbiguousIdError,
    BacktestFailedError,
    InvalidPortfolioError,
    NameTakenError,
    NotFoundError,
    NothingToVerifyError,
)
from etf_backtest.errors.simulation import (
    AllocationError,
    CostsError,
    EntryPointError,
    InvalidParametersError,
    LeverageError,
    LookAheadError,
    OptimizationError,
    OptionalDependencyError,
    ReturnsError,
    SimulationError,
    UndefinedMetricError,
    UnknownStrategyError,
)
from etf_backtest.errors.studio import (
    StudioDatabaseError,
    StudioInstallError,
    StudioPortError,
    StudioStoppedError,
    StudioUrlError,
)

__all__ = [
    "AllocationError",
    "AmbiguousIdError",
    "BacktestFailedError",
    "ClusterVersionError",
    "ContradictoryPricesError",
    "CostsError",
    "DatabaseConnectionError",
    "DatabaseMissingError",
    "DatabaseUrlError",
    "EmbeddedServerError",
    "EntryPointError",
    "EtfBacktestError",
    "GenerateError",
    "InvalidParametersError",
    "InvalidPortfolioError",
    "LeverageError",
    "LookAheadError",
    "MigrationNameError",
    "MissingPolicyError",
    "MissingPricesError",
    "NameTakenError",
    "NoClosesError",
    "NoPricesError",
    "NodeMissingError",
    "NotConfirmedError",
    "NotFoundError",
    "NothingToVerifyError",
    "OptimizationError",
    "OptionalDependencyError",
    "OutputError",
    "PriceDataError",
    "PriceFileError",
    "PriceProblem",
    "PrismaNotInstalledError",
    "ProjectNotFoundError",
    "RateError",
    "ReturnsError",
    "SettingsError",
    "SimulationError",
    "StudioDatabaseError",
    "StudioInstallError",
    "StudioPortError",
    "StudioStoppedError",
    "StudioUrlError",
    "UncoveredWindowError",
    "UndefinedMetricError",
    "UnknownStrategyError",
    "UnknownSymbolError",
    "VersionMismatchError",
    "WindowError",
]
