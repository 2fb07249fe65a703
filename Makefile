# The commands of README, CONTRIBUTING and CI. Each does its own set-up.
SHELL := /bin/bash
.DEFAULT_GOAL := help
WEB := designer-api/web
POSTGRES := $(wildcard /usr/lib/postgresql/*/bin/initdb)
CHROMIUM ?= /usr/bin/chromium

DATA ?= ../shared/data

.PHONY: help run test fmt lint bench acceptance web setup-tests packs sizes rust-tests browser-tests

help: ## What there is
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

run: web ## Serve the CRM with demo data at http://127.0.0.1:8080
	cargo run --bin formwork -- serve definitions/crm --demo

test: web setup-tests lint sizes rust-tests packs browser-tests ## Everything: format, lints, sizes, Rust tests, packs' cases, browser tests

fmt: ## Format the code and the shipped packs
	cargo fmt --all
	cargo run --quiet --bin formwork -- fmt definitions/crm examples/hello

lint: web
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings

rust-tests: web setup-tests
	cargo test --workspace --no-fail-fast

packs: web
	cargo run --quiet --bin formwork -- fmt --check definitions/crm examples/hello
	cargo run --quiet --bin formwork -- test definitions/crm examples/hello

sizes: web
	cd $(WEB) && node --test sizes.test.mjs

browser-tests: web setup-tests
	cargo build --bin formwork
	cd $(WEB) && CHROMIUM=$(CHROMIUM) npx playwright test -c e2e

bench: ## Ratios against a yardstick in the same process (not part of the tests)
	cargo bench -p formwork-tests

acceptance: web setup-tests ## Import the real files of DATA on both stores, beside independent counts
	cargo run -p formwork-tests --example acceptance -- $(DATA)

web: $(WEB)/dist/main.js ## Bundle the pages' scripts

$(WEB)/node_modules/.package-lock.json: $(WEB)/package.json $(WEB)/package-lock.json
	@command -v npm >/dev/null || { echo "Node 20 with npm is needed: https://nodejs.org"; exit 1; }
	cd $(WEB) && npm ci --no-audit --no-fund

$(WEB)/dist/main.js: $(WEB)/node_modules/.package-lock.json $(wildcard $(WEB)/src/*.ts $(WEB)/src/islands/*.ts) $(WEB)/build.mjs
	cd $(WEB) && npm run --silent build

setup-tests: $(WEB)/node_modules/.package-lock.json
ifeq ($(POSTGRES),)
	$(MAKE) --no-print-directory apt PACKAGES=postgresql
endif
	@test -x $(CHROMIUM) && fc-list 2>/dev/null | grep -q -i 'noto.*cjk' || $(MAKE) --no-print-directory apt PACKAGES="chromium fonts-noto-cjk fontconfig"

.PHONY: apt
apt:
	@if [ "$$(id -u)" = 0 ]; then as=; else as=sudo; fi; \
	  $$as apt-get update -q && DEBIAN_FRONTEND=noninteractive $$as apt-get install -y -q --no-install-recommends $(PACKAGES)
