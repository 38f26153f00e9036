"""Take a benchmark's official files from the Hugging Face hub, where it can be reached."""

import shutil
from pathlib import Path

from longloom.errors import DataError
from longloom.evaluation.benchmark import Benchmark
from longloom.runlog.atomic import atomic_path


def download_files(benchmark: Benchmark, folder: Path) -> None:
    """Put the hub's files of a benchmark into a folder; those that are there stay.

    A token for gated datasets is found where `huggingface_hub` looks for it.

    Raises:
        DataError: it is not on the hub, or the hub cannot be reached or refuses.
    """
    source = benchmark.source
    assert source is not None
    if source.hub is None:
        raise DataError(
            f"{benchmark.title} cannot be downloaded from here; get it from {source.address} "
            f"(licence: {source.licence}) and give its folder with --data"
        )
    missing = [name for name in source.hub.files if not (folder / Path(name).name).is_file()]
    if not missing:
        return
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError

    for name in missing:
        try:
            fetched = hf_hub_download(
                source.hub.repository, name, repo_type="dataset", revision=source.hub.revision
            )
            with atomic_path(folder / Path(name).name) as partial:
                shutil.copyfile(fetched, partial)
        except (HfHubHTTPError, OSError, ValueError) as error:
            reason = " ".join(str(error).split())[:300]
            raise DataError(
                f"{name} of {source.hub.repository} could not be downloaded: {reason}; get it from "
                f"{source.address} and give its folder with --data"
            ) from None
