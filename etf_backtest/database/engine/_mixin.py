"""What a generated client is mixed with to run on the WASM engine."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from etf_backtest.database.engine._batch import batch_class
from etf_backtest.database.engine._client_package import package_of, query_log
from etf_backtest.database.engine._command import EngineCommand
from etf_backtest.database.engine._engine import ConcealedUrl, engine_class
from etf_backtest.database.engine._protocol import builder_class


class WasmEngineMixin:
    """Put before a generated client: `class Database(WasmEngineMixin, Prisma)`.

    The client's public API and its types stay as they are. Differences that can be seen: numerics
    of raw queries are `Decimal` and not `float`, `group_by` returns the types that its signature
    names, and values that PostgreSQL cannot hold are refused before they are sent.

    With `log_queries=True` every statement goes to the logger `prisma.query` at level INFO; when
    nobody listens there, to standard error.
    """

    engine_command: ClassVar[EngineCommand] = EngineCommand(
        script=Path(__file__).parent / "dist" / "query_engine.mjs"
    )
    """How the engine is started; a subclass may name a folder for Node's compile cache."""

    __slots__ = ()

    # Type checkers see the generated client's own methods: the same signatures, with its types.
    if not TYPE_CHECKING:

        def _create_engine(self, dml_path: Path | None = None) -> Any:
            if self._log_queries:
                _show_queries()
            return self._engine_class(
                dml_path=dml_path or self._packaged_schema_path,
                command=self.engine_command,
                log_queries=self._log_queries,
            )

        @property
        def _engine_class(self) -> Any:
            return engine_class(package_of(type(self)))

        async def connect(self, *args: Any, **kwargs: Any) -> None:
            """Start the engine and connect to the database; needed before anything else."""
            connected = self._internal_engine is not None
            try:
                await super().connect(*args, **kwargs)
            except BaseException:
                # or `is_connected()` would be true from now on
                if not connected:
                    self._internal_engine = None
                raise

        def _prepare_connect_args(self, **kwargs: Any) -> Any:
            # hidden for the moment: prisma-client-py logs it, password and all
            datasource, self._datasource = self._datasource, None
            try:
                timeout, _ = super()._prepare_connect_args(**kwargs)
            finally:
                self._datasource = datasource
            # the frames that wait for the connection hold this list: it shows no password
            return timeout, [{"url": ConcealedUrl((datasource or self._default_datasource)["url"])}]

        def _make_query_builder(
            self, *, method: Any, arguments: Any, model: Any, root_selection: Any
        ) -> Any:
            return builder_class(package_of(type(self)))(
                method=method,
                model=model,
                arguments=arguments,
                root_selection=root_selection,
                prisma_models=self._prisma_models,
                relational_field_mappings=self._relational_field_mappings,
            )

        def batch_(self) -> Any:
            """Group write queries into one transaction."""
            return batch_class(package_of(type(self)))(self)


def _show_queries() -> None:
    """prisma-client-py promises that queries are seen: if nobody listens, on standard error."""
    if not query_log.hasHandlers():
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("%(message)s"))
        query_log.addHandler(handler)
    if not query_log.isEnabledFor(logging.INFO):
        query_log.setLevel(logging.INFO)
