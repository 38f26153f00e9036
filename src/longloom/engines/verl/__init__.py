"""Reinforcement learning and supervised fine-tuning on a cluster, by verl (the extra `verl`).

What runs there is verl's own trainer on Ray, with FSDP2 or Megatron and vLLM or SGLang. Longloom is
an installed plugin of it and decides what is drawn, asked, scored and learned:

    examples -> dataset -> agents -> rewards -> rows of a batch -> groups -> `prepare_batch`
             -> advantages of every token -> verl's update

`prepare_batch` and what is below it are the functions of the local engine, so both engines learn
the same of the same rollouts (QwenLong-L1.5, section 4). Everything special is in the advantages:
verl's loss stays its plain one.

Read `stage_settings.py` (what a stage is told), `trainer.py` (the loop) and `ppo_config.py` (verl's
configuration of a stage). Modules that import verl or Ray are loaded by name, by verl alone.
"""
