"""The query builder: a client's method and its arguments -> a query in Prisma's JSON protocol.

It takes the place of prisma-client-py's builder, which writes GraphQL text: that text forgets types
and, being indented line by line, puts spaces into strings that hold U+2028.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from etf_backtest.database.engine._results import decode_aggregates, decode_raw, decode_records
from etf_backtest.database.engine._values import ValueRefusedError

if TYPE_CHECKING:
    from etf_backtest.database.engine._client_package import ClientPackage

ACTIONS: Mapping[str, str] = {
    "create": "createOne",
    "create_many": "createMany",
    "delete": "deleteOne",
    "delete_many": "deleteMany",
    "update": "updateOne",
    "update_many": "updateMany",
    "upsert": "upsertOne",
    "count": "aggregate",
    "group_by": "groupBy",
    "find_many": "findMany",
    "find_first": "findFirst",
    "find_first_or_raise": "findFirstOrThrow",
    "find_unique": "findUnique",
    "find_unique_or_raise": "findUniqueOrThrow",
    "query_raw": "queryRaw",
    "query_first": "queryRaw",
    "execute_raw": "executeRaw",
}
RAW_METHODS = frozenset({"query_raw", "query_first", "execute_raw"})


@dataclass(frozen=True, slots=True)
class Query:
    """A query that is ready to be sent, and how its reply is to be read."""

    payload: bytes
    decode: Callable[[bytes], Any]


class JsonProtocol:
    """Mixed into the `QueryBuilder` of a client's package; see `builder_class`."""

    package: ClientPackage

    if TYPE_CHECKING:
        method: str
        arguments: dict[str, Any]
        include: dict[str, Any] | None
        model: Any
        root_selection: list[str] | None
        prisma_models: set[str]
        relational_field_mappings: dict[str, dict[str, str]]

        def get_default_fields(self, model: Any) -> list[str]:
            """Inherited from QueryBuilder."""

        def get_relational_model(self, current_model: Any, field: str) -> Any:
            """Inherited from QueryBuilder."""

    def __init__(
        self,
        *,
        method: str,
        arguments: dict[str, Any],
        prisma_models: set[str],
        relational_field_mappings: dict[str, dict[str, str]],
        model: Any = None,
        root_selection: list[str] | None = None,
    ) -> None:
        self.method = method
        self.prisma_models = prisma_models
        self.relational_field_mappings = relational_field_mappings
        self.root_selection = root_selection
        self.arguments = {k: v for k, v in arguments.items() if v is not None and k != "include"}
        self.include = arguments.get("include")
        # raw queries may name any pydantic model
        self.model = None if method in RAW_METHODS else model
        self.for_model = model is not None
        if self.model is not None and not hasattr(self.model, "__prisma_model__"):
            raise self.package.errors.InvalidModelError(self.model)

    def build(self) -> Query:
        """Build the query that the engine is sent."""
        try:
            return Query(self.package.encoder.text(self.body(), self.arguments), self._decoder())
        except ValueRefusedError as reason:
            raise self.package.refused(reason) from None

    def body(self) -> dict[str, Any]:
        """The query in Prisma's JSON protocol, not yet written as text.

        Raises
        ------
        ValueRefusedError
            A value cannot be sent.
        """
        body: dict[str, Any] = {"action": ACTIONS[self.method]}
        if self.model is not None:
            body["modelName"] = self.model.__prisma_model__
        body["query"] = {"arguments": self._arguments(), "selection": self._selection()}
        return body

    def _arguments(self) -> object:
        encoder = self.package.encoder
        if self.method not in RAW_METHODS:
            return encoder.argument(self.arguments)
        parameters = encoder.raw_parameters(self.arguments["parameters"])
        return {"query": self.arguments["query"], "parameters": parameters}

    def _selection(self) -> dict[str, Any]:
        if self.root_selection is not None:
            return dict(map(_selected, self.root_selection))
        return {} if self.model is None else self._fields(self.model, self.include)

    def _fields(self, model: Any, include: Mapping[str, Any] | None) -> dict[str, Any]:
        scalars = self.package.scalars.get(model)
        if scalars is None:
            scalars = dict.fromkeys(self.get_default_fields(model), True)
            self.package.scalars[model] = scalars
        if not include:
            return scalars
        selection: dict[str, Any] = dict(scalars)
        for name, value in include.items():
            if value is False:
                continue
            if value is not True and not isinstance(value, dict):
                raise TypeError(
                    f"Expected `bool` or `dict` include value but got {type(value)} instead."
                )
            options: dict[str, Any] = {} if value is True else value
            arguments = {k: v for k, v in options.items() if v is not None and k != "include"}
            related = self.get_relational_model(current_model=model, field=name)
            selection[name] = {
                "arguments": self.package.encoder.argument(arguments),
                "selection": self._fields(related, options.get("include")),
            }
        return selection

    def _decoder(self) -> Callable[[bytes], Any]:
        if self.method in RAW_METHODS:
            return partial(decode_raw, for_model=self.for_model)
        if self.method == "group_by":
            return partial(decode_aggregates, float_fields=_float_fields(self.model))
        return decode_records


def _selected(item: str) -> tuple[str, Any]:
    """Read what the generated actions write: `name` or `name { field field }`."""
    name, _, fields = item.partition("{")
    if not fields:
        return name.strip(), True
    names = fields.replace("}", " ").split()
    return name.strip(), {"arguments": {}, "selection": dict.fromkeys(names, True)}


def _float_fields(model: Any) -> frozenset[str]:
    return frozenset(
        name
        for name, info in model.model_fields.items()
        if info.annotation is float or float in getattr(info.annotation, "__args__", ())
    )


@cache
def builder_class(package: ClientPackage) -> Any:
    """The `QueryBuilder` of `package`, with the JSON protocol in the place of GraphQL."""
    return type(
        "JsonQueryBuilder",
        (JsonProtocol, package.builder.QueryBuilder),
        {"__slots__": (), "package": package, "__doc__": JsonProtocol.__doc__},
    )
