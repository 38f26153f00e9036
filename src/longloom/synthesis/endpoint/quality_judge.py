"""Judge documents by a model: quality, factual accuracy, coherence.

QwenLong-L1.5, section 3: documents pass rules first and a judge second. The judge only removes:
rules have already accepted what it sees, and a document that speaks to a model is dropped unread.
"""

import asyncio
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace

from pydantic import Field

from longloom.config import FrozenConfig
from longloom.models.endpoint.messages import ChatModel, user_request
from longloom.records import Document
from longloom.synthesis.endpoint.fencing import fence_texts, speaks_to_a_model
from longloom.synthesis.endpoint.parsing import ReplyShape, parse_json
from longloom.synthesis.endpoint.prompts import fill_prompt
from longloom.synthesis.endpoint.yields import Dropped, Yield, run_each

SPEAKS = "speaks to a model"
_NUM_EXCERPTS = 3


class QualityConfig(FrozenConfig):
    """How strict the judge is and how much it reads."""

    num_samples: int = Field(default=1, ge=1)
    """Verdicts on each document; the median of each score counts."""
    min_quality: int = Field(default=3, ge=1, le=5)
    """Lowest score that is kept."""
    min_factual_accuracy: int = Field(default=3, ge=1, le=5)
    """Lowest score that is kept."""
    min_coherence: int = Field(default=3, ge=1, le=5)
    """Lowest score that is kept."""
    max_characters: int = Field(default=24_000, ge=300)
    """A longer document is judged by its beginning, middle and end, this much in all."""
    seed: int = 0
    """Seed of the first sample."""


class _Scores(ReplyShape):
    quality: int = Field(ge=1, le=5)
    factual_accuracy: int = Field(ge=1, le=5)
    coherence: int = Field(ge=1, le=5)
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedDocument:
    """A document that passed, with its median scores."""

    document: Document
    """The document."""
    quality: float
    """1 to 5."""
    factual_accuracy: float
    """1 to 5."""
    coherence: float
    """1 to 5."""


async def judge_documents(
    model: ChatModel, documents: Sequence[Document], config: QualityConfig | None = None
) -> Yield[JudgedDocument]:
    """Keep the documents whose scores reach all three thresholds."""
    settings = config or QualityConfig()

    async def judge(document: Document) -> list[JudgedDocument | Dropped]:
        if speaks_to_a_model(document.text) or speaks_to_a_model(document.title):
            return [Dropped(key=document.doc_id, reason=SPEAKS)]
        material = fence_texts(_excerpts(document, settings.max_characters))
        request = user_request(fill_prompt("quality", material=material), is_json=True)
        request = replace(
            request, seed=settings.seed, temperature=0.0 if settings.num_samples == 1 else 0.7
        )
        replies = await asyncio.gather(
            *(
                model.complete(replace(request, sample_index=index))
                for index in range(settings.num_samples)
            )
        )
        return [_verdict(document, [parse_json(reply, _Scores) for reply in replies], settings)]

    return await run_each(documents, judge, lambda document: document.doc_id)


def _verdict(
    document: Document, scores: Sequence[_Scores], config: QualityConfig
) -> JudgedDocument | Dropped:
    judged = JudgedDocument(
        document=document,
        quality=float(statistics.median(score.quality for score in scores)),
        factual_accuracy=float(statistics.median(score.factual_accuracy for score in scores)),
        coherence=float(statistics.median(score.coherence for score in scores)),
    )
    too_low = [
        name
        for name, score, needed in (
            ("quality", judged.quality, config.min_quality),
            ("factual accuracy", judged.factual_accuracy, config.min_factual_accuracy),
            ("coherence", judged.coherence, config.min_coherence),
        )
        if score < needed
    ]
    if not too_low:
        return judged
    details = " ".join(scores[0].reason.split())[:200]
    return Dropped(key=document.doc_id, reason=f"judged too low in {too_low[0]}", details=details)


def _excerpts(document: Document, max_characters: int) -> list[tuple[str, str]]:
    """Return the whole text, or three stretches of it that are cut between characters."""
    text, label = document.text, f"document {document.title}"
    if len(text) <= max_characters:
        return [(label, text)]
    length = max_characters // _NUM_EXCERPTS
    starts = (0, (len(text) - length) // 2, len(text) - length)
    return [(f"excerpt of {label}", text[start : start + length]) for start in starts]
