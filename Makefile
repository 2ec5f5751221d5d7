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

.PHONY: demo help test torture coverage lint types check bench sanitize wheel clean
.DELETE_ON_ERROR:

demo: .venv/installed ## wire containers, prove it with packets, tear down
	$(BIN)/netlinkpy bench --containers $(CONTAINERS)

help: ## this list
	@sed -nE 's/^([a-z]+):.*## (.*)/    make \1 ## \2/p' $(MAKEFILE_LIST) | awk -F ' ## ' '{printf "%-18s %s\n", $$1, $$2}'

test: .venv/with-test ## the tests, on the real kernel, in namespaces of their own (TESTS="options of pytest")
	$(BIN)/python -m pytest $(TESTS)

torture: .venv/with-test ## faults, kills, rounds without end: hours, and one table; minutes with SHORT=1
	$(if $(SHORT),,NETLINKPY_LONG=1) $(BIN)/python -m tests.torture $(TESTS)

coverage: .venv/with-test ## the tests, and which lines they reach (not those that run in a process of their own)
	$(BIN)/coverage run -m pytest $(TESTS); code=$$?; $(BIN)/coverage report; exit $$code

lint: .venv/with-lint ## ruff and clang-format: rules and layout
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/clang-format --dry-run -Werror csrc/*.[ch] tests/backends/*.[ch]

types: .venv/with-lint .venv/with-test ## mypy, strict
	$(BIN)/mypy

check: lint types .venv/with-test ## what takes seconds: run it before a commit
	$(BIN)/python -m pytest -q tests/test_package.py

bench: .venv/with-bench ## beside the floor in C and the peers
	$(BIN)/python benchmarks/compare.py

sanitize: .venv/with-test ## the shim's C under the sanitizers and valgrind
	NETLINKPY_REQUIRE=all $(BIN)/python -m pytest tests/backends/test_sanitize.py

wheel: .venv/environment ## dist/netlinkpy-*.whl, abi3
	rm -rf build dist
	$(BIN)/pip wheel -q --no-deps --no-build-isolation --wheel-dir dist .

clean: ## forget all that was made here, .venv too
	rm -rf .venv .coverage build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .benchmarks benchmarks/bin
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
