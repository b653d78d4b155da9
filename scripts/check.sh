#!/usr/bin/env bash
# Checks that every commit must pass: format, lints, and the tests that need neither Node nor PostgreSQL.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

cargo fmt --check
cargo clippy --locked --quiet --all-targets -- -D warnings
cargo build --locked --examples
cargo test --locked --quiet --lib --bins --test it "$@"
