"""Stored strategies: those of the system and users' own."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from etf_backtest.database.models import (
    ForeignKeyViolationError,
    StrategyType,
    UniqueViolationError,
    to_json,
)
from etf_backtest.errors import (
    EtfBacktestError,
    InvalidParametersError,
    InvalidPortfolioError,
    NameTakenError,
    NotFoundError,
    StrategyInUseError,
    SystemStrategyError,
    UnknownStrategyError,
)
from etf_backtest.services.access import Action, strategies_to
from etf_backtest.services.acting import Who, acting_user
from etf_backtest.services.portfolios import check_description, check_name, parse_uuid
from etf_backtest.services.written import explained, meant
from etf_backtest.strategies import STRATEGIES, find_strategy_class
from etf_backtest.typing import JsonObject

if TYPE_CHECKING:
    from etf_backtest.database.connection import Database
    from etf_backtest.database.models import Strategy as StrategyRow
    from etf_backtest.strategies import Strategy

CUSTOM = "custom"
"""The type of a row whose class is not the package's: `implementation` names its entry point."""

_REFERENCES = re.compile(
    r"^References\n-+\n(.*?)(?=^\w[^\n]*\n-{3,}$|\Z)", re.DOTALL | re.MULTILINE
)


@dataclass(frozen=True, slots=True)
class StrategyKind:
    """What a strategy's row says about its class."""

    stored_type: str
    implementation: str | None
    strategy: type[Strategy]

    def checked(self, parameters: Mapping[str, object]) -> JsonObject:
        """The parameters with every default filled in, as JSON.

        Raises
        ------
        InvalidParametersError
            Naming the parameter that is out of bounds, missing or unknown.
        """
        model = self.strategy.Parameters
        try:
            values: JsonObject = model.model_validate(dict(parameters)).model_dump(mode="json")
        except InvalidParametersError as error:
            raise explained(error, error.owner, error.accepted) from None
        return values

    def schema(self) -> JsonObject:
        """The JSON schema of the parameters."""
        schema: JsonObject = self.strategy.Parameters.model_json_schema()
        return schema


def strategy_kind(name: str) -> StrategyKind:
    """What a type stands for: a registered name, or the name of somebody's entry point.

    Parameters
    ----------
    name : str
        As in the database or with dashes ("dual_momentum", "dual-momentum"), or the name of an
        entry point of the group etf_backtest.strategies, which may follow "custom:".

    Raises
    ------
    UnknownStrategyError, EntryPointError
        It is neither, or the entry point cannot be used.
    """
    registered = name.replace("-", "_")
    if registered in STRATEGIES:
        return StrategyKind(registered, None, STRATEGIES[registered])
    entry_point = name.removeprefix(f"{CUSTOM}:")
    try:
        strategy = find_strategy_class(entry_point)
    except UnknownStrategyError as error:
        if error.name != entry_point:
            raise  # a package's own mistake
        same = [each for each in error.known if each.replace("_", "-") == name.replace("_", "-")]
        if same:  # an entry point, with hyphens for underscores
            return strategy_kind(f"{CUSTOM}:{same[0]}")
        error.remedy = meant(registered, error.known) or error.remedy
        raise
    if entry_point in STRATEGIES:  # custom:momentum
        return StrategyKind(entry_point, None, strategy)
    return StrategyKind(CUSTOM, entry_point, strategy)


def kind_of(row: StrategyRow) -> StrategyKind:
    """What a stored strategy's type and implementation stand for.

    Raises
    ------
    UnknownStrategyError, EntryPointError
        Its entry point is not installed here, or cannot be used.
    """
    if row.implementation is None:
        return strategy_kind(str(row.type))
    return strategy_kind(f"{CUSTOM}:{row.implementation}")


def build_stored(row: StrategyRow, allocations: Mapping[str, float]) -> Strategy:
    """The strategy of a row, for a portfolio's allocations.

    Raises
    ------
    UnknownStrategyError, EntryPointError, InvalidParametersError, AllocationError
        The row or the allocations do not make one.
    """
    return kind_of(row).strategy.from_stored(dict(row.parameters), allocations)


