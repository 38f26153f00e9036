#!/bin/sh
# Make the environment of `make test-cluster`: Longloom beside verl and Ray, as a cluster has them.
# Usage: scripts/setup_cluster.sh VENV
# Environment: TORCH_INDEX, an index to take the wheel of torch from; pip's own variables.
set -eu

venv=$1
sh "$(dirname "$0")/setup_environment.sh" "${PYTHON:-}" "$venv"

rm -f "$venv/.longloom-cluster-ready"
unset PIP_TARGET PIP_PREFIX
export PIP_USER=0 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1
# verl takes older versions of some locked packages; torch stays the one that is there.
grep -v -E "^(click|fsspec|huggingface-hub|numpy|tokenizers|transformers|typer)==" constraints.txt >"$venv/constraints.txt"
"$venv/bin/python" -m pip install -c "$venv/constraints.txt" -e '.[dev,verl,ray]'
touch "$venv/.longloom-cluster-ready"
