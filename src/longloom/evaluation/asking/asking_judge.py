"""Ask a judge model about answers; every complete reply is kept and paid for once."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from longloom.evaluation.benchmark import JudgeRule
from longloom.evaluation.scoring.score import JudgePrompt, JudgeVerdict
from longloom.models.endpoint.cache import EndpointCache
from longloom.models.endpoint.client import EndpointClient
from longloom.models.endpoint.errors import EndpointRefusedError
from longloom.models.endpoint.messages import ChatReply, user_request
from longloom.rewards.judge import Verdict
from longloom.rewards.judge_config import JudgeConfig

JUDGE_FOLDER = "judge"
"""In the folder of an evaluation: the judge's replies."""
_SEED = 42
"""QwenLong-L1's judge: temperature 0, seed 42."""
_REFUSED = JudgeVerdict(parity=False, strict=Verdict.REFUSED)


class AskedJudge:
    """A judge behind an endpoint."""

    def __init__(self, config: JudgeConfig, client: EndpointClient) -> None:
        """Ask through an open client."""
        self._config = config
        self._client = client

    @property
    def name(self) -> str:
        """Name of the model."""
        return self._config.endpoint.model

    async def verdict(self, rule: JudgeRule, prompt: JudgePrompt) -> JudgeVerdict:
        """Return what the judge says; a cut reply is unclear, a filtered one refused.

        Raises:
            ModelError: the judge is away or set up wrongly; verdicts given are kept.
        """
        request = user_request(
            prompt.user,
            system=prompt.system,
            max_new_tokens=min(prompt.max_new_tokens, self._config.max_reply_tokens),
            seed=_SEED,
        )
        try:
            reply = await self._client.complete(request)
        except EndpointRefusedError:
            return _REFUSED
        return rule.parse(reply.text if reply.is_complete else "")


@asynccontextmanager
async def open_judge(config: JudgeConfig | None, folder: Path) -> AsyncIterator[AskedJudge | None]:
    """Open the judge, if there is one; its replies are kept in `folder` unless it names another.

    Raises:
        ModelError: the folder of the replies cannot be used.
    """
    if config is None:
        yield None
        return
    with EndpointCache(Path(config.cache_folder or folder / JUDGE_FOLDER)) as cache:
        client = EndpointClient(config.endpoint, cache=cache, is_kept=_is_complete)
        async with client:
            yield AskedJudge(config, client)


def _is_complete(reply: ChatReply) -> bool:
    return reply.is_complete
