#!/bin/sh
# Make the environment of `make test-mergekit`: Longloom beside mergekit, to merge with both.
# Usage: scripts/setup_mergekit.sh VENV
# Environment: TORCH_INDEX, an index to take the wheel of torch from; pip's own variables.
# mergekit is LGPL: nothing of it is part of Longloom, and no other environment holds it.
set -eu

venv=$1
sh "$(dirname "$0")/setup_environment.sh" "${PYTHON:-}" "$venv"

rm -f "$venv/.longloom-mergekit-ready"
unset PIP_TARGET PIP_PREFIX
export PIP_USER=0 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1
"$venv/bin/python" -m pip install -c constraints.txt mergekit==0.1.5
touch "$venv/.longloom-mergekit-ready"
