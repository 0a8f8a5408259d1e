"""The benchmark's command line."""

from __future__ import annotations

import pytest

from tests.models import BENCHMARK
from tools.bench.__main__ import PEERS, arguments


def test_everything() -> None:
    options = arguments([])
    assert options.all
    assert options.models == list(BENCHMARK)
    assert options.peers == list(PEERS)


def test_some_models_threads_and_peers() -> None:
    options = arguments(["--models=resnet50,minilm", "--threads=2,1", "--peers=", "--rounds=1"])
    assert not options.all
    assert options.models == ["resnet50", "minilm"]
    assert (options.threads, options.peers, options.rounds) == ([1, 2], [], 1)


def test_profile_needs_no_peers() -> None:
    options = arguments(["--profile=minilm"])
    assert (options.models, options.peers) == (["minilm"], [])


def test_layers_alone() -> None:
    assert arguments(["--layers"]).models == []


def test_pages_name_the_command_without_the_file_of_figures() -> None:
    options = arguments(["--quantized", "--json", "/somewhere/figures.json", "--rounds", "6"])
    assert options.words == ["--quantized", "--rounds", "6"]


def test_models_on_fewer_bits_with_their_origins() -> None:
    options = arguments(["--quantized"])
    assert not options.all
    assert {"resnet50", "resnet50_int8", "decoder", "decoder_few_bits"} <= set(options.models)


@pytest.mark.parametrize("words", [["--models=nothing"], ["--peers=nobody"], ["--profile=none"]])
def test_unknown_names(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        arguments(words)
    assert words[0].partition("=")[2] in capsys.readouterr().err
