"""The child process that computes: questions on its standard input, answers on its output.

It has no database, and its environment holds no password. It imports strategies that others have
written, which may print, loop for ever, eat memory or end the process: that costs their own run.
What is printed goes to standard error. When the input ends, so does the process with all that it
has started, whatever it is computing.
"""

from __future__ import annotations

import json
import os
import pickle
import resource
import signal
import sys
from queue import SimpleQueue
from threading import Thread
from typing import BinaryIO, cast

from etf_backtest.errors import EtfBacktestError
from etf_backtest.errors.wording import one_line
from etf_backtest.services.fitting import fit
from etf_backtest.services.jobs.computation import (
    LENGTH,
    Question,
    RunQuestion,
    StrategyRecord,
    SymbolsQuestion,
)
from etf_backtest.services.stored_run import outcome_of
from etf_backtest.simulation import simulate
from etf_backtest.strategies import Strategy, build_strategy
from etf_backtest.typing import JsonObject


def main(memory: int | None = None) -> None:
    """Answer questions until there are no more.

    Parameters
    ----------
    memory : int, optional
        Bytes of address space that the process may take.
    """
    if memory is not None:
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    _die_with_parent()
    questions, answers = _take_streams()
    asked: SimpleQueue[bytes] = SimpleQueue()
    # a thread: the end of the input must be noticed in the middle of a computation, too
    Thread(target=_listen, args=(questions, asked), daemon=True).start()
    while True:
        for part in answer(pickle.loads(asked.get())):  # noqa: S301  # the worker's, who started us
            answers.write(part)
        answers.flush()


def answer(question: Question) -> tuple[bytes, ...]:
    """The frame that answers a question, in parts."""
    results = b""
    try:
        if isinstance(question, SymbolsQuestion):
            said: JsonObject = {"symbols": list(_strategy(question.strategy).symbols)}
        else:
            said, results = _run(question)
    except EtfBacktestError as error:
        said = {"error": str(error)}
    except MemoryError:
        said = {"error": "there was not enough memory to compute it"}
    except BaseException as error:  # noqa: BLE001  # whatever a stranger's strategy raises
        said = {"error": one_line(f"{type(error).__name__}: {error}")}
    head = json.dumps(said, default=str).encode() + b"\n"
    return LENGTH.pack(len(head) + len(results)), head, results


def _strategy(record: StrategyRecord) -> Strategy:
    return build_strategy(record.name, record.parameters, record.allocations)


def _run(question: RunQuestion) -> tuple[JsonObject, bytes]:
    """The metrics, and the text of the results."""
    strategy = _strategy(question.strategy)
    fitted = fit(
        question.prices,
        strategy,
        question.rules,
        question.strategy.allocations,
        benchmark=question.benchmark,
        risk_free=question.risk_free,
        start=question.start,
        end=question.end,
    )
    result = simulate(
        question.prices.panel,
        strategy,
        question.rules,
        benchmark=question.benchmark,
        risk_free=question.risk_free,
        start=fitted.window.start,
        end=fitted.window.end,
    )
    outcome = outcome_of(
        question.backtest_id, result, notes=fitted.notes, prices=question.prices.state
    )
    results = json.dumps(outcome.results, ensure_ascii=False, allow_nan=False).encode()
    return {"metrics": cast("JsonObject", outcome.metrics)}, results


def _take_streams() -> tuple[BinaryIO, BinaryIO]:
    """Input and output, for us alone: a strategy reads nothing, and prints to standard error."""
    questions, answers = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return cast("BinaryIO", os.fdopen(questions, "rb")), cast("BinaryIO", os.fdopen(answers, "wb"))


def _die_with_parent() -> None:
    """Let the system end us with the worker: a computation may hold the interpreter for itself."""
    if sys.platform == "linux":
        import ctypes

        set_death_signal = 1  # PR_SET_PDEATHSIG
        ctypes.CDLL(None).prctl(set_death_signal, signal.SIGKILL)


def _listen(questions: BinaryIO, asked: SimpleQueue[bytes]) -> None:
    while len(length := questions.read(LENGTH.size)) == LENGTH.size:
        (size,) = LENGTH.unpack(length)
        body = questions.read(size)
        if len(body) < size:
            break
        asked.put(body)
    # the worker is done with us, or dead: so is whatever runs here, in this group of processes
    os.killpg(0, signal.SIGKILL)
