"""The command with a model, stopped twice and started again."""

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from longloom.synthesis.verification import verify_folder
from scripted_endpoint import ScriptedEndpoint
from synthesis.endpoint.mill_corpus import KnowingModel, write_mill_corpus
from synthesis.endpoint.test_pipeline import digests, num_stored, run, settings

pytestmark = [pytest.mark.enable_socket, pytest.mark.allow_hosts(["127.0.0.1"])]

KEY = "secret-key-of-the-test"


class StoppingModel:
    """A knowing model that sends a signal to whoever asks too much."""

    def __init__(self, folder: Path) -> None:
        self._model = KnowingModel(folder)
        self.process_id = 0
        self.stop_after, self.signal = 0, signal.SIGKILL
        self.num_asked = 0

    def __call__(self, body: dict[str, Any]) -> str:
        self.num_asked += 1
        if self.num_asked == self.stop_after:
            os.kill(self.process_id, self.signal)
        return self._model(body)


@contextmanager
def command(corpus: Path, folder: Path, url: str) -> Iterator[subprocess.Popen[str]]:
    """Run `longloom synthesize` in a process of its own."""
    config = settings(corpus, url).model_dump(mode="json")
    given = [
        f"{name}={json.dumps(config[name])}"
        for name in ("min_context_tokens", "max_context_tokens", "held_out_fraction", "endpoint")
    ]
    words = [word for setting in given for word in ("--set", setting)]
    arguments = [
        *("synthesize", str(corpus), "-o", str(folder), "--num-examples", "110", "--workers", "1"),
        *("--endpoint", url, "--model-name", "scripted", *words),
    ]
    # A shell that starts tests in the background lets them ignore SIGINT, and children inherit it.
    code = (
        "import signal, sys; from longloom.cli.main import main; "
        "signal.signal(signal.SIGINT, signal.default_int_handler); sys.exit(main())"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "LONGLOOM_API_KEY": KEY},
    ) as started:
        yield started
        if started.poll() is None:
            started.kill()


def stopped_after(
    num_calls: int, how: signal.Signals, corpus: Path, folder: Path, endpoint: ScriptedEndpoint
) -> tuple[int, str, str]:
    """Run the command until it has asked so often; return its exit code and what it said."""
    model = endpoint.answer
    assert isinstance(model, StoppingModel)
    with command(corpus, folder, endpoint.url) as started:
        model.num_asked, model.process_id = 0, started.pid
        model.stop_after, model.signal = num_calls, how
        out, err = started.communicate(timeout=120)
        return started.returncode, out, err


@pytest.mark.slow
def test_stopped_command_goes_on_without_asking_again(tmp_path: Path) -> None:
    corpus = write_mill_corpus(tmp_path / "corpus")
    folder, whole = tmp_path / "stopped", tmp_path / "whole"
    whole.mkdir()
    reference = run(corpus, whole)
    with ScriptedEndpoint(StoppingModel(folder)) as endpoint:
        code, _, err = stopped_after(60, signal.SIGINT, corpus, folder, endpoint)
        assert code == 130
        assert "the same command continues where it stopped" in err
        code, _, err = stopped_after(250, signal.SIGKILL, corpus, folder, endpoint)
        assert code == -signal.SIGKILL, err
        assert not (folder / "examples.parquet").exists()
        num_kept, num_before = num_stored(folder), len(endpoint.bodies)
        assert num_kept > 200
        code, out, err = stopped_after(0, signal.SIGKILL, corpus, folder, endpoint)
        assert code == 0, err
        last = [json.dumps(body, sort_keys=True) for body in endpoint.bodies[num_before:]]
        assert len(last) == num_stored(folder) - num_kept
        assert set(Counter(last).values()) == {1}
        assert out.startswith("Documents will be sent to:")
        assert f"model calls: {len(last)} calls, " in out
        assert "Requests carry the key in the environment." in out
        assert {headers["authorization"] for headers in endpoint.headers} == {f"Bearer {KEY}"}
    assert num_stored(folder) == num_stored(whole) == len(reference.endpoint.bodies)
    assert digests(folder) == digests(whole)
    assert verify_folder(folder).findings == ()
    assert not any(
        KEY.encode() in path.read_bytes() for path in folder.rglob("*") if path.is_file()
    )
