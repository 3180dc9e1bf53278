"""What the command line shows: data on stdout, narration on stderr. The only importer of Rich."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Literal

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from etf_backtest.errors.wording import one_line, printable

Justify = Literal["left", "right"]
RULE = "\u2500- "
"""What the line below a table's header is made of."""


def narrate(message: str) -> None:
    """Say on stderr what is going on."""
    Console(stderr=True, highlight=False, soft_wrap=True).print(escape(printable(message)))


def warn(message: str) -> None:
    """Say on stderr what somebody who reads the numbers must know."""
    text = Text.assemble(("warning: ", "yellow"), printable(message))
    Console(stderr=True, highlight=False, soft_wrap=True).print(text)


def fail(message: str, remedy: str | None = None) -> None:
    """Say on stderr, on one line, what went wrong and what to do about it."""
    parts: list[str | tuple[str, str]] = [("error: ", "bold red"), one_line(message)]
    if remedy:
        parts += [" -> ", one_line(remedy)]
    Console(stderr=True, highlight=False, soft_wrap=True).print(Text.assemble(*parts))


@contextmanager
def counting(what: str) -> Iterator[Callable[[int], None]]:
    """Count on stderr what is done, where somebody looks on; call what it gives with the number."""
    console = Console(stderr=True, highlight=False)
    columns = (SpinnerColumn(), TextColumn(f"{{task.completed:,}} {what}"), TimeElapsedColumn())
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done: bar.update(task, completed=done)


def show_json(data: object) -> None:
    """Print data as JSON on stdout."""
    text = json.dumps(data, indent=2, default=str, ensure_ascii=False, allow_nan=False)
    lines = (line if line.isprintable() else _json_escaped(line) for line in text.split("\n"))
    sys.stdout.writelines(f"{line}\n" for line in lines)


def _json_escaped(line: str) -> str:
    """The same JSON: what a terminal would obey stands in strings only, where it may be escaped."""
    return "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in line)


def show_json_line(data: object) -> None:
    """Print data as JSON on one line of stdout, at once."""
    json.dump(data, sys.stdout, default=str, ensure_ascii=False, allow_nan=False)
    sys.stdout.write("\n")
    sys.stdout.flush()


def show_line(line: str) -> None:
    """Print one plain line on stdout."""
    sys.stdout.write(f"{printable(line)}\n")


def show_table(
    title: str | None,
    columns: Sequence[tuple[str, Justify]],
    rows: Iterable[Sequence[str]],
    *,
    fold: str = "",
) -> None:
    """Print a table on stdout; cells are text, never markup; only the column `fold` is folded."""
    _print_whole(_table(title, columns, rows, fold=fold))


def is_live() -> bool:
    """Whether stdout is a terminal on which lines can be written again."""
    console = Console()
    return console.is_terminal and not console.is_dumb_terminal


@contextmanager
def live_table(
    columns: Sequence[tuple[str, Justify]], *, fold: str = ""
) -> Iterator[Callable[[Iterable[Sequence[str]]], None]]:
    """Keep a table on the terminal; call what it gives with the rows of now."""
    with Live(console=Console(highlight=False), auto_refresh=False) as live:
        yield lambda rows: live.update(_table(None, columns, rows, fold=fold), refresh=True)


def _table(
    title: str | None,
    columns: Sequence[tuple[str, Justify]],
    rows: Iterable[Sequence[str]],
    *,
    fold: str,
) -> Table:
    body = [[printable(cell) for cell in row] for row in rows]
    table = Table(
        title=title and escape(printable(title)),
        title_justify="left",
        title_style="bold",
        box=SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
    )
    for name, justify in columns:
        table.add_column(name, justify=justify, overflow="fold", no_wrap=name != fold)
        width = max((cell_len(row[len(table.columns) - 1]) for row in body), default=0)
        if name != fold:
            table.columns[-1].min_width = width
    for row in body:
        table.add_row(*(Text(cell) for cell in row))
    return table


def show_text(text: str, *, style: str = "") -> None:
    """Print text on stdout, wrapped nowhere."""
    Console(highlight=False, soft_wrap=True).print(Text(printable(text), style=style))


def show_facts(title: str, facts: Iterable[tuple[str, str]]) -> None:
    """Print names and values in two columns on stdout."""
    table = Table(
        title=escape(printable(title)),
        title_justify="left",
        title_style="bold",
        box=None,
        pad_edge=False,
        show_header=False,
    )
    table.add_column(style="cyan", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in facts:
        table.add_row(name, Text(printable(value)))
    _print_whole(table)


def _print_whole(table: Table) -> None:
    """Print a table without cutting a cell: wider than the terminal rather than wrong.

    Where no terminal is, nothing is folded, so that a line is a row, and nothing padded at its end.
    """
    console = Console(highlight=False)
    needed = console.measure(table)
    if console.is_terminal:
        console.width = max(console.width, needed.minimum)
        console.print(table, crop=False)
        return
    rule_width = console.width
    wide = Console(highlight=False, width=10_000)
    console.width = wide.measure(table).maximum
    with console.capture() as written:
        console.print(table, crop=False)
    for line in written.get().splitlines():
        is_rule = bool(line.strip()) and not line.strip(RULE)
        sys.stdout.write(f"{line[:rule_width] if is_rule else line.rstrip()}\n")


def terminal_width() -> int:
    """Columns of the terminal, 80 where there is none."""
    return Console().width


def shows_braille() -> bool:
    """Whether stdout can take the characters of a braille chart."""
    try:
        "\u28ff".encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return False
    return True
