"""What to run as options: one signature here, which several commands have in place of `asked`."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from etf_backtest.cli.options import parse_date
from etf_backtest.cli.rule_options import (
    RULES_FILE,
    Given,
    in_options,
    lone_offset,
    merged,
    with_rule_options,
)

if TYPE_CHECKING:
    from etf_backtest.services.request import RunArguments as RunArguments
else:
    RunArguments = dict  # Typer evaluates annotations, and the real one takes long to import

RUN_CONTEXT: Final = {"allow_extra_args": True}
"""Of a command with these options: what is left over is told with a hint at quotes."""


def read_options(
    context: typer.Context,
    portfolio: Annotated[str, typer.Option("--portfolio", "-p", help="Name or id.")],
    strategy: Annotated[str, typer.Option("--strategy", "-s", help="Name or id.")],
    rules: Given,
    start: Annotated[
        str | None, typer.Option("--from", help="First day, 2015-01-31; all there is by default.")
    ] = None,
    end: Annotated[
        str | None, typer.Option("--to", help="Last day; all there is by default.")
    ] = None,
    benchmark: Annotated[
        str | None, typer.Option("--benchmark", "-b", help="A symbol to compare with.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="A name for the row.")] = None,
    rules_file: RULES_FILE = None,
    no_proxies: Annotated[
        bool, typer.Option("--no-proxies", help="Only a fund's own prices (see etf splice).")
    ] = False,
) -> RunArguments:
    """What was typed, as the services take it.

    Raises
    ------
    typer.BadParameter, InvalidParametersError, RateError
        An option has a value that is not understood.
    """
    if context.args:
        raise typer.BadParameter(
            f"{' '.join(context.args)!r} is left over: what has blanks in it needs quotes, "
            "--cash-flow '-500 monthly' for one"
        )
    if benchmark is not None and not benchmark.strip():
        raise typer.BadParameter("give a symbol", param_hint="--benchmark")
    first = None if start is None else parse_date(start, "--from")
    last = None if end is None else parse_date(end, "--to")
    if first and last and first >= last:
        raise typer.BadParameter(f"{last} is not after {first}", param_hint="--to")
    from etf_backtest.errors import InvalidParametersError
    from etf_backtest.services.rules_file import read_rules, rules_of

    file = {} if rules_file is None else read_rules(rules_file)
    fields, offset = merged(file, rules), lone_offset(file, rules)
    try:
        chosen, risk_free = rules_of(fields)
    except InvalidParametersError as error:
        raise in_options(error, rules) from None
    return {
        "portfolio": portfolio,
        "strategy": strategy,
        "rules": chosen,
        "start": first,
        "end": last,
        "benchmark": benchmark,
        "name": name,
        "risk_free": risk_free,
        "rebalance_offset": offset,
        "proxies": not no_proxies,
    }


def with_run_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options above in place of its first parameter, `asked`.

    Typer reads a command's signature; this writes one.
    """
    options = inspect.signature(read_options, eval_str=True).parameters
    own = inspect.signature(command, eval_str=True)
    beside = [parameter for name, parameter in own.parameters.items() if name != "asked"]

    @wraps(command)
    def run(**values: Any) -> None:
        asked = read_options(**{name: values.pop(name) for name in options})
        command(asked=asked, **values)

    run.__signature__ = own.replace(parameters=[*options.values(), *beside])  # type: ignore[attr-defined]
    return with_rule_options(run)
