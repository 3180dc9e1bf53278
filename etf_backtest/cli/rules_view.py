"""The rules of a stored run in words, and what they did to the money."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias, cast

Data: TypeAlias = Mapping[str, object]


def rules_in_words(options: Data, results: Data) -> Iterator[tuple[str, str]]:
    """Yield what a run was told, as name and words; what is not in force is left out.

    Parameters
    ----------
    options, results : mapping
        Of the row; of any release.
    """
    yield "rebalanced", _rebalancing(results.get("rebalance"))
    lag = cast("int", results.get("lag", 0))
    yield "filled", f"{_sessions(lag)} after the decision" if lag else "at the same close"
    yield "costs", costs_in_words(_table(options.get("costs")))
    for flow in cast("Sequence[Data]", options.get("cash_flows") or ()):
        yield "cash flow", flow_in_words(flow)
    if options.get("dividends") == "cash":
        yield "dividends", "kept as cash until the next rebalance"
    if options.get("lot_size") is not None:
        yield "lots", f"of {options['lot_size']:g} shares"
    if cast("float", options.get("max_leverage") or 1) > 1:
        yield (
            "leverage",
            (
                f"weights up to {options['max_leverage']:g}, borrowed at "
                f"{rate_in_words(options.get('borrow_rate'))}"
            ),
        )
    for key, name in (("cash_rate", "cash earns"), ("risk_free", "risk-free rate")):
        if options.get(key):
            yield name, rate_in_words(options[key])
    for symbol, ratio in _table(options.get("expense_ratios")).items():
        yield "fee", f"{_percent(ratio)} a year out of {symbol}"
    for proxy in cast("Sequence[Data]", results.get("proxies") or ()):
        fee = f" less {_percent(proxy['annual_fee'])} a year" if proxy["annual_fee"] else ""
        yield (
            "proxy",
            f"{proxy['symbol']} is {proxy['proxy']}{fee} before {proxy['splice_date']}: "
            f"{100 * cast('float', proxy['share']):.1f}% of the sessions",
        )
    missing = options.get("missing")
    if isinstance(missing, Mapping):
        yield "missing prices", f"carried forward over at most {_sessions(missing['max_gap'])}"
    elif missing == "common":
        yield "missing prices", "only the sessions that all symbols share"


def _rebalancing(value: object) -> str:
    if not isinstance(value, Mapping):
        return str(value)  # as the first release stored it
    parts = [str(value["period"])] if value["period"] != "never" else []
    if value.get("offset"):
        parts[-1] += f", {_sessions(value['offset'])} later"
    if bands := _table(value.get("bands")):
        limits = [f"{_percent(bands[key])} {key}" for key in bands if bands[key] is not None]
        parts.append(f"when a weight is off by {' or '.join(limits)}")
    if value.get("cashflow"):
        parts.append("with new money")
    return "; ".join(parts) or "never"


def costs_in_words(costs: Data) -> str:
    """What an order costs: "commission 5 bps, at least 1.00; slippage 2 bps"."""

    def said(key: str, words: str) -> Iterator[str]:
        if costs.get(key):
            yield words.format(costs[key])

    commission = [
        *said("commission_bps", "{:g} bps"),
        *said("commission_fixed", "{:,.2f} an order"),
        *said("commission_per_share", "{:g} a share"),
    ]
    least = [*said("commission_min", "at least {:,.2f} an order")]
    parts = []
    if commission or least:
        parts.append(
            "commission " + ", ".join([*([" + ".join(commission)] if commission else []), *least])
        )
    parts += said("slippage_bps", "slippage {:g} bps")
    return "; ".join(parts) or "none"


def flow_in_words(flow: Data) -> str:
    """A contribution or withdrawal: "-500.00 monthly, growing by 2.5% a year"."""
    size = (
        f"{flow['amount']:,.2f}"
        if flow.get("amount") is not None
        else f"{_percent(flow['percent'])} of the value"
    )
    parts = [f"{size} {flow['every']}" if flow.get("every") else f"{size} on {flow['on']}"]
    if flow.get("offset"):
        parts.append(f"{_sessions(cast('int', flow['offset']))} later")
    if flow.get("inflation"):
        parts.append(f"growing by {_percent(flow['inflation'])} a year")
    parts += [
        f"{word} {flow[key]}" for key, word in (("start", "from"), ("end", "to")) if flow.get(key)
    ]
    return ", ".join(parts)


def rate_in_words(rate: object) -> str:
    """A rate a year, or that there are many."""
    if isinstance(rate, Mapping):
        first = min(rate, default="")
        return f"a series of {len(rate)} rate{'s'[: len(rate) != 1]} from {first} on"
    return "nothing" if rate is None else f"{_percent(rate)} a year"


def _sessions(count: int) -> str:
    return f"{count:,} session{'s'[: count != 1]}"


def _percent(value: object) -> str:
    return f"{100 * float(cast('float', value)):.6g}%"


def _table(value: object) -> Data:
    return value if isinstance(value, Mapping) else {}


def money_moved(results: Data) -> Iterator[tuple[str, str]]:
    """Yield how many trades there were, what they cost, what came in and went out, and the gain.

    The gain is the final value less the initial one and the net flows: what prices, dividends and
    interest brought after costs.
    """
    trades = cast("Sequence[Mapping[str, float]]", results.get("trades") or ())
    yield "trades", f"{len(trades):,}"
    costs = cast("Mapping[str, float]", _table(results.get("costs")))
    if costs:
        slippage = sum(trade.get("slippage", 0.0) for trade in trades)
        total = sum(costs.values())
        yield "costs paid", f"{total:,.2f}, of which {slippage:,.2f} slippage"
    for word, amount in cast("Mapping[str, float]", _table(results.get("income"))).items():
        if amount:
            yield word, f"{amount:,.2f}"
    flows = cast("Mapping[str, float]", _table(results.get("flows")))
    for word, amounts in (
        ("paid in", [flow for flow in flows.values() if flow > 0]),
        ("taken out", [-flow for flow in flows.values() if flow < 0]),
    ):
        if amounts:
            yield word, f"{sum(amounts):,.2f} on {_sessions(len(amounts))}"
    if flows:
        equity = cast("Sequence[float]", results["equity"])
        yield "gain", f"{equity[-1] - equity[0] - sum(flows.values()):,.2f}"
    if ruin := _table(results.get("ruin")):
        yield "the money ran out", f"on {ruin['date']}, by {ruin['by']}"
