# Benchmarks the built functions against an empty one, and writes docs/numbers.md and the summary in README.md.
# Needs sam, cargo-lambda, Python 3.10 or later and openssl.
.PHONY: bench
bench:
	sam build
	cargo lambda build --release --bin empty --features empty
	python3 bench/run.py

# Mutation tests: removes one guard at a time and expects the tests to fail.
.PHONY: mutants
mutants:
	python3 tests/mutations/run.py
