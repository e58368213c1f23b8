# Every command sets up what it needs: Python 3.12, the pinned packages, the emulator. Requirements: python3 and git.

TORCH ?= default
SERVE ?= 1
BUNDLES ?= examples/bundles
PORT ?= 8000
FETCH ?= 0
EVENT ?= examples/events/hexabot-base64.json
EXAMPLES ?= 100
ARCHITECTURE ?= x86_64
TARGET ?= manifest
SECONDS ?= 60
DEMO_BUNDLES = build/demo/bundles

environment = $(shell python3 scripts/environment.py $(1))
sam = $(dir $(call checked,$(call environment,cloud)))sam
full = $(call environment,full --torch $(TORCH))
# If an environment cannot be created, the reason is already on stderr.
checked = $(if $(1),$(1),$(error The environment could not be set up: see the message above))

.DEFAULT_GOAL := help
.PHONY: help demo serve token test fuzz atheris lint format bundles image zip arm64 invoke api bench drift support docs reference requirements clean

help: ## Show these commands
	@grep -E '^[a-z0-9]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 20

demo: ## Train, export, prove and serve the demo's models (SERVE=0: send messages to the Lambda emulator and exit)
	@set -e; python=$(call checked,$(full)); \
	$$python -m ludwig_serverless train examples/demo/dataset.csv --out-of-scope out_of_scope \
	  --output $(DEMO_BUNDLES) --runs build/demo/runs; \
	if [ "$(SERVE)" = 0 ]; then \
	  $$python -m scripts.ask_emulator $(call checked,$(call environment,emulator)) $(DEMO_BUNDLES); \
	else \
	  exec $$python -m ludwig_serverless serve $(DEMO_BUNDLES) --open --port $(PORT); \
	fi

serve: ## Serve bundles on this machine, without Ludwig or torch (BUNDLES=folder PORT=8000)
	@exec $(call checked,$(call environment,serve)) -m ludwig_serverless serve $(BUNDLES) --open --port $(PORT)

token: ## Create a token for Hexabot, and its digest for the service
	@$(call checked,$(call environment,serve)) -m ludwig_serverless token

test: lint ## Run all tests, including the slow ones
	@$(call checked,$(full)) -m pytest -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder --durations 20 $(ARGS)

fuzz: ## Train and export random models (EXAMPLES=500)
	@ZOO_EXAMPLES=$(EXAMPLES) $(call checked,$(full)) -m pytest tests/zoo/test_random.py -q

atheris: ## Fuzz the parsers of untrusted input (TARGET=manifest, body or tokenizers; SECONDS=3600)
	@$(call checked,$(call environment,fuzz)) -m scripts.fuzz $(TARGET) $(SECONDS)

lint: ## Check style, types and import contracts
	@set -e; bin=$(dir $(call checked,$(full))); \
	python3 scripts/requirements.py --check; \
	$$bin/ruff check .; $$bin/ruff format --check .; $$bin/mypy; $$bin/lint-imports

format: ## Format the code
	@set -e; bin=$(dir $(call checked,$(full))); $$bin/ruff check --fix .; $$bin/ruff format .

bundles: ## Rebuild the bundles that ship with the repository
	@rm -rf build/shipped examples/bundles examples/answers
	@set -e; python=$(call checked,$(full)); $$python -m scripts.shipped_models --bundles examples/bundles; \
	$$python -m scripts.record_answers build/shipped/runs examples/bundles examples/answers

image: ## Build the Lambda image, and print the size that it adds to its base (BUNDLES=folder BASE_IMAGE=name FETCH=1)
	@$(call checked,$(call environment,serve)) -m scripts.image --bundles $(BUNDLES) --fetch $(FETCH) \
	  $(if $(BASE_IMAGE),--base-image $(BASE_IMAGE))

zip: ## Build a zip package for Lambda instead of the image (BUNDLES=folder ARCHITECTURE=arm64 FETCH=1)
	@$(call checked,$(call environment,serve)) -m scripts.zip_package --bundles $(BUNDLES) \
	  --architecture $(ARCHITECTURE) --fetch $(FETCH)

arm64: ## Run the arm64 zip package in qemu, with and without /sys, as root on Debian or Ubuntu (BUNDLES=folder)
	@$(call checked,$(call environment,serve)) -m scripts.arm64 --bundles $(BUNDLES)

invoke: ## Answer one event in the Lambda container, with SAM (EVENT=examples/events/json.json)
	@$(call checked,$(call environment,serve)) -m scripts.local_sam --bundles $(BUNDLES) $(sam) invoke $(EVENT)

api: ## Serve the HTTP API on 127.0.0.1 from the Lambda container, with SAM (PORT=8000 BUNDLES=folder)
	@exec $(call checked,$(call environment,serve)) -m scripts.local_sam --bundles $(BUNDLES) $(sam) api --port $(PORT)

# PART=quality DATA=folder writes docs/quality.md; ROWS, SEEDS, MODELS and ONLY limit what it measures.
bench: ## Measure and write docs/performance.md, in about 20 minutes (one part: PART=cold, see PART=--help)
	@$(call checked,$(full)) -m benchmarks $(PART) $(if $(DATA),--data $(abspath $(DATA))) $(if $(ROWS),--rows $(ROWS)) \
	  $(if $(SEEDS),--seeds $(SEEDS)) $(if $(MODELS),--models $(MODELS)) $(if $(ONLY),--only $(ONLY)) $(OPTIONS)

drift: ## Simulate a day with a new topic from noon: the alarm on drift, and what is captured for review
	@exec $(call checked,$(full)) -m scripts.drift_day

support: ## Rewrite docs/support.md: what can be exported, with the measured differences
	@$(call checked,$(full)) -m tests.zoo.support

docs: ## Build the documentation site into build/site (a broken link is an error)
	@$(dir $(call checked,$(call environment,docs)))mkdocs build --strict

reference: ## Regenerate documentation from the code: the commands' help, ARCHITECTURE.md's tables, docs/answer.svg
	@python=$(call checked,$(full)); $$python -m scripts.reference && $$python -m scripts.picture

requirements: ## Compile requirements/ from pyproject.toml
	@python3 scripts/requirements.py

clean: ## Remove build/ (environments stay)
	rm -rf build
