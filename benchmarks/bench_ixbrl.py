"""How fast inline-XBRL filings become text and facts with spans, on one core.

Every filing of ../shared/data/corpus-sec-filings is read and its facts are extracted; CPU seconds
(process time, the best of 5 rounds) are compared with a bare lxml parse and walk of the same bytes
in the same round, and with the parse alone. Target: 15 MB/s. Result: results/ixbrl.json.
"""

import json
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import lxml.html
from lxml import etree
from machine_facts import machine_facts

from longloom.synthesis.documents import ixbrl
from longloom.synthesis.documents.reader import SourceFile
from longloom.synthesis.facts import filings

NUM_ROUNDS = 5
TARGET_MEGABYTES_PER_SECOND = 15
HERE = Path(__file__).parent
FOLDER = HERE.parents[1] / "shared/data/corpus-sec-filings"


def extract(source: SourceFile) -> int:
    """Read a filing and return the number of its facts."""
    return sum(len(filings.extract(reading)) for reading in ixbrl.read(source))


def parse(source: SourceFile) -> int:
    """Parse with lxml.html alone."""
    return len(lxml.html.document_fromstring(source.payload))


def parse_and_walk(source: SourceFile) -> int:
    """Parse with lxml.html and look at the tag and the text of every element."""
    num_characters = 0
    for element in lxml.html.document_fromstring(source.payload).iter(etree.Element):
        num_characters += len(element.tag) + len(element.text or "") + len(element.tail or "")
    return num_characters


def cpu_seconds(work: Callable[[SourceFile], int], sources: list[SourceFile]) -> tuple[float, int]:
    """Return the CPU seconds of one pass over all filings, and what it counted."""
    begin = time.process_time()
    count = sum(work(source) for source in sources)
    return time.process_time() - begin, count


def main() -> None:
    """Measure, print a table and write the result."""
    paths = sorted(FOLDER.glob("*.html"))
    if not paths:
        sys.exit(f"no filings in {FOLDER}")
    sources = [SourceFile(name=path.name, payload=path.read_bytes()) for path in paths]
    megabytes = sum(len(source.payload) for source in sources) / 1e6
    works = {
        "filing to text and facts": extract,
        "lxml.html parse and walk": parse_and_walk,
        "lxml.html parse": parse,
    }
    seconds: dict[str, list[float]] = {name: [] for name in works}
    counts = {}
    for _ in range(NUM_ROUNDS):
        for name, work in works.items():
            spent, counts[name] = cpu_seconds(work, sources)
            seconds[name].append(spent)
    rows = {name: megabytes / min(spent) for name, spent in seconds.items()}
    print(f"{len(paths)} filings, {megabytes:.1f} MB, {counts['filing to text and facts']} facts")
    for name, speed in rows.items():
        best = min(seconds[name])
        print(f"{name:<26} best {best:.3f} CPU s  {speed:6.1f} MB/s")
    result = {
        "benchmark": "ixbrl",
        "command": "python benchmarks/bench_ixbrl.py",
        "date": datetime.now(UTC).date().isoformat(),
        "machine": machine_facts(lxml=etree.__version__),
        "num_files": len(paths),
        "num_megabytes": round(megabytes, 3),
        "num_facts": counts["filing to text and facts"],
        "num_rounds": NUM_ROUNDS,
        "target_megabytes_per_second": TARGET_MEGABYTES_PER_SECOND,
        "megabytes_per_cpu_second": {name: round(speed, 1) for name, speed in rows.items()},
    }
    target = HERE / "results/ixbrl.json"
    target.parent.mkdir(exist_ok=True)
    target.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
