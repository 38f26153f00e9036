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
        from longloom.engines.verl.on_cpu.platform import register_platform

        register_platform()
    import longloom.engines.verl.agents
    import longloom.engines.verl.trainer  # noqa: F401  # both register themselves

    if os.environ.get("VERL_PLATFORM") == "cpu":
        from longloom.engines.verl.on_cpu.backends import register_backends

        register_backends()


try:
    register()
except Exception:  # the boundary to verl, which would say nothing
    print("Longloom's plugin of verl cannot be used:", file=sys.stderr)  # noqa: T201
    traceback.print_exc()
    raise
