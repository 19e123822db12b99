# Thin names for what is in scripts/, for those who have make.
.PHONY: check test format lock bench soak clean

check:  ## everything CI checks
	scripts/test

test:  ## the tests alone
	scripts/test -n auto --maxprocesses 8

format:  ## put the code in its usual form
	scripts/format

lock:  ## renew the pins
	scripts/lock

bench:  ## what the README promises, measured
	scripts/bench

soak:  ## the long loops, and the laws held against other examples than those of every day
	scripts/test -m soak --timeout 0
	scripts/test tests/unit tests/contract tests/stories -n auto --hypothesis-profile search

clean:  ## caches and builds; the environment stays
	rm -rf dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find src tests scripts benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +
