"""`batch_()`: the generated `Batch` with queries in the JSON protocol."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from pydantic_core import from_json

from etf_backtest.database.engine._protocol import Query
from etf_backtest.database.engine._values import ValueRefusedError

if TYPE_CHECKING:
    from etf_backtest.database.engine._client_package import ClientPackage


class JsonBatch:
    """Mixed into the generated `Batch`, whose own state is private to it; see `batch_class`."""

    package: ClientPackage

    def __init__(self, client: Any) -> None:
        super().__init__(client)  # type: ignore[call-arg]  # Batch comes next in the MRO
        self._json_client = client
        self._json_bodies: list[dict[str, Any]] = []

    def _add(self, *, method: str, arguments: dict[str, Any], **options: Any) -> None:
        builder = self._json_client._make_query_builder(
            method=method,
            arguments=arguments,
            model=options.get("model"),
            root_selection=options.get("root_selection"),
        )
        try:
            self._json_bodies.append(builder.body())
        except ValueRefusedError as reason:
            raise self.package.refused(reason) from None

    async def commit(self) -> None:
        """Run the queries in one transaction; nothing is kept when one of them fails."""
        bodies = self._json_bodies
        self._json_bodies = []
        batch = {"batch": bodies, "transaction": {"isolationLevel": None}}
        try:
            payload = self.package.encoder.text(batch, bodies)
        except ValueRefusedError as reason:
            raise self.package.refused(reason) from None
        await self._json_client._engine.query(
            Query(payload, from_json), tx_id=self._json_client._tx_id
        )


@cache
def batch_class(package: ClientPackage) -> Any:
    """The generated `Batch` of `package`, with the JSON protocol in the place of GraphQL."""
    return type(
        "Batch",
        (JsonBatch, package.client.Batch),
        {"package": package, "__doc__": JsonBatch.__doc__},
    )
