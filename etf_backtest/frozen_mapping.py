"""A mapping that nobody can change: hashable, and it can be pickled."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn, Self, TypeVar, get_args

from etf_backtest.typing import JsonValue

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler
    from pydantic_core import CoreSchema

K = TypeVar("K")
V = TypeVar("V")


class FrozenMapping(Mapping[K, V]):
    """Items in the order in which they were given.

    Equal to any mapping with the same items; hashable if its values are; a copy is the object
    itself. ``dict(mapping)`` is a new dict that can be changed and written as JSON. A pydantic
    model takes it as the type of a field: any mapping is accepted, and dumped as a dict.
    """

    __slots__ = ("_items",)
    _items: dict[K, V]

    def __init__(self, items: Mapping[K, V] | Iterable[tuple[K, V]] = ()) -> None:
        object.__setattr__(self, "_items", dict(items))

    def __getitem__(self, key: K) -> V:
        return self._items[key]

    def __iter__(self) -> Iterator[K]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __hash__(self) -> int:
        return hash(frozenset(self._items.items()))

    def __repr__(self) -> str:
        return repr(self._items)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"{type(self).__name__} is frozen: {name} cannot be set")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"{type(self).__name__} is frozen: {name} cannot be deleted")

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self

    def __reduce__(self) -> tuple[Callable[..., Self], tuple[tuple[tuple[K, V], ...]]]:
        return type(self), (tuple(self._items.items()),)

    @classmethod
    def __get_pydantic_core_schema__(
        cls, source: type[Any], handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        from pydantic_core import core_schema  # late: only models need it

        key, value = get_args(source) or (Any, Any)
        items = core_schema.dict_schema(
            handler.generate_schema(key), handler.generate_schema(value)
        )
        return core_schema.no_info_after_validator_function(
            cls,
            items,
            serialization=core_schema.plain_serializer_function_ser_schema(
                dict, return_schema=items
            ),
        )


def frozen_json(value: JsonValue) -> JsonValue:
    """The same JSON value, in which mappings are frozen and lists are tuples, however deep."""
    if isinstance(value, Mapping):
        return FrozenMapping({key: frozen_json(item) for key, item in value.items()})
    if isinstance(value, Sequence) and not isinstance(value, str):
        return tuple(frozen_json(item) for item in value)
    return value


def plain_json(value: JsonValue) -> JsonValue:
    """The same JSON value as new dicts and lists, however deep: what `json.dumps` takes."""
    if isinstance(value, Mapping):
        return {key: plain_json(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [plain_json(item) for item in value]
    return value
