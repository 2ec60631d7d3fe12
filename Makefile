# The habits, as commands. Each makes or refreshes .venv by itself (scripts/lib.sh); nothing has to be activated.
PYTHON := .venv/bin/python
TYPED := $(wildcard axonlike tests examples benchmarks)

.PHONY: help check test bench docs pictures soak demo clean

help:
	@echo "make check  ruff, mypy, quick tests: before every push"
	@echo "make test   everything but soak (scripts/test): what CI runs"
	@echo "make bench  the benchmarks, beside peers"
	@echo "make docs   the documentation, warnings are errors, its code executed: docs/_build/index.html"
	@echo "make pictures  the documentation's pictures anew (scripts/pictures)"
	@echo "make soak   fuzzing, long sweeps, real waits: hours"
	@echo "make demo   the notification server with a simulated device"
	@echo "make clean  removes what can be made again, but not .venv"

check:
	scripts/setup test serial fast
	$(PYTHON) -m ruff check .
	$(PYTHON) -m mypy $(TYPED)
	$(PYTHON) -m pytest -n 4 --dist worksteal -m "not slow and not soak and not system"

test:
	scripts/test

bench:
	scripts/setup test serial fast
	$(PYTHON) -m benchmarks

docs:
	scripts/setup docs test serial
	$(PYTHON) -m sphinx -W --keep-going -b html docs docs/_build
	$(PYTHON) -m pytest -q tests/test_docs.py::test_every_block_of_python_is_executed

pictures:
	scripts/pictures

soak:
	scripts/setup test serial fast
	$(PYTHON) -m pytest -m "soak or hypothesis" --hypothesis-profile=soak

demo:
	scripts/demo

clean:
	rm -rf build dist *.egg-info docs/_build .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find axonlike tests examples benchmarks docs -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true
