"""The settings of the judge that is asked where a rule fails."""

from typing import Literal

from pydantic import Field

from longloom.config import FrozenConfig
from longloom.models.endpoint.config import EndpointConfig


class JudgeConfig(FrozenConfig):
    """A language model that decides whether two answers are the same (QwenLong-L1, section 2.4).

    On a command line: `--set 'judge={endpoint: {url: http://127.0.0.1:8000/v1, model: NAME}}'`.
    """

    endpoint: EndpointConfig
    """Address and model, calls at a time, retries and their back-off."""
    cache_folder: str = ""
    """Where replies are kept, for all runs that name it; empty: `judge` in the run folder."""
    max_reply_tokens: int = Field(default=4_096, ge=1)
    """Replies are cut here, reasoning included; a cut reply is no clear verdict."""
    max_outage_seconds: float = Field(default=1_800.0, ge=0)
    """While the judge does not answer, training pauses and tries again for so long; then the step
    fails and the run can be resumed. An answer that was not judged is never scored 0."""
    refused: Literal["fail", "rule"] = "fail"
    """What happens if the server refuses to judge one answer (a content filter): the step fails,
    or the rule alone decides and the answer is counted as `reward/judge_refused`."""
