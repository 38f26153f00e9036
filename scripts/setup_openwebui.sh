#!/bin/sh
# Make the environment of `make test-openwebui`: Open WebUI itself, and what drives a browser.
# Usage: scripts/setup_openwebui.sh VENV
# Environment: PYTHON, a Python 3.11 or 3.12 (Open WebUI takes no later one);
# TORCH_INDEX, an index to take the wheel of torch from; pip's own variables.
# Open WebUI pins other versions of what Longloom uses, so it never shares an environment with it.
# About 3.1 GB and two minutes with a CPU wheel of torch; with a CUDA wheel, more.
set -eu

venv=$1
version=0.12.4
ready="$venv/.longloom-openwebui-ready"

is_right_python() {
    "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 13))' >/dev/null 2>&1
}

choose_python() {
    for name in ${PYTHON:-} python3 python3.12 python3.11; do
        if is_right_python "$name"; then
            echo "$name"
            return
        fi
    done
    echo "error: Open WebUI needs Python 3.11 or 3.12; name one: make test-openwebui PYTHON=/path/to/python3.12" >&2
    exit 2
}

python=$(choose_python)
rm -f "$ready"
is_right_python "$venv/bin/python" || "$python" -m venv --clear "$venv"

# These would install outside the environment.
unset PIP_TARGET PIP_PREFIX
export PIP_USER=0 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1
torch=$(sed -n 's/^\(torch==[^ ]*\).*/\1/p' constraints.txt)
if [ -n "${TORCH_INDEX:-}" ]; then
    # Without its dependencies: that index need not hold the rest.
    "$venv/bin/python" -m pip install --no-deps --index-url "$TORCH_INDEX" "$torch"
fi
"$venv/bin/python" -m pip install "$torch" "open-webui==$version" playwright
touch "$ready"
