"""Why metrics are undefined: a mapping that nobody can change, and that can be pickled."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NoReturn


class Reasons(Mapping[str, str]):
    """Names of undefined metrics and the reason for each, in the order of the metrics.

    Equal to any mapping with the same items; hashable; a copy is the object itself.
    """

    __slots__ = ("_reasons",)
    _reasons: dict[str, str]

    def __init__(self, reasons: Mapping[str, str] | Iterable[tuple[str, str]] = ()) -> None:
        object.__setattr__(self, "_reasons", dict(reasons))

    def __getitem__(self, name: str) -> str:
        return self._reasons[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._reasons)

    def __len__(self) -> int:
        return len(self._reasons)

    def __hash__(self) -> int:
        return hash(frozenset(self._reasons.items()))

    def __repr__(self) -> str:
        return repr(self._reasons)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"the reasons are frozen: {name} cannot be set")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"the reasons are frozen: {name} cannot be deleted")

    def __copy__(self) -> Reasons:
        return self

    def __deepcopy__(self, memo: object) -> Reasons:
        return self

    def __reduce__(self) -> tuple[type[Reasons], tuple[tuple[tuple[str, str], ...]]]:
        return Reasons, (tuple(self._reasons.items()),)
