"""What the server has done, as text that Prometheus reads. No metric holds a name from a request.

Written by hand: a few counters and one histogram need no library.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping

_SECONDS_BOUNDS = (0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 30.0, 60.0, 300.0, 1_800.0, 7_200.0)
_HELP = {
    "longloom_requests_total": "Requests by address and status.",
    "longloom_disconnects_total": "Requests whose client went away.",
    "longloom_readings_total": "Requests that were read, by how they ended.",
    "longloom_sections_total": "Sections, by whether they were read, failed or were read before.",
    "longloom_tokens_total": "Tokens, as far as they are counted here.",
}


class Metrics:
    """Counters of one server; for one thread."""

    def __init__(self) -> None:
        """Begin at zero."""
        self._counts: Counter[tuple[str, tuple[tuple[str, str], ...]]] = Counter()
        self._buckets = [0] * (len(_SECONDS_BOUNDS) + 1)
        self._num_seconds = 0.0

    def count(self, name: str, amount: float = 1, **labels: str) -> None:
        """Add to a counter."""
        self._counts[name, tuple(sorted(labels.items()))] += amount  # type: ignore[assignment]

    def time(self, seconds: float) -> None:
        """Add the duration of a request to the histogram."""
        self._buckets[bisect_left(_SECONDS_BOUNDS, seconds)] += 1
        self._num_seconds += seconds

    def text(self, gauges: Mapping[str, float]) -> str:
        """Return all metrics; `gauges` are values of this moment."""
        lines: list[str] = []
        for name in sorted({name for name, _ in self._counts} | set(_HELP)):
            lines += [f"# HELP {name} {_HELP.get(name, name)}", f"# TYPE {name} counter"]
            lines += [
                f"{name}{_labels(labels)} {amount:.15g}"
                for (counted, labels), amount in sorted(self._counts.items())
                if counted == name
            ]
        lines += self._histogram()
        for name, value in sorted(gauges.items()):
            lines += [f"# TYPE longloom_{name} gauge", f"longloom_{name} {value:.15g}"]
        return "\n".join(lines) + "\n"

    def _histogram(self) -> list[str]:
        name = "longloom_request_seconds"
        lines = [f"# HELP {name} Time that requests took.", f"# TYPE {name} histogram"]
        num_below = 0
        for bound, num_in in zip([*map(str, _SECONDS_BOUNDS), "+Inf"], self._buckets, strict=True):
            num_below += num_in
            lines.append(f'{name}_bucket{{le="{bound}"}} {num_below}')
        return [*lines, f"{name}_sum {self._num_seconds:.15g}", f"{name}_count {num_below}"]


def _labels(labels: tuple[tuple[str, str], ...]) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{value}"' for name, value in labels) + "}"
