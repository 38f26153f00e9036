"""Write logged rollouts as verl dumps them, for viewers made for that.

    rollouts.jsonl -> {"input", "output", "gts", "score", "step"}, one line per rollout

The input of a memory agent is the prompt of its last call, which holds the answer.
"""

import json
from pathlib import Path

from longloom.errors import DataError
from longloom.report.rollout_records import iterate_rollout_groups
from longloom.report.run_contents import rollout_files
from longloom.runlog import ROLLOUTS_FILE, atomic_path


def dump_rollouts(run_folder: Path, target: Path) -> int:
    """Write the logged rollouts of a run to JSON Lines and return their number.

    Raises:
        DataError: the run has logged none, or the file cannot be written.
    """
    files = rollout_files(run_folder)
    if not files:
        raise DataError(
            f"{run_folder} holds no {ROLLOUTS_FILE}; expected the folder of a run that has trained"
        )
    num_rollouts = 0
    groups = (
        group
        for source, steps_before in files
        for group in iterate_rollout_groups(source, steps_before=steps_before)
    )
    with atomic_path(target) as partial, partial.open("w", encoding="utf-8") as lines:
        for group in groups:
            for rollout in group.rollouts:
                last = rollout.turns[-1] if rollout.turns else None
                dumped = {
                    "input": last.prompt_text if last else "",
                    "output": last.response_text if last else "",
                    "gts": group.answer,
                    "score": rollout.reward,
                    "step": group.step,
                }
                lines.write(json.dumps(dumped, ensure_ascii=False) + "\n")
                num_rollouts += 1
    return num_rollouts
