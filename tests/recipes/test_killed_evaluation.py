"""An evaluation killed with SIGKILL asks nothing twice and ends in the same scores."""

import hashlib
import json
import subprocess
import sys
from collections import Counter
from functools import partial
from pathlib import Path

import pytest

from killed_command import kill_when
from official_files import write_json_lines
from scripted_endpoint import ScriptedEndpoint, prompt_of

pytestmark = [pytest.mark.slow, pytest.mark.enable_socket]
NUM_QUESTIONS = 60
CONCURRENCY = 2


def _files(folder: Path) -> Path:
    """Write questions over texts of about 4,000 tokens, several sections for the memory agent."""
    folder.mkdir()
    rows = [
        {
            "_id": f"q{number}",
            "input": f"What is the code of ship {number}?",
            "context": "\n".join(
                f"Ship {number} met ship {other}; its code is {number * 7}." for other in range(300)
            ),
            "answers": [str(number * 7)],
            "length": 3_000,
            "dataset": "hotpotqa",
            "language": "en",
            "all_classes": None,
        }
        for number in range(NUM_QUESTIONS)
    ]
    write_json_lines(folder / "hotpotqa.jsonl", rows)
    return folder


def _reply(body: dict) -> str:
    """Reply by what is asked alone: a second run meets the same model."""
    digest = hashlib.sha256(prompt_of(body).encode()).hexdigest()
    if "Updated memory" in prompt_of(body):
        return f"<memory>note {digest[:8]}</memory><plan>go on</plan>"
    return f"Therefore, the answer is {int(digest[:4], 16) % 50 * 7}"


def _command(endpoint: ScriptedEndpoint, files: Path, output: Path, agent: str) -> list[str]:
    settings = (
        f"asking.concurrency={CONCURRENCY}",
        "memory.chunk_tokens=1500",
        "memory.memory_tokens=300",
        "memory.decomposition=off",
    )
    return [
        *(sys.executable, "-m", "longloom", "evaluate", "hotpotqa", "--data", str(files)),
        *("--endpoint", endpoint.url, "--model-name", "m", "--window", "40000"),
        *("--judge", endpoint.url, "--judge-model", "j", "--agent", agent, "-o", str(output)),
        *(part for setting in settings for part in ("--set", setting)),
    ]


def _has_answered(endpoint: ScriptedEndpoint, num_calls: float) -> bool:
    return len(endpoint.bodies) > num_calls


def _scores(folder: Path) -> bytes:
    return (folder / "scores.jsonl").read_bytes()


@pytest.mark.parametrize("agent", ["single_pass", "memory"])
def test_nothing_is_asked_twice_and_scores_are_the_same(tmp_path: Path, agent: str) -> None:
    files = _files(tmp_path / "files")
    with ScriptedEndpoint(_reply) as endpoint:
        whole = _command(endpoint, files, tmp_path / "whole", agent)
        subprocess.run(whole, check=True, capture_output=True)
        num_whole = len(endpoint.bodies)
    num_kills = 0
    with ScriptedEndpoint(_reply) as endpoint:
        killed = _command(endpoint, files, tmp_path / "killed", agent)
        for share in (0.1, 0.3, 0.5, 0.7, 0.9):
            enough = share * num_whole
            num_kills += kill_when(killed, partial(_has_answered, endpoint, enough))
        subprocess.run(killed, check=True, capture_output=True)
        asked = Counter(json.dumps(body, sort_keys=True) for body in endpoint.bodies)
    assert num_kills == 5
    # A call that was under way when the process died has no reply yet, and is made again.
    assert sum(asked.values()) <= num_whole + num_kills * CONCURRENCY * 2
    assert len(asked) == num_whole
    assert _scores(tmp_path / "killed") == _scores(tmp_path / "whole")
