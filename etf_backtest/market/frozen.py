"""Values of arrays that stay read-only in their copies, too."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import TypeVar

import numpy as np

F = TypeVar("F", bound="FrozenArrays")


class FrozenArrays:
    """Base of frozen dataclasses with arrays: they are read-only, and so are copied ones.

    NumPy forgets on the way that an array was not to be written to.
    """

    __slots__ = ()

    def __post_init__(self) -> None:
        """Take write access from the arrays; nobody else may keep them to write to."""
        for field in fields(self):  # type: ignore[arg-type]
            value = getattr(self, field.name)
            if isinstance(value, np.ndarray):
                value.flags.writeable = False

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        """How copy and pickle make another one: from the fields, without a second check."""
        values = (getattr(self, field.name) for field in fields(self))  # type: ignore[arg-type]
        return restored, (type(self), *values)


def restored(kind: type[F], *values: object) -> F:
    """A value of these fields, in their order, which were those of one before; nothing is checked.

    Arrays are taken as they are, not copied.
    """
    value = object.__new__(kind)
    for field, part in zip(fields(kind), values, strict=True):  # type: ignore[arg-type]
        if isinstance(part, np.ndarray):
            part.flags.writeable = False
        object.__setattr__(value, field.name, part)
    return value
