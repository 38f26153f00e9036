"""Runs of the endpoint's path over the mill corpus, with a server that may fail and lie."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from longloom.executor import Executor, InlineExecutor
from longloom.models.endpoint.opening import CachedClient, OpenModel
from longloom.synthesis.config import SynthesisConfig
from longloom.synthesis.corpus_steps import STEPS_FOLDER
from longloom.synthesis.endpoint.session import EndpointSession
from longloom.synthesis.pipeline import synthesize_corpus
from longloom.synthesis.selection.writing import Selected
from scripted_endpoint import Fault, ScriptedEndpoint, never_fails
from synthesis.endpoint.mill_corpus import KnowingModel

FINAL_FILES = ("examples.parquet", "contexts.parquet", "summary.json", "data_card.md")
TRANSPORT_FAULTS = (
    Fault.BAD_STATUS_200,
    Fault.CONNECTION_RESET,
    Fault.GARBAGE_JSON,
    Fault.RATE_LIMITED,
    Fault.SERVER_ERROR,
    Fault.TRUNCATED_BODY,
)


def settings(corpus: Path, url: str, **changes: Any) -> SynthesisConfig:
    endpoint = {
        "connection": {
            "url": url,
            "model": "scripted",
            "identity": "scripted",
            "first_backoff_seconds": 0.01,
            "last_backoff_seconds": 0.02,
            "request_timeout_seconds": 2.0,
        },
        "limits": {"max_clusters": 6, "documents_per_cluster": 4, "max_table_contexts": 4},
        "categories": ["multi_fact", "causal"],
        "self_play": {
            "num_rounds": 1,
            "solver": {"num_samples": 3},
            "closed_book": {"num_samples": 2},
            "num_votes": 1,
        },
        "closed_book": {"num_samples": 2},
        "robustness": {"num_samples": 2},
        **changes,
    }
    return SynthesisConfig.model_validate(
        {
            "documents": (str(corpus),),
            "num_examples": 110,
            "min_context_tokens": 1_500,
            "max_context_tokens": 8_000,
            "held_out_fraction": 0.2,
            "endpoint": endpoint,
        }
    )


@dataclass
class Run:
    """A finished run and what was seen of it."""

    folder: Path
    selected: Selected
    messages: list[str]
    endpoint: ScriptedEndpoint
    model: KnowingModel

    @property
    def outcomes(self) -> dict[str, dict[str, int]]:
        found: dict[str, dict[str, int]] = self.selected.summary["endpoint"]["outcomes"]
        return found


def digest(body: dict[str, Any]) -> int:
    text = json.dumps(body, sort_keys=True).encode()
    return int.from_bytes(hashlib.sha256(text).digest()[:4], "big")


def hard_times(body: dict[str, Any], num_earlier: int) -> Fault | None:
    """Every request fails first; one in a thousand also hangs, one in nine gets a wrong answer."""
    number = digest(body)
    if num_earlier == 0:
        return TRANSPORT_FAULTS[number % len(TRANSPORT_FAULTS)]
    if num_earlier == 1 and number % 1009 == 0:
        return Fault.SLOW
    return Fault.WRONG_ANSWER if number % 9 == 0 else None


def run(
    corpus: Path,
    folder: Path,
    faults: Any = never_fails,
    *,
    executor: Executor | None = None,
    open_model: OpenModel = CachedClient,
    **changes: Any,
) -> Run:
    model = KnowingModel(folder)
    messages: list[str] = []
    with ScriptedEndpoint(model, faults=faults) as endpoint:
        config = settings(corpus, endpoint.url, **changes)
        assert config.endpoint is not None
        steps = folder / STEPS_FOLDER
        with EndpointSession(
            config.endpoint, steps, notify=messages.append, open_model=open_model
        ) as session:
            selected = synthesize_corpus(
                config, folder=folder, executor=executor or InlineExecutor(), session=session
            )
    return Run(folder, selected, messages, endpoint, model)


def digests(folder: Path) -> dict[str, str]:
    return {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in FINAL_FILES}
