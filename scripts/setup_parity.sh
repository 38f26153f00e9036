#!/bin/sh
# Make the environment of `make test-parity`: Longloom with TRL and verl, for their pure functions.
# Usage: scripts/setup_parity.sh VENV
# Environment: TORCH_INDEX, an index to take the wheel of torch from; pip's own variables.
# verl pins other versions of what Longloom uses; its functions need none of them, so it is installed
# without its dependencies, beside what they import.
set -eu

venv=$1
sh "$(dirname "$0")/setup_environment.sh" "${PYTHON:-}" "$venv"

rm -f "$venv/.longloom-parity-ready"
unset PIP_TARGET PIP_PREFIX
export PIP_USER=0 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1
torch=$("$venv/bin/python" -c 'from importlib.metadata import version; print(version("torch"))')
# Without constraints.txt, which TRL's dependencies do not meet; but with the torch that is there.
"$venv/bin/python" -m pip install "torch==$torch" \
    trl==1.16.0 tensordict==0.10.0 ray codetiming omegaconf
"$venv/bin/python" -m pip install --no-deps verl==0.9.1
touch "$venv/.longloom-parity-ready"
