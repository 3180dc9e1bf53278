"""The base of models whose values people write: rules, parameters of strategies."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Self

from pydantic import (
    BaseModel,
    ConfigDict,
    ModelWrapValidatorHandler,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails

from etf_backtest.errors import InvalidParametersError
from etf_backtest.errors.wording import quoted, shortened


class ValidatedModel(BaseModel):
    """A frozen model that takes no unknown names and says in one line what is wrong.

    Raises
    ------
    InvalidParametersError
        On construction, in place of pydantic's ValidationError.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @model_validator(mode="wrap")
    @classmethod
    def _say_it_in_one_line(cls, data: object, handler: ModelWrapValidatorHandler[Self]) -> Self:
        problems: list[str]
        try:
            model = handler(data)
        except ValidationError as error:
            problems = [_one_line(problem) for problem in error.errors()]
        else:
            problems = list(model.contradictions())
            if not problems:
                return model
        raise InvalidParametersError(
            cls.__name__.removesuffix("Parameters"), problems, accepted=tuple(cls.model_fields)
        ) from None

    def contradictions(self) -> Iterator[str]:
        """Yield what is wrong with values that are each in bounds, but not together."""
        yield from ()


def _one_line(problem: ErrorDetails) -> str:
    where = ".".join(shortened(str(part)) for part in problem["loc"]) or "value"
    message = problem["msg"].removeprefix("Value error, ")
    return f"{where}: {message[:1].lower()}{message[1:]}, received {quoted(problem['input'])}"
