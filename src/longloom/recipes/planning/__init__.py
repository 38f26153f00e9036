"""What a recipe costs, told before anything of it is run.

    RunConfig -> stage_limits -> expected work -> operations -> seconds by rates -> RecipePlan

How many rollouts and tokens a stage has follows from its settings and a few stated assumptions; the
floating-point operations and bytes follow from these and the model's config.json; the time follows
from the rates of a device, stated for GPUs and measured for the CPU at hand. The lengths are those
of QwenLong-L1.5, section 4.1; docs/planning.md has every formula with its symbols.

Read `expected_work.py`, `operations.py`, `stage_seconds.py`; the memory is planned in
`engines/memory_plan.py`.
"""
