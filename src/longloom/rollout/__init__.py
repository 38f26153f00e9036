"""Rollouts: how an example becomes an attempt at its answer.

One control shape: an agent is an async function from (attempt, sampler, emit) to a rollout. This
room holds the protocol with its events, the agent that reads the whole context in one pass
(QwenLong-L1.5, section 2.1), one for prompts that somebody else wrote, and the runner that works on
many attempts at once. The memory agent lives in `longloom.memory`.

Read `agent.py`, `single_pass.py`, `runner.py`.
"""

from longloom.rollout.agent import Agent, Attempt, Emit, Event, EventKind
from longloom.rollout.given_prompt import GivenPromptAgent
from longloom.rollout.runner import run_attempts
from longloom.rollout.single_pass import ClosedBookAgent, SinglePassAgent
from longloom.rollout.token_chat import TokenChat

__all__ = [
    "Agent",
    "Attempt",
    "ClosedBookAgent",
    "Emit",
    "Event",
    "EventKind",
    "GivenPromptAgent",
    "SinglePassAgent",
    "TokenChat",
    "run_attempts",
]
