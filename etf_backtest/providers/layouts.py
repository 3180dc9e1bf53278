"""What the columns of a table of prices are, told by their names and by the caller's word.

What a number means is never guessed from its value.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from etf_backtest.errors import LayoutError
from etf_backtest.errors.wording import listed, quoted
from etf_backtest.market.bar import is_symbol
from etf_backtest.providers.headers import (
    ALIASES,
    DISTRIBUTIONS,
    SYMBOL_NAMES,
    Format,
    format_of,
    normalised,
)
from etf_backtest.providers.symbol_names import symbol_of_stem

PriceField = Literal["close", "adjusted_close"]
Closes = Literal["traded", "split-adjusted"]
DateForm = Literal["iso", "midnight", "compact"]

FORMATS: tuple[Format, ...] = get_args(Format)
SAYS_SPLIT_ADJUSTED: Mapping[Format, bool] = {"yahoo": True, "alphavantage": False}
"""Whether closes are divided by later splits, where the vendor documents it."""

_BY_FORMAT: Mapping[Format, str] = {
    "yahoo": "Yahoo Finance",
    "stooq": "Stooq",
    "alphavantage": "Alpha Vantage",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceOptions:
    """What the caller says of prices that do not say it themselves.

    Attributes
    ----------
    format : {"long", "wide", "yahoo", "stooq", "alphavantage"}, optional
        The form of the table, where its header does not tell.
    symbol : str, optional
        The symbol of a table that has no column of symbols.
    wide_field : {"close", "adjusted_close"}, optional
        What the numbers of a wide table are, or the closes of an export that does not tell.
    closes : {"traded", "split-adjusted"}, optional
        Whether closes are as traded or divided by later splits.
    no_distributions : bool
        These symbols paid no dividends and did not split: 0 and 1 where the table is silent.
    """

    format: Format | None = None
    symbol: str | None = None
    wide_field: PriceField | None = None
    closes: Closes | None = None
    no_distributions: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """What each column is, and how its cells are to be read.

    Attributes
    ----------
    format : str
    names : tuple of str
        The header as it stands.
    fields : tuple of str or None
        What each column is: symbol, date, one of `SCALES`, split_adjusted, capital_gains, period,
        clock; None of those that are not taken.
    symbols : tuple of str
        Of a wide table: the symbol of each column after the first.
    symbol : str, optional
        The one symbol of a table that has no column of them.
    split_adjusted : bool, optional
        Whether its closes are divided by later splits; None where nobody has said it of all of
        them: a column split_adjusted may say it of each.
    no_distributions : bool
        Dividends and splits are 0 and 1 where the table is silent.
    """

    format: Format
    names: tuple[str, ...]
    fields: tuple[str | None, ...]
    symbols: tuple[str, ...] = ()
    symbol: str | None = None
    split_adjusted: bool | None = None
    no_distributions: bool = False

    @property
    def wide(self) -> bool:
        """One column a symbol?"""
        return bool(self.symbols)

    @property
    def taken(self) -> tuple[int, ...]:
        """Positions of the columns that have a meaning."""
        return tuple(i for i, field in enumerate(self.fields) if field is not None)

    @property
    def ignored(self) -> tuple[str, ...]:
        """Names of the columns that are not taken."""
        pairs = zip(self.names, self.fields, strict=True)
        return tuple(name for name, field in pairs if field is None)

    @property
    def dates(self) -> DateForm:
        """The form of dates: 2024-01-31, the same with midnight's clock time, or 20240131."""
        if "clock" in self.fields:
            return "compact"
        return "midnight" if self.format == "yahoo" else "iso"

    @property
    def unknowns(self) -> tuple[str, ...]:
        """What stands in a cell without value; Yahoo wrote "null" for years."""
        return ("", "null") if self.format == "yahoo" else ("",)

    @property
    def rounds_volume(self) -> bool:
        """Stooq divides volumes by splits, too, and gives fractions of shares."""
        return self.format == "stooq"


def layout_of(names: Sequence[str], options: PriceOptions, *, stem: str | None = None) -> Layout:
    """Tell what the columns of a table are.

    Parameters
    ----------
    names : sequence of str
        Its header.
    options : PriceOptions
    stem : str, optional
        The file's name without its endings, which is where exports of one symbol say it.

    Raises
    ------
    LayoutError
        The names are not those of prices, or the caller has to say more, or less.
    """
    _check_words(options)
    header = tuple(name.strip() for name in names)
    form = options.format or format_of(header)
    if form == "wide":
        return _wide(header, options)
    aliases = ALIASES[form]
    fields = [aliases.get(normalised(name)) for name in header]
    if "symbol" not in fields and any(normalised(name) in SYMBOL_NAMES for name in header):
        raise LayoutError(
            f"has a column of symbols, which the form of {_BY_FORMAT[form]} has not",
            remedy="leave --format out",
        )
    _check_fields(form, header, fields)
    _say_closes(form, fields, options)
    ignored = [name for name, field in zip(header, fields, strict=True) if field is None]
    looks_like = next((name for name in ignored if DISTRIBUTIONS.search(name)), None)
    if options.no_distributions and looks_like is not None:
        raise LayoutError(
            f"has the column {quoted(looks_like)}, which looks like distributions",
            remedy="name it dividend_amount or split_ratio (1 where there was none), or take it "
            "out, before you say that there were none",
        )
    return Layout(
        format=form,
        names=header,
        fields=tuple(fields),
        symbol=_one_symbol(form, fields, options, stem),
        split_adjusted=_split_adjusted(form, options) if "close" in fields else None,
        no_distributions=options.no_distributions,
    )


