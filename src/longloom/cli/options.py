"""Options that several verbs share."""

from pathlib import Path
from typing import Annotated

import typer

Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="A.B=C", help="Change a setting; may be repeated."),
]
Seed = Annotated[int | None, typer.Option(help="Seed of everything random.")]
Recipe = Annotated[str, typer.Option(help="Recipe or YAML file whose settings are used.")]
Model = Annotated[str, typer.Option(help="Model folder, or `tiny-base`.")]
Endpoint = Annotated[
    str | None, typer.Option(help="Address of a model to ask; its key: LONGLOOM_API_KEY.")
]
ModelName = Annotated[str | None, typer.Option(help="Its name at the endpoint.")]
TokenizerFolder = Annotated[
    str | None, typer.Option(help="Folder of its tokenizer; tokens are estimated without.")
]
Window = Annotated[
    int | None, typer.Option("--window", help="Tokens of the window; default the model's.")
]
ModelsRecipe = Annotated[
    str | None, typer.Option(help="Recipe or YAML file whose settings are used; default by model.")
]
YarnFactor = Annotated[
    float | None,
    typer.Option("--yarn-factor", metavar="FLOAT", help="Lengthen the model's window by YaRN."),
]
NewFolder = Annotated[Path, typer.Option("--output", "-o", help="New folder to write.")]
NewFile = Annotated[Path, typer.Option("--output", "-o", help="New file to write.")]
RayAddress = Annotated[
    str | None,
    typer.Option("--ray-address", help="Ray cluster to work on, as `ray start` printed it."),
]
UsesRay = Annotated[
    bool,
    typer.Option("--ray", help="Work on the Ray cluster of RAY_ADDRESS, or one started here."),
]
Fresh = Annotated[
    bool, typer.Option("--fresh", help="Delete what the run folder holds and start again.")
]
Track = Annotated[
    list[str] | None,
    typer.Option(help="Show metrics in tensorboard or wandb too; may be repeated."),
]