async def create_strategy(
    db: Database,
    *,
    name: str,
    kind: str,
    parameters: Mapping[str, object] | None = None,
    description: str | None = None,
    user: Who = None,
) -> StrategyRow:
    """Store a strategy of the user's, with all its parameters and their JSON schema.

    Parameters
    ----------
    kind : str
        See `strategy_kind`.
    parameters : mapping, optional
        What differs from the defaults.
    description : str, optional
        By default the first line of the class's docstring.
    user : Actor or str, optional
        Whose it is: see `acting_user`.

    Raises
    ------
    UnknownStrategyError, EntryPointError, InvalidParametersError, InvalidPortfolioError
        Saying which value is wrong and what was expected; nothing was stored.
    NameTakenError
        The user, or the system, has a strategy of that name.
    """
    check_name(name)
    check_description(description)
    if parse_uuid(name) is not None:
        raise InvalidPortfolioError(f"the name {name!r} looks like an id", remedy="use another")
    await _refuse_system_name(db, name)
    chosen = strategy_kind(kind)
    values = chosen.checked(parameters or {})
    actor = await acting_user(db, user)
    try:
        return await db.strategy.create(
            data={
                "userId": actor.id,
                "name": name,
                "type": StrategyType(chosen.stored_type),
                "implementation": chosen.implementation,
                "description": description or first_line(chosen.strategy.__doc__),
                "parameters": to_json(values),
                "parametersSchema": to_json(chosen.schema()),
            }
        )
    except UniqueViolationError:
        raise NameTakenError("strategy", name) from None


async def _refuse_system_name(db: Database, name: str) -> None:
    """A strategy that hides one of the system would be run in its place without a word."""
    plain = name.casefold().replace("_", "-")
    rows = await db.strategy.find_many(where={"isSystem": True})
    if plain in {each.replace("_", "-") for each in (*STRATEGIES, *(row.name for row in rows))}:
        raise NameTakenError("strategy", name, of_system=True)


def first_line(docstring: str | None) -> str | None:
    """What a docstring says first."""
    lines = (docstring or "").strip().splitlines()
    return lines[0].strip() if lines else None


def stored_schema(row: StrategyRow) -> JsonObject:
    """The JSON schema of a row's parameters, in the order of the class where that is at hand.

    A row that is older than the column has the schema of its class; JSONB keeps no order of names.
    """
    try:
        current: JsonObject | None = kind_of(row).schema()
    except EtfBacktestError:  # its entry point is not installed here
        current = None
    stored = row.parametersSchema
    if stored is None:
        return current or {}
    schema = dict(cast("JsonObject", stored))
    properties, order = schema.get("properties"), (current or {}).get("properties")
    if isinstance(properties, dict) and isinstance(order, dict):
        rank = {name: number for number, name in enumerate(order)}
        schema["properties"] = dict(
            sorted(properties.items(), key=lambda item: rank.get(item[0], len(rank)))
        )
    return schema


def references(row: StrategyRow) -> str | None:
    """What the class of a row says it follows: the section References of its docstring."""
    try:
        text = inspect.getdoc(kind_of(row).strategy) or ""
    except EtfBacktestError:  # its entry point is not installed here
        return None
    section = _REFERENCES.search(text)
    return None if section is None else " ".join(section[1].split())


async def list_strategies(
    db: Database, *, to: Action = "run", user: Who = None
) -> list[StrategyRow]:
    """What the user can run: the system's strategies first, then the user's own, by name."""
    actor = await acting_user(db, user)
    return await db.strategy.find_many(
        where=strategies_to(to, actor), order=[{"isSystem": "desc"}, {"name": "asc"}]
    )


async def find_strategy(
    db: Database, name_or_id: str, *, to: Action = "run", user: Who = None
) -> StrategyRow:
    """The strategy of that name or id; the user's own goes before the system's of the same name.

    Both can be there only where an earlier release stored the user's.

    Parameters
    ----------
    name_or_id : str
    to : "see", "change" or "run"
        The system's are found to be seen and run.
    user : Actor or str, optional
        See `acting_user`.

    Raises
    ------
    NotFoundError
        There is none; the message names those that are there.
    """
    strategies = await list_strategies(db, to=to, user=user)
    strategy_id = parse_uuid(name_or_id)
    for strategy in reversed(strategies):
        if strategy_id == strategy.id if strategy_id else name_or_id == strategy.name:
            return strategy
    known = [strategy.name for strategy in strategies]
    raise NotFoundError("strategy", name_or_id, known=known, command="strategy list")


async def find_own_strategy(db: Database, name_or_id: str, *, user: Who = None) -> StrategyRow:
    """The user's strategy of that name or id, to change it.

    Raises
    ------
    NotFoundError
        The user has none of that name or id; the message names those that are there.
    SystemStrategyError
        It is one of the system's.
    """
    strategy = await find_strategy(db, name_or_id, to="see", user=user)
    if strategy.isSystem:
        raise SystemStrategyError(strategy.name)
    return strategy


async def delete_strategy(db: Database, name_or_id: str, *, user: Who = None) -> None:
    """Delete a strategy of the user's that no backtest was run with.

    Raises
    ------
    NotFoundError, SystemStrategyError
        See `find_own_strategy`.
    StrategyInUseError
        Backtests were run with it.
    """
    strategy = await find_own_strategy(db, name_or_id, user=user)
    try:
        await db.strategy.delete_many(where={"id": strategy.id})
    except ForeignKeyViolationError:
        used = await db.backtest.count(where={"strategyId": strategy.id})
        raise StrategyInUseError(strategy.name, count=used) from None
