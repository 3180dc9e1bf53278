"""Metrics are a frozen value, however they were copied, and so are their reasons."""

import copy
import json
import pickle
from collections.abc import Callable, Mapping
from dataclasses import FrozenInstanceError, fields

import pytest

from etf_backtest.metrics import METRIC_NAMES, Metrics, summary

MEASURED = summary([0.01, -0.02])


def pickled(protocol: int) -> Callable[[Metrics], Metrics]:
    return lambda metrics: pickle.loads(pickle.dumps(metrics, protocol))


COPIES: dict[str, Callable[[Metrics], Metrics]] = {
    "itself": lambda metrics: metrics,
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    **{f"pickle protocol {protocol}": pickled(protocol) for protocol in range(6)},
}


@pytest.fixture(params=COPIES)
def copied(request: pytest.FixtureRequest) -> Metrics:
    return COPIES[request.param](MEASURED)


def test_copies_are_equal_and_have_the_same_hash(copied: Metrics) -> None:
    assert copied == MEASURED
    assert hash(copied) == hash(MEASURED)
    assert copied.to_dict() == MEASURED.to_dict()
    assert list(copied.undefined.items()) == list(MEASURED.undefined.items())


def test_nothing_can_be_set(copied: Metrics) -> None:
    with pytest.raises(FrozenInstanceError):
        copied.beta = 1.0  # type: ignore[misc]  # wrong on purpose
    with pytest.raises((AttributeError, TypeError)):  # TypeError: CPython's issue 91126
        copied.annualized_return = 1.0  # type: ignore[misc]  # wrong on purpose
    with pytest.raises(TypeError, match="does not support item assignment"):
        copied.undefined["beta"] = "no"  # type: ignore[index]  # wrong on purpose
    with pytest.raises(TypeError, match="deletion"):
        del copied.undefined["beta"]  # type: ignore[attr-defined]  # wrong on purpose
    with pytest.raises(AttributeError, match="Reasons is frozen"):
        copied.undefined._items = {}  # type: ignore[attr-defined]  # wrong on purpose
    with pytest.raises(AttributeError, match="Reasons is frozen"):
        del copied.undefined._items  # type: ignore[attr-defined]  # wrong on purpose


def test_the_reasons_are_a_mapping_of_their_own() -> None:
    given = {"beta": "there is no benchmark"}
    metrics = Metrics(start=None, end=None, sessions=2, undefined=given)
    given["alpha"] = "changed later"
    assert isinstance(metrics.undefined, Mapping)
    assert metrics.undefined == {"beta": "there is no benchmark"}
    assert (len(metrics.undefined), metrics.undefined["beta"]) == (1, "there is no benchmark")
    assert repr(metrics.undefined) == "{'beta': 'there is no benchmark'}"
    with pytest.raises(KeyError):
        metrics.undefined["alpha"]


def test_the_fields_are_the_names_in_their_order() -> None:
    names = [field.name for field in fields(Metrics)]
    assert names == ["start", "end", "sessions", *METRIC_NAMES, "undefined"]


def test_annualized_return_is_another_name_for_cagr() -> None:
    metrics = Metrics(start=None, end=None, sessions=2, cagr=0.07)
    assert metrics.annualized_return == 0.07
    assert "annualized_return" not in metrics.to_dict()


def test_json_is_strict() -> None:
    text = json.dumps(MEASURED.to_dict(), allow_nan=False)
    assert json.loads(text)["undefined"]["cagr"] == "the dates are not known"
