# `make` alone tells what there is. Nothing below needs root or a GPU.
PYTHON ?= python3
VENV ?= .venv
VENV_OFFICIAL ?= .venv-official
PY := $(VENV)/bin/python
# Processes that run the tests; each takes up to 4 GB.
JOBS ?= 2

.PHONY: help setup setup-official demo test test-official lint clean

help:
	@echo 'make setup          environment with the maintained onedl-* packages'
	@echo 'make demo           setup, then the demo (results in demo_out/)'
	@echo 'make test           setup, then all tests'
	@echo 'make lint           setup, then style, types, spelling, docstrings'
	@echo 'make test-official  the tests on official mmdet 3.3 and torch 2.1'
	@echo 'make clean          remove builds, caches and demo results'

setup:
	@bash tools/misc/setup_env.sh modern $(VENV) $(PYTHON)

setup-official:
	@bash tools/misc/setup_env.sh official $(VENV_OFFICIAL) $(PYTHON)

demo: setup
	$(PY) demo/run_demo.py

test: setup
	$(PY) -m pytest tests -n $(JOBS) --dist loadfile

test-official: setup-official
	$(VENV_OFFICIAL)/bin/python -m pytest tests -n $(JOBS) --dist loadfile

lint: setup
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy
	$(VENV)/bin/codespell
	$(VENV)/bin/interrogate -q pmvis_mm tools

clean:
	rm -rf build dist *.egg-info demo_out .pytest_cache .mypy_cache .ruff_cache
	find pmvis_mm tools tests configs demo -name __pycache__ -type d \
	  -prune -exec rm -rf {} +
