# Benchmarks the built functions against an empty one, then the first answer of functions that have started; writes the tables of
# docs/numbers.md and the summary in README.md. Needs sam, cargo-lambda, Python 3.10 or later, openssl, and root for the second.
.PHONY: bench
bench:
	sam build
	cargo lambda build --release --bin empty --features empty
	python3 bench/run.py
	python3 bench/cold.py

# `slack` beside Slack's own framework, Bolt for Python and for JavaScript, which it installs. Needs npm and pip too.
.PHONY: bench-peers
bench-peers:
	python3 bench/peers.py

# What operations cost where a hundred to 20,000 requests are stored, for which it needs 2 GB of memory. Needs only Rust.
.PHONY: scale
scale:
	for stored in 100 1000 20000; do KEYVEND_STORED=$$stored cargo test --locked --test it path::calls || exit 1; done

# Mutation tests: removes one guard at a time and expects the tests to fail.
.PHONY: mutants
mutants:
	python3 tests/mutations/run.py

# What the functions seal, opened by the page, and the page's own tests. Needs Node 20 or later.
.PHONY: test-page
test-page:
	cargo test --locked --test page

# The page in browsers. Needs Node 20 or later and axe-core (npm, in node_modules or NODE_PATH); of Debian chromium, chromium-driver,
# firefox-esr, webkit2gtk-driver and xvfb.
.PHONY: test-browser
test-browser:
	node tests/page/browser/run.mjs
	node tests/page/browser/engines_claim.mjs

# What the page writes, fed to the tools that read it. Needs Node, Python with tests/page/consumers/requirements.txt, and of Debian
# awscli, fish and zsh.
.PHONY: test-formats
test-formats:
	python3 tests/page/consumers/run.py

# The messages that `cargo test` saw the product send, against Slack's own models. Needs Python with slack_sdk.
.PHONY: test-messages
test-messages:
	python3 tests/blockkit/validate.py target/blockkit/messages.jsonl

# The built template, walked as people would. Needs `sam build`, and Python with tests/deployed/requirements.txt.
.PHONY: test-deployed
test-deployed:
	python3 tests/deployed/run.py
