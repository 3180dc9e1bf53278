"""How imports, fetches, checks and coverage of prices are shown."""

from __future__ import annotations

import shlex
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from etf_backtest.cli import console

if TYPE_CHECKING:
    from collections.abc import Sequence

    from etf_backtest.database.price_store import Coverage
    from etf_backtest.market.quality import Finding
    from etf_backtest.providers.source import PriceSource
    from etf_backtest.services.fetch_report import FetchReport
    from etf_backtest.services.ingest import ImportReport
    from etf_backtest.services.price_check import PriceCheck, SourceCheck, SplitCheck
    from etf_backtest.services.price_export import ExportReport

MOST_LINES = 20
"""So many findings are told one by one; the others are counted."""


def show_import(
    report: ImportReport,
    splits: SplitCheck,
    *,
    sources: Sequence[PriceSource],
    rejects: Path | None,
    json: bool,
) -> None:
    """What an import did, what contradicts the splits that are stored now, and where to look."""
    warnings = (*report.warnings, *splits.findings)
    _narrate_findings(warnings)
    if not splits.complete:
        console.narrate(
            f"splits of the first {len(splits.symbols)} symbols that have any were compared with "
            "their closes; all are by: etf-backtest prices check"
        )
    _show_stored(report, warnings, sources=sources, rejects=rejects, json=json)
    if report.store.revision is not None:
        names = report.symbols if len(report.symbols) <= 3 else ()
        command = shlex.join(["etf-backtest", "prices", "check", *names])
        console.narrate(f"look at it: {command}")


def _show_stored(
    report: ImportReport,
    warnings: Sequence[Finding],
    *,
    sources: Sequence[PriceSource],
    rejects: Path | None,
    json: bool,
) -> None:
    if json:
        console.show_json(
            {
                "sources": [source.name for source in sources],
                "symbols": list(report.symbols),
                "first_date": report.first and report.first.isoformat(),
                "last_date": report.last and report.last.isoformat(),
                "rows": report.rows,
                "inserted": report.store.inserted,
                "updated": report.store.updated,
                "unchanged": report.store.unchanged,
                "revision": report.store.revision,
                "rejected": [finding.to_dict() for finding in report.rejects],
                "rejects_file": None if rejects is None else str(rejects),
                "warnings": [finding.to_dict() for finding in warnings],
            }
        )
        return
    what = sources[0].name if len(sources) == 1 else f"{len(sources)} files"
    span = f", {report.first} to {report.last}" if report.rows else ""
    console.show_line(
        f"{what}: {_rows(report.rows)} of {_symbols(report.symbols)}{span}: "
        f"{report.store.inserted:,} inserted, {report.store.updated:,} updated, "
        f"{report.store.unchanged:,} unchanged"
    )
    if report.rejects:
        rows = len({(found.file, found.row) for found in report.rejects})
        console.warn(f"{rows:,} row{'s'[: rows != 1]} left out; see {rejects}")


def show_fetch(report: FetchReport, *, json: bool) -> None:
    """What a fetch did, symbol by symbol."""
    for each in report.symbols:
        _narrate_findings(each.findings)
    if json:
        console.show_json([each.to_dict() for each in report.symbols])
        return
    console.show_table(
        None,
        [
            ("symbol", "left"),
            ("first", "left"),
            ("last", "left"),
            ("inserted", "right"),
            ("updated", "right"),
            ("unchanged", "right"),
            ("", "left"),
        ],
        [
            (
                each.symbol,
                str(each.first or ""),
                str(each.last or ""),
                f"{each.inserted:,}",
                f"{each.updated:,}",
                f"{each.unchanged:,}",
                each.failure.message if each.failure is not None else each.anew or "",
            )
            for each in report.symbols
        ],
        fold="",
    )


def show_source_check(check: SourceCheck, *, json: bool) -> int:
    """What is wrong with files before their import; the exit code."""
    reading = check.reading
    if json:
        console.show_json(
            {
                "rows": reading.rows,
                "rejected": [finding.to_dict() for finding in reading.rejects],
                "warnings": [finding.to_dict() for finding in reading.warnings],
                "symbols": [each.to_dict() for each in check.series],
            }
        )
    else:
        _narrate([_line(finding) for finding in reading.rejects])
        _narrate_findings(reading.warnings)
        show_checks(check.series, limit=MOST_LINES, json=False)
        bad = len({(found.file, found.row) for found in reading.rejects})
        console.show_line(
            f"{_rows(reading.rows)} can be stored, {bad:,} cannot; nothing was stored"
        )
    return 1 if reading.rejects else 0


