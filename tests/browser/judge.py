"""The Pyodide side of ONNX's backend tests: runs each case with the CPU provider and without."""

from __future__ import annotations

import pickle
import warnings
from typing import Any

from pyodide.http import pyfetch
from similar import assert_similar

import pyxnn
from pyxnn import errors
from pyxnn.options import NO_CPU_FALLBACK


async def judge(address: str) -> list[tuple[str, str, str]]:
    """Runs the pickled cases there.

    Returns:
        For each its name, what went wrong with the CPU provider, and what without: "" when nothing did, and of a model that
        was refused without it "refused: " and a node's reason.
    """
    warnings.simplefilter("ignore")
    cases = pickle.loads(await (await pyfetch(address)).bytes())
    return [(case[0], _problem(False, *case), _problem(True, *case)) for case in cases]


def _problem(
    alone: bool, name: str, model: bytes, data_sets: list[Any], rtol: float, atol: float
) -> str:
    options = pyxnn.SessionOptions()
    options.intra_op_num_threads = 1
    options.add_session_config_entry(NO_CPU_FALLBACK, "1" if alone else "0")
    try:
        session = pyxnn.InferenceSession(model, options)
    except errors.Fail as error:
        _, refused, reason = str(error).partition("explicitly disabled by the user. ")
        return f"refused: {reason.split('; ')[0]}" if refused else _told(error)
    except Exception as error:
        return _told(error)
    with session:
        try:
            for feed, expected in data_sets:
                outputs = session.run(None, feed)
                assert_similar(expected, outputs, rtol, atol)
        except Exception as error:
            return _told(error)
    return ""


def _told(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"
