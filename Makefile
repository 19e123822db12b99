# Short names for the scripts.
.PHONY: check test format lock bench soak clean

check:  ## everything
	scripts/test

test:  ## the tests alone
	scripts/test -n auto --maxprocesses 8

format:  ## format the code
	scripts/format

lock:  ## update the pinned versions
	scripts/lock

bench:  ## measure the speed that the README promises
	scripts/bench

soak:  ## the long loops, and the property tests with new examples
	scripts/test -m soak --timeout 0
	scripts/test tests/unit tests/contract tests/stories -n auto --hypothesis-profile search

clean:  ## delete caches and builds, but not .venv
	rm -rf dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find src tests scripts benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +
