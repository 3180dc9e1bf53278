"""The engine object that prisma-client-py talks to."""

from __future__ import annotations

import asyncio
import atexit
import weakref
from collections.abc import Mapping
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic_core import from_json, to_json

from etf_backtest.database.engine._client_package import ClientPackage, query_log
from etf_backtest.database.engine._command import EngineCommand
from etf_backtest.database.engine._frames import Operation
from etf_backtest.database.engine._process import (
    EngineProcess,
    EngineReplyError,
    EngineStoppedError,
    WrongLoopError,
)

if TYPE_CHECKING:
    from etf_backtest.database.engine._protocol import Query

CONNECT_WITHIN = timedelta(seconds=10)

_open_engines: weakref.WeakSet[WasmEngine] = weakref.WeakSet()


class ConcealedUrl(str):
    """A database URL that tracebacks with local variables do not show: it may hold a password."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'<database URL>'"


class WasmEngine:
    """An `AsyncAbstractEngine` whose engine is a child process; see `engine_class`.

    When the process dies, queries in flight fail, transactions are gone, and the next query outside
    of a transaction starts a new process.
    """

    package: ClientPackage

    def __init__(self, *, dml_path: Path, command: EngineCommand, log_queries: bool) -> None:
        self.dml_path = dml_path
        self._command = command
        self._log_queries = log_queries
        self._process: EngineProcess | None = None
        self._url = ""
        self._connecting = False
        self._restart: asyncio.Task[EngineProcess] | None = None

    @property
    def process_id(self) -> int | None:
        """The child's process id, while there is one."""
        return None if self._process is None else self._process.pid

    async def connect(
        self,
        timeout: timedelta = CONNECT_WITHIN,  # noqa: ASYNC109  # the name is prisma-client-py's
        datasources: list[Mapping[str, str]] | None = None,
    ) -> None:
        """Start the engine and reach the database.

        Raises
        ------
        AlreadyConnectedError
        EngineConnectionError
            With Prisma's code as `code`: P1000 password, P1001 host, P1003 database, and so on.
        """
        if self._process is not None or self._connecting:
            raise self.package.engine.errors.AlreadyConnectedError(
                "Already connected to the query engine"
            )
        if not datasources:
            raise self.package.connection_error("There is no database URL to connect to")
        self._url = datasources[0]["url"]
        self._connecting = True
        try:
            self._process = await self._start(timeout)
        finally:
            self._connecting = False
        _open_engines.add(self)

    async def _start(self, timeout: timedelta = CONNECT_WITHIN) -> EngineProcess:  # noqa: ASYNC109
        if not self._command.script.is_file():
            raise self.package.connection_error(
                f"The query engine has not been built: {self._command.script} is missing "
                "(npm run build:engine)"
            )
        try:
            process = EngineProcess(self._command, _log_query)
        except OSError as error:
            raise self.package.connection_error(f"Node cannot be started: {error}") from error
        connected = False
        try:
            async with asyncio.timeout(timeout.total_seconds()):
                await self._send_settings(process)
            connected = True
        except TimeoutError:
            raise self.package.connection_error(
                f"Could not connect to the query engine within {timeout.total_seconds():g} s"
            ) from None
        except EngineStoppedError as error:
            # where it was raised, local variables hold the URL
            error.__traceback__ = None
            raise self.package.connection_error(f"Could not connect: {error}") from None
        except EngineReplyError as error:
            facing = from_json(error.payload)[0]["user_facing_error"]
            code = facing.get("error_code")
            message = f"{code}: {facing['message']}" if code else facing["message"]
            raise self.package.connection_error(message, code) from None
        finally:
            if not connected:
                process.kill()
        return process

    def _send_settings(self, process: EngineProcess) -> asyncio.Future[bytes]:
        """Ask `process` to connect; the URL is in no frame that waits for the answer."""
        settings = {
            "url": self._url,
            "datamodel": self.dml_path.read_text(encoding="utf-8"),
            "logQueries": self._log_queries,
        }
        return process.request(Operation.CONNECT, to_json(settings))

    async def _request(
        self, operation: Operation, payload: bytes = b"", transaction: str | None = None
    ) -> bytes:
        process = self._process
        if process is None:
            raise self.package.engine.errors.NotConnectedError("Not connected to the query engine")
        try:
            try:
                return await process.request(operation, payload, transaction or "")
            except EngineStoppedError as error:
                if error.sent or transaction is not None:
                    raise
            return await (await self._restarted(process)).request(operation, payload)
        except EngineReplyError as error:
            self.package.raise_errors(from_json(error.payload))
        except WrongLoopError as error:
            raise self.package.engine_error(
                f"This client is {error}: give each event loop a client of its own"
            ) from None
        except EngineStoppedError as error:
            raise self._lost(error, operation, transaction) from None

    def _lost(
        self, error: EngineStoppedError, operation: Operation, transaction: str | None
    ) -> Exception:
        """What a request comes to whose engine has stopped."""
        unknown = "it may or may not have been carried out"
        if transaction is None:
            return self.package.connection_error(f"{error} while the query was running: {unknown}")
        if operation is Operation.COMMIT and error.sent:
            return self.package.transaction_error(f"{error} during the commit: {unknown}")
        return self.package.transaction_error(
            f"Transaction lost: {error}; the database has rolled it back"
        )

    async def _restarted(self, dead: EngineProcess) -> EngineProcess:
        """A new process in the place of `dead`, started once for all who ask."""
        if self._process is not dead and self._process is not None:
            return self._process
        restart = self._restart
        here = asyncio.get_running_loop()
        if restart is None or restart.done() or restart.get_loop() is not here:
            self._restart = restart = here.create_task(self._replace(dead))
        return await asyncio.shield(restart)

    async def _replace(self, dead: EngineProcess) -> EngineProcess:
        process = await self._start()
        if self._process is not dead:
            # disconnected in the meantime
            await process.aclose()
            raise self.package.engine.errors.NotConnectedError("Not connected to the query engine")
        self._process = process
        return process

    async def query(self, content: Query, *, tx_id: str | None) -> Any:
        """Run a query of `JsonProtocol.build`; the result stands where prisma-client-py looks."""
        reply = await self._request(Operation.QUERY, content.payload, tx_id)
        if reply.startswith(b'{"errors"'):
            self.package.raise_errors(from_json(reply)["errors"])
        return {"data": {"result": content.decode(reply)}}

    async def start_transaction(self, *, content: str) -> str:
        """Start an interactive transaction and return its id."""
        starting = asyncio.ensure_future(self._request(Operation.START, content.encode()))
        try:
            reply = await asyncio.shield(starting)
        except asyncio.CancelledError:
            # it may start all the same, and nobody would end it
            starting.add_done_callback(self._abandon)
            raise
        transaction: str = from_json(reply)["id"]
        return transaction

    def _abandon(self, starting: asyncio.Task[bytes]) -> None:
        if not starting.cancelled() and starting.exception() is None and self._process is not None:
            transaction = from_json(starting.result())["id"]
            ending = self._process.request(Operation.ROLLBACK, transaction=transaction)
            ending.add_done_callback(lambda future: future.cancelled() or future.exception())

    async def commit_transaction(self, tx_id: str) -> None:
        """Commit a transaction; its id is of no use afterwards."""
        await self._request(Operation.COMMIT, transaction=tx_id)

    async def rollback_transaction(self, tx_id: str) -> None:
        """Roll a transaction back; its id is of no use afterwards."""
        await self._request(Operation.ROLLBACK, transaction=tx_id)

    async def metrics(self, *, format: str, global_labels: dict[str, str] | None) -> Any:  # noqa: A002
        """Read the engine's counters, as text for Prometheus or as the JSON of `Metrics`."""
        options = {"format": format, "global_labels": global_labels}
        reply = await self._request(Operation.METRICS, to_json(options))
        return reply.decode() if format == "prometheus" else from_json(reply)

    def stop(self, *, timeout: timedelta | None = None) -> None:
        """Stop the engine from code that cannot wait: `__del__`, the end of the program."""
        self.close(timeout=timeout)

    def close(self, *, timeout: timedelta | None = None) -> None:
        """Stop the engine; transactions are rolled back."""
        process, self._process = self._process, None
        if process is not None:
            process.close(None if timeout is None else timeout.total_seconds())

    async def aclose(self, *, timeout: timedelta | None = None) -> None:  # noqa: ASYNC109
        """Stop the engine without holding up the event loop."""
        process, self._process = self._process, None
        if process is not None:
            await process.aclose(None if timeout is None else timeout.total_seconds())


def _log_query(event: bytes) -> None:
    details = from_json(event)
    query_log.info(
        "%s [%.2f ms]%s",
        details["query"],
        details["duration_ms"],
        " failed" if details["failed"] else "",
        extra={"params": details["params"], "duration_ms": details["duration_ms"]},
    )


@atexit.register
def _close_all() -> None:
    for engine in list(_open_engines):
        engine.close()


@cache
def engine_class(package: ClientPackage) -> type[WasmEngine]:
    """`WasmEngine` as a subclass of the `AsyncAbstractEngine` of `package`."""
    return type(
        "WasmEngine",
        (WasmEngine, package.engine.AsyncAbstractEngine),
        {"package": package, "__doc__": WasmEngine.__doc__},
    )
