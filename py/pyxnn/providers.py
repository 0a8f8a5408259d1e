"""The providers that a session may ask for, and their options."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from pyxnn.errors import InvalidArgument
from pyxnn.partition import CPU, XNNPACK

Provider = str | tuple[str, Mapping[str, Any]]

_THREADS = "intra_op_num_threads"

_ELSEWHERE = {
    f"{name}ExecutionProvider"
    for name in [
        "ACL",
        "ArmNN",
        "Azure",
        "CANN",
        "CUDA",
        "CoreML",
        "DML",
        "Dnnl",
        "JS",
        "MIGraphX",
        "Nnapi",
        "NvTensorRTRTX",
        "OpenVINO",
        "QNN",
        "ROCM",
        "Rknpu",
        "SNPE",
        "Tensorrt",
        "Tvm",
        "VSINPU",
        "VitisAI",
        "WebGPU",
        "WebNN",
    ]
}
"""onnxruntime's other providers: code written for them runs here too, with a warning."""


def get_available_providers() -> list[str]:
    """The providers that there are, the preferred one first."""
    return [XNNPACK, CPU]


def resolve(
    providers: Sequence[Provider] | None, provider_options: Sequence[Mapping[str, Any]] | None
) -> dict[str, dict[str, str]]:
    """The providers of a session with their options, in order; the CPU provider is always among
    them.

    Args:
        providers: names, or pairs of a name and options; None for all that there are.
        provider_options: the options, when `providers` are names alone.

    Raises:
        ValueError: a provider is unknown, or the arguments don't fit together.
        InvalidArgument: an option is unknown or its value wrong.
    """
    resolved: dict[str, dict[str, str]] = {}
    for name, options in _pairs(providers, provider_options):
        if name in resolved:
            warnings.warn(f"Duplicate provider '{name}' encountered, ignoring.", stacklevel=3)
        elif name in get_available_providers():
            resolved[name] = {str(key): str(value) for key, value in options.items()}
        elif name in _ELSEWHERE:
            available = ", ".join(get_available_providers())
            warnings.warn(
                f"Specified provider '{name}' is not in available provider names. "
                f"Available providers: '{available}'",
                stacklevel=3,
            )
        else:
            raise ValueError(
                f"Unknown Provider Type: {name}. "
                f"Available providers: {', '.join(get_available_providers())}"
            )
    resolved.setdefault(CPU, {})
    num_threads(resolved)
    return resolved


def num_threads(resolved: Mapping[str, Mapping[str, str]]) -> int:
    """The XNNPACK provider's `intra_op_num_threads`, 0 when it isn't given.

    Raises:
        InvalidArgument: it isn't a number from 0 on, or there is another option.
    """
    options = resolved.get(XNNPACK, {})
    for key in options:
        if key != _THREADS:
            raise InvalidArgument(f"Unknown option '{key}' of {XNNPACK}; it takes '{_THREADS}'")
    value = options.get(_THREADS, "0")
    if not value.isdecimal():
        raise InvalidArgument(
            f"Option '{_THREADS}' of {XNNPACK} should be a number of threads, but got '{value}'"
        )
    return int(value)


def _pairs(
    providers: Sequence[Provider] | None, provider_options: Sequence[Mapping[str, Any]] | None
) -> list[tuple[str, Mapping[str, Any]]]:
    if providers is None:
        providers = get_available_providers()
    if not isinstance(providers, Sequence) or isinstance(providers, str):
        raise ValueError("'providers' should be a sequence.")
    if provider_options is None:
        pairs = [
            (provider, {}) if isinstance(provider, str) else provider for provider in providers
        ]
        if not all(_is_pair(pair) for pair in pairs):
            raise ValueError("'providers' values must be either strings or (string, dict) tuples.")
        return pairs
    if not isinstance(provider_options, Sequence):
        raise ValueError("'provider_options' should be a sequence.")
    if len(providers) != len(provider_options):
        raise ValueError(
            "'providers' and 'provider_options' should be the same length if both are given."
        )
    names = [provider for provider in providers if isinstance(provider, str)]
    if len(names) != len(providers):
        raise ValueError(
            "Only string values for 'providers' are supported if 'provider_options' is given."
        )
    if not all(isinstance(options, Mapping) for options in provider_options):
        raise ValueError("'provider_options' values must be dicts.")
    return list(zip(names, provider_options, strict=True))


def _is_pair(pair: Any) -> bool:
    return (
        isinstance(pair, tuple)
        and len(pair) == 2
        and isinstance(pair[0], str)
        and isinstance(pair[1], Mapping)
    )