def show_checks(checks: Sequence[PriceCheck], *, limit: int, json: bool) -> None:
    """What was found in the history of each symbol."""
    if json:
        console.show_json([check.to_dict() for check in checks])
        return
    if not checks:
        console.narrate("no prices yet: etf-backtest prices import PATH (or --sample)")
        return
    rows = [
        (check.symbol, _days(finding), finding.rule, finding.message)
        for check in checks
        for finding in check.findings[:limit]
    ]
    if rows:
        console.show_table(
            None,
            [("symbol", "left"), ("date", "left"), ("rule", "left"), ("what", "left")],
            rows,
            fold="what",
        )
    for check in checks:
        if len(check.findings) > limit:
            rules = Counter(finding.rule for finding in check.findings[limit:])
            counts = ", ".join(f"{count:,} {rule}" for rule, count in rules.most_common())
            console.show_line(f"{check.symbol}: and {counts} (--limit, --json)")
    for text, symbols in _notes(checks).items():
        console.narrate(f"{_listed(symbols)}: {text}")
    found = sum(len(check.findings) for check in checks)
    sessions = sum(check.rows for check in checks)
    exchanges = sorted({check.exchange for check in checks if check.exchange is not None})
    beside = f" beside the sessions of {', '.join(exchanges)}" if exchanges else ""
    console.show_line(
        f"{len(checks):,} symbol{'s'[: len(checks) != 1]}, {_rows(sessions)}{beside}: "
        f"{found:,} finding{'s'[: found != 1]}"
    )


def show_export(report: ExportReport, *, json: bool) -> None:
    """What was written."""
    said = {None: "not said", True: "split-adjusted", False: "traded"}
    closes = [said[flag] for flag in report.split_adjusted]
    if json:
        console.show_json(
            {
                "file": str(report.path),
                "rows": report.rows,
                "symbols": list(report.symbols),
                "closes": closes,
            }
        )
        return
    console.show_line(f"{report.path}: {_rows(report.rows)} of {_symbols(report.symbols)}")


def show_coverage(stored: Sequence[Coverage], *, json: bool) -> None:
    """What is stored, symbol by symbol."""
    if json:
        console.show_json(
            [
                {
                    "symbol": c.symbol,
                    "first_date": c.first.isoformat(),
                    "last_date": c.last.isoformat(),
                    "sessions": c.sessions,
                    "closes": c.closes,
                    "adjusted_closes": c.adjusted_closes,
                    "sources": c.sources,
                }
                for c in stored
            ]
        )
    elif stored:
        console.show_table(
            None,
            [
                ("symbol", "left"),
                ("first", "left"),
                ("last", "left"),
                ("sessions", "right"),
                ("closes", "right"),
                ("adjusted", "right"),
                ("sources", "left"),
            ],
            [
                (
                    c.symbol,
                    str(c.first),
                    str(c.last),
                    f"{c.sessions:,}",
                    f"{c.closes:,}",
                    f"{c.adjusted_closes:,}",
                    ", ".join(c.sources),
                )
                for c in stored
            ],
            fold="sources",
        )
    else:
        console.narrate("no prices yet: etf-backtest prices import PATH (or --sample)")


def narrate_problems(lines: Sequence[str]) -> None:
    """Each of the first problems on a line of its own; one alone is said by the error itself."""
    if len(lines) > 1:
        _narrate(lines)


def _narrate(lines: Sequence[str]) -> None:
    for line in lines[:MOST_LINES]:
        console.narrate(line)
    if len(lines) > MOST_LINES:
        console.narrate(f"and {len(lines) - MOST_LINES:,} more")


def _narrate_findings(findings: Sequence[Finding]) -> None:
    for finding in findings[:MOST_LINES]:
        console.warn(_line(finding))
    if len(findings) > MOST_LINES:
        console.warn(f"and {len(findings) - MOST_LINES:,} more warnings (--json has all)")


def _rows(count: int) -> str:
    return f"{count:,} row{'s'[: count != 1]}"


def _symbols(symbols: Sequence[str]) -> str:
    """A few by name: one that was made of a file's name is seen to be wrong."""
    return ", ".join(symbols) if 0 < len(symbols) <= 3 else f"{len(symbols):,} symbols"


def _line(finding: Finding) -> str:
    return f"{finding.file}: {finding}" if finding.file else str(finding)


def _days(finding: Finding) -> str:
    if finding.last is not None and finding.last != finding.date:
        return f"{finding.date} to {finding.last}"
    return str(finding.date or "")


def _notes(checks: Sequence[PriceCheck]) -> dict[str, list[str]]:
    """Notes, and the symbols that have them: many have the same."""
    symbols: dict[str, list[str]] = {}
    for check in checks:
        for note in check.notes:
            symbols.setdefault(note, []).append(check.symbol)
    return symbols


def _listed(symbols: Sequence[str]) -> str:
    more = f" and {len(symbols) - 5} more" if len(symbols) > 5 else ""
    return ", ".join(symbols[:5]) + more
