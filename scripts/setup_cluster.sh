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
torch=$("$venv/bin/python" -c 'from importlib.metadata import version; print(version("torch"))')
# A lock of its own: verl takes older versions of some packages; torch stays the one there is.
"$venv/bin/python" -m pip install -c constraints-cluster.txt "torch==$torch" -e '.[dev,verl,ray]'
touch "$venv/.longloom-cluster-ready"
