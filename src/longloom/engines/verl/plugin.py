"""The entry point of verl's plugins: loaded whenever a process imports verl.

verl only imports it, and hides what it raises; so errors are printed here.
"""

import os
import sys
import traceback


def register() -> None:
    """Make Longloom's trainer and agents known to verl, and a CPU platform where one is asked for.

    Raises:
        EngineError: verl is another release, or lacks what the plugin overrides.
    """
    from longloom.engines.verl.interfaces import check_version

    check_version()
    if os.environ.get("VERL_PLATFORM") == "cpu":
        import longloom.engines.verl.on_cpu.platform  # registers itself
        from longloom.engines.verl.on_cpu.torch_calls import repair_process_groups

        repair_process_groups()
    import longloom.engines.verl.agents
    import longloom.engines.verl.trainer  # noqa: F401  # both register themselves

    if os.environ.get("VERL_PLATFORM") == "cpu":
        from longloom.engines.verl.on_cpu.backends import register_backends

        register_backends()


try:
    register()
except Exception:  # the boundary to verl, which would say nothing
    sys.stderr.write("Longloom's plugin of verl cannot be used:\n")
    traceback.print_exc()
    raise
