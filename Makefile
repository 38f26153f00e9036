# Longloom. `make help` lists the targets; `make run` and `make test` each work first.
#   PYTHON=python3.12   the Python to make .venv with (default: the first that is new enough)
#   TORCH_INDEX=URL     take the wheel of torch from another index, for example
#                       the index of CPU wheels that pytorch.org names (0.4 GB to download on Linux, not 2.9)
#   ARGS="..."          further arguments of `longloom run` or pytest
PYTHON ?=
TORCH_INDEX ?=
ARGS ?=

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.longloom-ready

.PHONY: help setup run test test-slow test-parity test-mergekit test-inspect test-openwebui test-cluster check bench bench-merge bench-step ablation reproduce clean
.DEFAULT_GOAL := help

help: ## list the targets
	@echo "Targets:"
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  \1: \2/p' Makefile | awk -F': ' '{printf "%-18s%s\n", $$1, $$2}'
	@echo "Options: PYTHON=python3.12, TORCH_INDEX=URL, ARGS=\"--seed 1\" (see the head of the Makefile)"

$(READY): pyproject.toml constraints.txt
	@TORCH_INDEX="$(TORCH_INDEX)" sh scripts/setup_environment.sh "$(PYTHON)" "$(VENV)"

setup: $(READY) ## make .venv and install the locked versions (the others do it when needed)

run: $(READY) ## take real documents through the whole recipe on this machine's CPU
	@$(BIN)/longloom run tiny-cpu $(ARGS)

test: $(READY) ## run the tests
	@$(BIN)/python -m pytest $(ARGS)

test-slow: $(READY) ## run the tests that take longer
	@$(BIN)/python -m pytest -m slow $(ARGS)

PARITY := .venv.parity

$(PARITY)/.longloom-parity-ready: pyproject.toml constraints.txt scripts/setup_parity.sh
	@TORCH_INDEX="$(TORCH_INDEX)" PYTHON="$(PYTHON)" sh scripts/setup_parity.sh "$(PARITY)"

test-parity: $(PARITY)/.longloom-parity-ready ## compare losses and advantages with TRL's and verl's own
	@$(PARITY)/bin/python -m pytest tests/parity -W ignore $(ARGS)

MERGEKIT := .venv.mergekit

$(MERGEKIT)/.longloom-mergekit-ready: pyproject.toml constraints.txt scripts/setup_mergekit.sh
	@TORCH_INDEX="$(TORCH_INDEX)" PYTHON="$(PYTHON)" sh scripts/setup_mergekit.sh "$(MERGEKIT)"

test-mergekit: $(MERGEKIT)/.longloom-mergekit-ready ## merge with mergekit and with Longloom, and compare
	@$(MERGEKIT)/bin/python -m pytest tests/parity/test_mergekit.py -W ignore $(ARGS)

bench-merge: $(MERGEKIT)/.longloom-mergekit-ready ## merge 3 x 1.2 GB beside mergekit, on one CPU thread (6 GB of disk)
	@$(MERGEKIT)/bin/python benchmarks/merge.py $(ARGS)

INSPECT := .venv.inspect

$(INSPECT)/.longloom-inspect-ready: pyproject.toml constraints.txt scripts/setup_inspect.sh
	@TORCH_INDEX="$(TORCH_INDEX)" PYTHON="$(PYTHON)" sh scripts/setup_inspect.sh "$(INSPECT)"

test-inspect: $(INSPECT)/.longloom-inspect-ready ## evaluate with inspect_ai and with Longloom, and compare
	@$(INSPECT)/bin/python -m pytest tests/inspect_tasks -m inspect -W ignore $(ARGS)

OPENWEBUI := .venv.openwebui

$(OPENWEBUI)/.longloom-openwebui-ready: constraints.txt scripts/setup_openwebui.sh
	@TORCH_INDEX="$(TORCH_INDEX)" PYTHON="$(PYTHON)" sh scripts/setup_openwebui.sh "$(OPENWEBUI)"

test-openwebui: $(READY) $(OPENWEBUI)/.longloom-openwebui-ready ## ask Open WebUI itself about a long file (3 GB to install)
	@$(BIN)/python -m pytest tests/openwebui -m openwebui $(ARGS)

CLUSTER := .venv.cluster

$(CLUSTER)/.longloom-cluster-ready: pyproject.toml constraints.txt constraints-cluster.txt scripts/setup_cluster.sh
	@TORCH_INDEX="$(TORCH_INDEX)" PYTHON="$(PYTHON)" sh scripts/setup_cluster.sh "$(CLUSTER)"

test-cluster: $(CLUSTER)/.longloom-cluster-ready ## train with verl and weave with Ray, on the CPU (2.2 GB, 20 minutes)
	@$(CLUSTER)/bin/python -m pytest tests/training tests/engines -W ignore $(ARGS)
	@$(CLUSTER)/bin/python -m pytest tests/cluster -m distributed -W ignore $(ARGS)

check: $(READY) ## format, lint, types and the layer contract
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

bench: $(READY) ## run the benchmarks (figures, not tests)
	@for file in benchmarks/bench_*.py; do echo "== $$file"; $(BIN)/python "$$file" || exit 1; done

bench-step: $(READY) $(PARITY)/.longloom-parity-ready ## one GRPO step beside TRL, on one CPU thread
	@$(BIN)/python benchmarks/grpo_step.py $(ARGS)

ablation: $(READY) ## the ablations of the paper on the tiny model (2.7 CPU-hours, resumable)
	@$(BIN)/python benchmarks/ablation.py run --workers 2 $(ARGS)
	@$(BIN)/python benchmarks/ablation.py run --workers 2 --arms unsettled --seeds 10 $(ARGS)
	@$(BIN)/python benchmarks/ablation.py report

reproduce: $(READY) ## the tiny recipe with 5 seeds beside the paper's Table 10 (about 70 CPU-minutes, resumable)
	@$(BIN)/python benchmarks/reproduce.py run $(ARGS)
	@$(BIN)/python benchmarks/reproduce.py report

clean: ## remove the environments and caches; runs/ stays
	rm -rf $(VENV) $(PARITY) $(MERGEKIT) $(INSPECT) $(OPENWEBUI) $(CLUSTER) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find src tests examples benchmarks -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true
