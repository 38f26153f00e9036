"""What every result says of the machine it was measured on."""

import os
import platform


def machine_facts(**further: str) -> dict[str, object]:
    """Return cores, architecture, Python and load.

    Args:
        further: what else matters for these figures, as versions of libraries.
    """
    return {
        "num_cpus": os.cpu_count(),
        "architecture": platform.machine(),
        "python": platform.python_version(),
        "load_average": [round(load, 1) for load in os.getloadavg()],
        **further,
    }
