"""Prisma's official query engine, as WebAssembly in a Node child process, for prisma-client-py.

`WasmEngineMixin` goes before any client that prisma 0.15.0 generated with `interface = "asyncio"`::

    class Database(WasmEngineMixin, Prisma): ...

Nothing here knows a schema, imports a generated client or reads settings.
"""

from etf_backtest.database.engine._client_package import QUERY_LOGGER
from etf_backtest.database.engine._command import EngineCommand
from etf_backtest.database.engine._mixin import WasmEngineMixin

__all__ = ["QUERY_LOGGER", "EngineCommand", "WasmEngineMixin"]