def _check_words(options: PriceOptions) -> None:
    """Words from a notebook, which no command line has looked at."""
    for name, said, words in (
        ("format", options.format, FORMATS),
        ("wide_field", options.wide_field, get_args(PriceField)),
        ("closes", options.closes, get_args(Closes)),
    ):
        if said is not None and said not in words:
            raise LayoutError(
                f"cannot be read with {name}={said!r}", remedy=f"say one of {listed(words)}"
            )


def _wide(header: tuple[str, ...], options: PriceOptions) -> Layout:
    if normalised(header[0] if header else "") != "date":
        raise LayoutError(
            f"has the header {quoted(','.join(header))}",
            remedy="a wide table has date and one column a symbol",
        )
    if options.wide_field is None:
        raise LayoutError(
            "has one column a symbol and does not say what its numbers are",
            remedy="say it with --field close or --field adjusted_close",
        )
    if options.symbol is not None:
        raise LayoutError("has one column a symbol", remedy="leave the symbol option out")
    symbols = tuple(name.upper() if name.isascii() else name for name in header[1:])
    if not symbols:
        raise LayoutError("has a date column and no symbols beside it")
    if wrong := [symbol for symbol in symbols if not is_symbol(symbol)]:
        raise LayoutError(f"has the header {quoted(wrong[0])}, which is no symbol")
    if len(set(symbols)) < len(symbols):
        twice = next(symbol for symbol in symbols if symbols.count(symbol) > 1)
        raise LayoutError(f"has the column {twice} twice")
    return Layout(
        format="wide",
        names=header,
        fields=("date", *(options.wide_field for _ in symbols)),
        symbols=symbols,
        split_adjusted=_split_adjusted("wide", options) if options.wide_field == "close" else None,
        no_distributions=options.no_distributions,
    )


def _check_fields(form: Format, header: tuple[str, ...], fields: list[str | None]) -> None:
    """A date and a close, and nothing twice."""
    known = [field for field in fields if field is not None]
    twice = sorted({field for field in known if known.count(field) > 1})
    if twice:
        raise LayoutError(f"has the column {twice[0]} twice")
    wanted = _BY_FORMAT.get(form)
    other = f"is not in the form of {wanted}: " if wanted else ""
    have = f"its columns are {listed(header)}"
    if "date" not in known:
        raise LayoutError(f"{other}has no column date", remedy=have)
    if not {"close", "adjusted_close"} & set(known):
        raise LayoutError(f"{other}has neither a column close nor adjusted_close", remedy=have)


def _say_closes(form: Format, fields: list[str | None], options: PriceOptions) -> None:
    """Put what the caller says of the closes into the fields; demand it where it is open."""
    adjusts = form == "stooq" or (form == "yahoo" and "adjusted_close" not in fields)
    if not adjusts:
        if options.wide_field is not None:
            raise LayoutError(
                "has a header that already says what each number is",
                remedy="leave --field (wide_field) out, or give files that need it by themselves",
            )
        return
    if options.wide_field is None:
        why = {
            "stooq": "Stooq's files do not say whether their closes are adjusted for dividends",
            "yahoo": "yfinance writes closes without Adj Close where it has adjusted them itself "
            "(auto_adjust, its default), or only their open, high and low (back_adjust)",
        }[form]
        raise LayoutError(
            f"has closes of which it does not say what they are: {why}",
            remedy="say --field adjusted_close if dividends are in them, or --field close",
        )
    if options.wide_field == "adjusted_close":
        for position, field in enumerate(fields):
            if field == "close":
                fields[position] = "adjusted_close"
            elif field in ("open", "high", "low"):  # adjusted, too: no column is theirs
                fields[position] = None


def _split_adjusted(form: Format, options: PriceOptions) -> bool | None:
    said = None if options.closes is None else options.closes == "split-adjusted"
    documented = SAYS_SPLIT_ADJUSTED.get(form)
    if documented is None or said is None:
        return documented if said is None else said
    if said != documented:
        what = "split-adjusted" if documented else "as traded"
        raise LayoutError(
            f"is in the form of {_BY_FORMAT[form]}, whose closes are {what}, "
            f"and you say --closes {options.closes}",
            remedy="leave it out, or say --format long and --symbol if it is not from there",
        )
    return documented


def _one_symbol(
    form: Format, fields: Sequence[str | None], options: PriceOptions, stem: str | None
) -> str | None:
    """The symbol of a table without a column of them, as it is kept: upper case."""
    if "symbol" in fields:
        if options.symbol is not None:
            raise LayoutError("has a column of symbols", remedy="leave the symbol option out")
        return None
    symbol = options.symbol
    if symbol is None and form != "long":
        symbol = symbol_of_stem(form, stem or "")
    if symbol is None:
        name = f", and its name {quoted(stem)} is none" if stem and form != "long" else ""
        raise LayoutError(
            f"has the bars of one symbol and does not say which{name}", remedy="say it: --symbol"
        )
    symbol = symbol.strip().upper()
    if not is_symbol(symbol):
        raise LayoutError(f"cannot be of {quoted(symbol)}, which is no symbol")
    return symbol
