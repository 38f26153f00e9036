#!/bin/sh
# Make the virtual environment of `make run` and `make test`; called by the Makefile alone.
# Usage: scripts/setup_environment.sh PYTHON VENV
# PYTHON may be empty: the first of python3, python3.13, .12, .11 that is new enough is taken.
# Environment: TORCH_INDEX, an index to take the wheel of torch from; pip's own variables.
set -eu

wanted_python=$1
venv=$2
ready="$venv/.longloom-ready"
unfinished="$venv/.longloom-unfinished" # holds the process id of the set-up that wrote it

fail() {
    echo "error: $*" >&2
    exit 2
}

is_new_enough() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

choose_python() {
    if [ -n "$wanted_python" ]; then
        command -v "$wanted_python" >/dev/null 2>&1 ||
            fail "PYTHON=$wanted_python was not found; name an installed Python 3.11 or newer."
        is_new_enough "$wanted_python" ||
            fail "$wanted_python is $("$wanted_python" --version 2>&1); Longloom needs Python 3.11 or newer."
        echo "$wanted_python"
        return
    fi
    for name in python3 python3.13 python3.12 python3.11; do
        if is_new_enough "$name"; then
            echo "$name"
            return
        fi
    done
    found=$(python3 --version 2>&1) || found="not installed"
    fail "Longloom needs Python 3.11 or newer; python3 is: $found. Install one, or name it: make setup PYTHON=/path/to/python3.12"
}

# A set-up that was killed leaves packages half written; only a new environment repairs that.
if [ -f "$unfinished" ]; then
    other=$(cat "$unfinished")
    if [ -n "$other" ] && kill -0 "$other" 2>/dev/null; then
        fail "another set-up (process $other) is filling $venv; wait for it and repeat the command (if it is no set-up: rm -rf $venv)."
    fi
    echo "The last set-up did not finish; starting it again."
    rm -rf "$venv"
elif [ -e "$venv" ] && ! { is_new_enough "$venv/bin/python" && "$venv/bin/python" -c 'import pip' >/dev/null 2>&1; }; then
    echo "$venv cannot be used; making it again."
    rm -rf "$venv"
fi

if [ ! -e "$venv" ]; then
    python=$(choose_python)
    "$python" -c 'import ensurepip, venv' >/dev/null 2>&1 ||
        fail "$python cannot make virtual environments: its venv module is missing (on Debian and Ubuntu: sudo apt install python3-venv)."
    echo "Making $venv with $("$python" --version)."
    mkdir "$venv"
    echo $$ >"$unfinished"
    "$python" -m venv "$venv"
fi
rm -f "$ready"
echo $$ >"$unfinished"

# These would install outside the environment.
unset PIP_TARGET PIP_PREFIX
export PIP_USER=0 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1
if [ -n "${TORCH_INDEX:-}" ]; then
    torch=$(sed -n 's/^\(torch==[^ ]*\).*/\1/p' constraints.txt)
    # Without its dependencies: that index need not hold the locked versions of them.
    "$venv/bin/python" -m pip install --no-deps --index-url "$TORCH_INDEX" "$torch"
fi
"$venv/bin/python" -m pip install -c constraints.txt -e '.[dev]'

rm -f "$unfinished"
touch "$ready"
