# Everything a checkout can do; each target makes its own set-up in .venv, as root or not. See README.md.
PYTHON ?= python3
CONTAINERS ?= 200
BIN := .venv/bin
PIP := $(BIN)/pip install -q --disable-pip-version-check
SOURCES := pyproject.toml setup.py build_ffi.py $(wildcard csrc/*)
REQUIREMENTS := import sys, tomllib; \
	extras = tomllib.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"]; \
	print(*extras[sys.argv[1]], sep="\n")
export PYTHON

.PHONY: demo test bench lint types check wheel sanitize clean
.DELETE_ON_ERROR:

demo: .venv/installed ## wire containers, prove it with packets, tear down
	$(BIN)/netlinkpy bench --containers $(CONTAINERS)

test: .venv/with-test ## the tests, on the real kernel, in namespaces of their own
	$(BIN)/python -m pytest $(TESTS)

lint: .venv/with-lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/with-lint .venv/with-test
	$(BIN)/mypy

check: lint types .venv/with-test ## what takes seconds: run it before a commit
	$(BIN)/python -m pytest -q tests/test_package.py

bench: .venv/with-bench ## beside the floor in C and the peers
	$(BIN)/python benchmarks/compare.py

sanitize: .venv/with-test ## the shim's C under the sanitizers and valgrind
	NETLINKPY_REQUIRE=all $(BIN)/python -m pytest tests/backends/test_sanitize.py

wheel: .venv/environment
	rm -rf build dist
	$(BIN)/pip wheel -q --no-deps --no-build-isolation --wheel-dir dist .

clean:
	rm -rf .venv build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .benchmarks benchmarks/bin
	rm -f netlinkpy/backends/*.so netlinkpy/backends/_shim.c
	find . -name __pycache__ -prune -exec rm -rf {} +

.venv/environment: .ci/environment
	@.ci/environment
	@touch $@

# An old build/ or object must not stand in for one that this machine cannot make.
.venv/installed: .venv/environment $(SOURCES)
	@echo "netlinkpy: building in .venv"
	@rm -rf build netlinkpy/backends/*.so
	@PYTHONWARNINGS=ignore $(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

.venv/with-%: .venv/installed pyproject.toml
	@$(BIN)/python -c '$(REQUIREMENTS)' $* | $(PIP) -r /dev/stdin
	@touch $@
