"""The typed records that flow between the rooms.

    Document -> Fact -> Example (+ Context) -> RolloutGroup[Rollout[Turn]] -> Reward
             -> TrainingSequence -> (loss, metrics)

Records are frozen; a changed record is a new record. Positions are Python string offsets, half
open, into `Document.text` (document coordinates) or `Context.text` (context coordinates).
Tensor letters used in the whole repository: B sequences in a batch, T tokens of a padded sequence,
N packed tokens, P prompts, G rollouts per prompt, C chunks, V vocabulary, D model width, M models.

Read `documents.py`, then `examples.py`, `rollouts.py` and `replies.py`.
"""

from longloom.records.documents import Block, BlockKind, Document, DocumentKind
from longloom.records.examples import (
    Context,
    ContextPart,
    Evidence,
    Example,
    RewardRule,
    Split,
    TaskType,
)
from longloom.records.readings import Citation
from longloom.records.replies import ChatMessage, Delta, Purpose, Reply, ReplyRequest, TokenUsage
from longloom.records.rollouts import (
    Completion,
    FinishReason,
    Reward,
    Rollout,
    RolloutGroup,
    SampleRequest,
    SamplingParams,
    TrainingSequence,
    Turn,
)

__all__ = [
    "Block",
    "BlockKind",
    "ChatMessage",
    "Citation",
    "Completion",
    "Context",
    "ContextPart",
    "Delta",
    "Document",
    "DocumentKind",
    "Evidence",
    "Example",
    "FinishReason",
    "Purpose",
    "Reply",
    "ReplyRequest",
    "Reward",
    "RewardRule",
    "Rollout",
    "RolloutGroup",
    "SampleRequest",
    "SamplingParams",
    "Split",
    "TaskType",
    "TokenUsage",
    "TrainingSequence",
    "Turn",
]
