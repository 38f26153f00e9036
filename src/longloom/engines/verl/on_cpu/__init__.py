"""verl without a GPU: a platform, and rollout servers on Longloom's own sampler.

There to try and to test the whole way of a stage (trainer, agents, rewards, FSDP2, checkpoints) on
any machine; slow by design. On with `VERL_PLATFORM=cpu` and `rollout.name=longloom_cpu`.

What it cannot show: vLLM and SGLang, Ulysses and packed rows, Megatron, transfer of weights
between GPUs.
"""
