# Measures the built functions against one that does nothing, and writes docs/numbers.md and the table in README.md.
# Needs sam, cargo-lambda, Python 3.10 or later and openssl.
.PHONY: bench
bench:
	sam build
	cargo lambda build --release --bin empty --features empty
	python3 bench/run.py

# Breaks one guard at a time and expects the tests to notice.
.PHONY: mutants
mutants:
	python3 tests/mutations/run.py
