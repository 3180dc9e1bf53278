"""Backtest portfolios of ETFs, and keep the results in a PostgreSQL database you own.

Names are imported when they are first used, so that importing the package costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from etf_backtest.version import VERSION

if TYPE_CHECKING:
    from etf_backtest import metrics
    from etf_backtest.database.connection import (
        Database,
        connect,
    )
    from etf_backtest.errors import (
        EtfBacktestError,
    )
    from etf_backtest.market import (
        ForwardFill,
        PriceBasis,
        PricePanel,
    )
    from etf_backtest.market.rates import (
        DatedRates,
    )
    from etf_backtest.providers.frame_prices import (
        frame_prices,
    )
    from etf_backtest.providers.price_files import (
        open_prices,
    )
    from etf_backtest.providers.sample_prices import (
        sample_panel,
    )
    from etf_backtest.services.accounts import (
        create_user,
    )
    from etf_backtest.services.acting import (
        acting_user,
    )
    from etf_backtest.services.backtest import (
        BacktestRun,
        run_backtest,
    )
    from etf_backtest.services.email_verification import (
        email_verification_token,
        verify_email,
    )
    from etf_backtest.services.ingest import (
        import_prices,
    )
    from etf_backtest.services.price_check import (
        check_stored_prices,
    )
    from etf_backtest.services.price_export import (
        export_prices,
    )
    from etf_backtest.services.price_panel import (
        load_prices,
    )
    from etf_backtest.services.sign_in import (
        sign_in,
    )
    from etf_backtest.services.submission import (
        cancel_backtest,
        retry_backtest,
        submit_backtest,
    )
    from etf_backtest.settings import (
        Settings,
        load_settings,
    )
    from etf_backtest.simulation import (
        Bands,
        CashFlow,
        Costs,
        Rebalancing,
        Rules,
        SimulationResult,
        simulate,
    )
    from etf_backtest.simulation.ledger import (
        LedgerResult,
        simulate_ledger,
    )
    from etf_backtest.simulation.many import (
        ManyResults,
        simulate_many,
    )
    from etf_backtest.strategies import (
        BuyAndHold,
        DualMomentum,
        EqualRiskContribution,
        EqualWeight,
        FixedWeights,
        InverseVolatility,
        LookAheadProof,
        MaximumSharpe,
        MinimumVariance,
        Momentum,
        MovingAverage,
        Strategy,
        VolatilityTarget,
        available_strategies,
        prove_no_lookahead,
        strategy_from_dict,
    )

__version__ = VERSION

__all__ = [
    "BacktestRun",
    "Bands",
    "BuyAndHold",
    "CashFlow",
    "Costs",
    "Database",
    "DatedRates",
    "DualMomentum",
    "EqualRiskContribution",
    "EqualWeight",
    "EtfBacktestError",
    "FixedWeights",
    "ForwardFill",
    "InverseVolatility",
    "LedgerResult",
    "LookAheadProof",
    "ManyResults",
    "MaximumSharpe",
    "MinimumVariance",
    "Momentum",
    "MovingAverage",
    "PriceBasis",
    "PricePanel",
    "Rebalancing",
    "Rules",
    "Settings",
    "SimulationResult",
    "Strategy",
    "VolatilityTarget",
    "acting_user",
    "available_strategies",
    "cancel_backtest",
    "check_stored_prices",
    "connect",
    "create_user",
    "email_verification_token",
    "export_prices",
    "frame_prices",
    "import_prices",
    "load_prices",
    "load_settings",
    "metrics",
    "open_prices",
    "prove_no_lookahead",
    "retry_backtest",
    "run_backtest",
    "sample_panel",
    "sign_in",
    "simulate",
    "simulate_ledger",
    "simulate_many",
    "strategy_from_dict",
    "submit_backtest",
    "verify_email",
]

_HOMES = {
    "BacktestRun": "services.backtest",
    "Bands": "simulation",
    "BuyAndHold": "strategies",
    "CashFlow": "simulation",
    "Costs": "simulation",
    "Database": "database.connection",
    "DatedRates": "market.rates",
    "DualMomentum": "strategies",
    "EqualRiskContribution": "strategies",
    "EqualWeight": "strategies",
    "EtfBacktestError": "errors",
    "FixedWeights": "strategies",
    "ForwardFill": "market",
    "InverseVolatility": "strategies",
    "LedgerResult": "simulation.ledger",
    "LookAheadProof": "strategies",
    "ManyResults": "simulation.many",
    "MaximumSharpe": "strategies",
    "MinimumVariance": "strategies",
    "Momentum": "strategies",
    "MovingAverage": "strategies",
    "PriceBasis": "market",
    "PricePanel": "market",
    "Rebalancing": "simulation",
    "Rules": "simulation",
    "Settings": "settings",
    "SimulationResult": "simulation",
    "Strategy": "strategies",
    "VolatilityTarget": "strategies",
    "acting_user": "services.acting",
    "available_strategies": "strategies",
    "cancel_backtest": "services.submission",
    "check_stored_prices": "services.price_check",
    "connect": "database.connection",
    "create_user": "services.accounts",
    "email_verification_token": "services.email_verification",
    "export_prices": "services.price_export",
    "frame_prices": "providers.frame_prices",
    "import_prices": "services.ingest",
    "load_prices": "services.price_panel",
    "load_settings": "settings",
    "open_prices": "providers.price_files",
    "prove_no_lookahead": "strategies",
    "retry_backtest": "services.submission",
    "run_backtest": "services.backtest",
    "sample_panel": "providers.sample_prices",
    "sign_in": "services.sign_in",
    "simulate": "simulation",
    "simulate_ledger": "simulation.ledger",
    "simulate_many": "simulation.many",
    "strategy_from_dict": "strategies",
    "submit_backtest": "services.submission",
    "verify_email": "services.email_verification",
}


def __getattr__(name: str) -> object:
    if name == "metrics":
        return import_module("etf_backtest.metrics")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
