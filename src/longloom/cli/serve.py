"""`longloom serve`: an OpenAI-compatible server that reads what exceeds the window."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from longloom.cli.options import Model, Overrides, YarnFactor

if TYPE_CHECKING:
    from longloom.recipes.verbs.serve import ServedAddress

_EXIT_AT_ONCE = 130
_TINY_BASE = "tiny-base"


def serve(
    model: Model = _TINY_BASE,
    endpoint: Annotated[
        str | None,
        typer.Option(help="OpenAI-compatible address to use instead of a model folder."),
    ] = None,
    model_name: Annotated[
        str | None, typer.Option(help="Name of the model; required with --endpoint.")
    ] = None,
    tokenizer: Annotated[
        Path | None, typer.Option(help="Folder with the endpoint's tokenizer, for exact counts.")
    ] = None,
    window_tokens: Annotated[
        int | None, typer.Option("--window", help="Tokens of the window; default the model's.")
    ] = None,
    yarn_factor: YarnFactor = None,
    host: Annotated[str, typer.Option(help="Address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port; 0 takes a free one.")] = 8000,
    keys: Annotated[
        Path | None, typer.Option(help="File of API keys, one a line (or LONGLOOM_SERVER_KEYS).")
    ] = None,
    journal: Annotated[Path | None, typer.Option(help="Folder that keeps what was read.")] = Path(
        "runs/serve"
    ),
    recipe: Annotated[
        str | None, typer.Option(help="Recipe of the settings; default by the model's window.")
    ] = None,
    overrides: Overrides = None,
) -> int:
    """Serve a model; requests beyond its window are read section by section."""
    from longloom.recipes.verbs.serve import serve as serve_until_stopped

    stopped_in_order = serve_until_stopped(
        model=model,
        endpoint=endpoint,
        model_name=model_name,
        tokenizer=tokenizer,
        window_tokens=window_tokens,
        yarn_factor=yarn_factor,
        host=host,
        port=port,
        keys_file=keys,
        journal=journal,
        recipe=recipe,
        overrides=overrides or (),
        on_ready=_show,
    )
    return 0 if stopped_in_order else _EXIT_AT_ONCE


def _show(address: "ServedAddress") -> None:
    key = "$KEY" if address.needs_key else "none"
    header = ' -H "Authorization: Bearer $KEY"' if address.needs_key else ""
    body = (
        f'{{"model": "{address.model}", "messages": [{{"role": "user", "content": "Hello"}}], '
        '"max_tokens": 32}'
    )
    print(f"serving {address.model} at {address.url}")
    print(
        f"window {address.window_tokens} tokens; longer requests, up to "
        f"{address.max_document_tokens}, are read section by section"
    )
    print(
        f"curl {address.url}/chat/completions{header} -H 'Content-Type: application/json' "
        f"-d '{body}'"
    )
    print(f'python: client = openai.OpenAI(base_url="{address.url}", api_key="{key}")')
    print("stop with Ctrl-C", flush=True)
