#!/bin/sh
# Make the environment of `make test-inspect`: Longloom beside inspect_ai, to evaluate with both.
# Usage: scripts/setup_inspect.sh VENV
# Environment: TORCH_INDEX, an index to take the wheel of torch from; pip's own variables.
set -eu

venv=$1
sh "$(dirname "$0")/setup_environment.sh" "${PYTHON:-}" "$venv"

rm -f "$venv/.longloom-inspect-ready"
unset PIP_TARGET PIP_PREFIX
export PIP_USER=0 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1
# inspect_ai takes no fsspec as late as the locked one.
grep -v '^fsspec==' constraints.txt >"$venv/constraints.txt"
"$venv/bin/python" -m pip install -c "$venv/constraints.txt" inspect_ai==0.3.285
touch "$venv/.longloom-inspect-ready"
