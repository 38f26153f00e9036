"""One GRPO step timed beside a peer: what `grpo_step.py` and `gpu_step.py` are made of.

made_model  a random Qwen3 that never ends an answer, with a tokenizer
made_prompts  prompts of exact length, as text both sides read alike
our_steps   a child that takes steps with the local engine
trl_steps   a child that takes the same steps with TRL; it runs in TRL's own environment
gradient_gap  the gradient of shared prompts against plain rows of transformers
children    starts the children and reads what they measured
"""
