"""The package of a generated client, found from its `Prisma` class and never imported by name.

prisma-client-py copies its whole base package beside every generated client, error classes and
field types included, so two clients in one process have two of everything. Whatever the engine
raises or subclasses must come from the package of the client that it serves.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from types import ModuleType
from typing import Any, NoReturn
from weakref import WeakKeyDictionary

from etf_backtest.database.engine._values import ArgumentEncoder, ValueRefusedError

QUERY_LOGGER = "prisma.query"
"""The logger that gets every SQL statement of a client with `log_queries=True`, at level INFO."""

query_log = logging.getLogger(QUERY_LOGGER)


@dataclass(frozen=True, slots=True)
class EngineResponse:
    """What prisma-client-py expects beside the body of an error: here there is no HTTP."""

    status: int = 200


@dataclass(frozen=True, slots=True, eq=False)
class ClientPackage:
    """The parts of a generated client's package that the engine needs.

    The types are `Any` where they belong to a package that is only known when the program runs.
    """

    name: str
    engine: ModuleType
    errors: ModuleType
    builder: ModuleType
    client: ModuleType
    encoder: ArgumentEncoder
    scalars: WeakKeyDictionary[type, dict[str, Any]] = field(default_factory=WeakKeyDictionary)
    """The selection of all scalar fields of a model, once it has been asked for."""

    def raise_errors(self, errors: list[dict[str, Any]]) -> NoReturn:
        """Raise the class that prisma-client-py has for the first of the engine's errors."""
        self.engine.utils.handle_response_errors(EngineResponse(), errors)
        raise AssertionError("handle_response_errors returned")

    def refused(self, reason: ValueRefusedError) -> Exception:
        """The error for a value that must not be sent: it is the caller's, not the database's."""
        message = f"Input error. {reason}"
        facing = {
            "error_code": "P2019",
            "message": message,
            "meta": {"details": str(reason)},
            "is_panic": False,
        }
        error: Exception = self.errors.InputError({"error": message, "user_facing_error": facing})
        return error

    def engine_error(self, message: str) -> Exception:
        """The engine cannot be used as asked."""
        error: Exception = self.engine.errors.EngineError(message)
        return error

    def connection_error(self, message: str, code: str | None = None) -> Exception:
        """The engine or its database cannot be reached; `code` is Prisma's, for example P1000."""
        error: Exception = self.engine.errors.EngineConnectionError(message)
        error.code = code  # type: ignore[attr-defined]  # the class has no room for it of its own
        return error

    def transaction_error(self, message: str) -> Exception:
        """The transaction is gone."""
        error: Exception = self.errors.TransactionError(message)
        return error


def package_of(client_class: type) -> ClientPackage:
    """Find the package that `client_class`, a subclass of a generated `Prisma`, comes from."""
    for base in client_class.__mro__:
        if base.__name__ == "AsyncBasePrisma":
            return _load(base)
    raise TypeError(
        f"{client_class.__name__} must come after WasmEngineMixin from a client that prisma 0.15.0 "
        'generated with interface = "asyncio"'
    )


@cache
def _load(base: type) -> ClientPackage:
    # by the class and not by name: a package may be generated and imported again
    name = base.__module__.rpartition(".")[0]
    fields = import_module(f"{name}.fields")
    constants = import_module(f"{name}._constants")
    engine = import_module(f"{name}.engine")
    import_module(f"{name}.engine.utils")
    return ClientPackage(
        name=name,
        engine=engine,
        errors=import_module(f"{name}.errors"),
        builder=import_module(f"{name}._builder"),
        client=import_module(f"{name}.client"),
        encoder=ArgumentEncoder(
            json_type=fields.Json,
            base64_type=fields.Base64,
            aliases=constants.QUERY_BUILDER_ALIASES,
        ),
    )
