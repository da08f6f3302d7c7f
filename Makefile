# The front door. Each target is a line here and a script in scripts/ that says what it does.
# Settings are given as variables: make demo ONCE=1 LISTEN=127.0.0.1:9000

SHELL := bash
.DEFAULT_GOAL := help
.PHONY: help setup setup-tests setup-cluster image manifests policy-test monitoring-test e2e e2e-cluster guest component plugin host tools run demo test lint deny fuzz race bench bench-http bench-start bench-ratio bench-encoder bench-engines bench-calls vmis-check quality-online-retail clean distclean
# Two cargos at once only wait for each other.
.NOTPARALLEL:

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

setup: ## find or fetch the tools: Rust for WASI, clang, WasmEdge (into .cache, no root)
	@scripts/setup.sh

guest: setup ## build the service: dist/app.wasm and dist/app-aot.wasm
	@scripts/guest.sh

component: setup ## build the component: dist/endcap.component.wasm, and endcap-nn.component.wasm for hosts with wasi:nn
	@scripts/component.sh

plugin: setup ## build the wasi-nn plugin for WasmEdge: dist/plugins/ (FEATURES=cuda|vulkan)
	@scripts/plugin.sh

host: setup ## build the wasmtime host for local work: target/release/endcap-host
	@. .cache/env.sh && cargo build --release --locked -p endcap-host

tools: setup ## build the model pipeline: target/release/endcap-model
	@. .cache/env.sh && cargo build --release --locked -p endcap-models

run: guest ## run the service (MODEL=dist/model.wasm LISTEN=127.0.0.1:8080 ENDCAP_*=...)
	@scripts/run.sh

demo: ## from nothing to recommendations ([DATA=file [MAP=...] [CATALOG=file]] [LISTEN=host:port] [ONCE=1])
	@scripts/demo.sh

setup-tests: setup
	@scripts/setup-tests.sh

image: setup guest component ## the OCI image FROM scratch: dist/image.tar (MODEL=file IMAGE=name TAG=tag PUSH=name)
	@scripts/image.sh

manifests: ## render the Kubernetes manifests: dist/manifests/
	@scripts/manifests.sh build

setup-cluster: setup
	@scripts/setup-cluster.sh

policy-test: ## the Gatekeeper policies under gator and opa, and the rendered manifests under the policies
	@scripts/policy.sh test

monitoring-test: setup-cluster setup-tests guest plugin tools ## rules under promtool; every query against the live service
	@scripts/monitoring.sh test
	@scripts/monitoring.sh live

e2e: setup-cluster setup-tests plugin image manifests ## the manifests' pods on real containerd, under load (root; OVERLAY=name KEEP=1)
	@scripts/e2e.sh

e2e-cluster: setup-cluster setup-tests plugin image manifests ## a whole Kubernetes 1.30 on one node: kubectl apply -k and what comes after (root)
	@scripts/setup-cluster.sh server
	@scripts/e2e.sh cluster

test: setup-tests guest component plugin ## all tests (ENDCAP_DATA=folder ARGS="...")
	@scripts/test.sh

lint: ## formatting, clippy, dependency direction, shell scripts, tracked files
	@scripts/lint.sh

deny: ## licences and advisories of dependencies (builds cargo-deny once)
	@scripts/deny.sh

fuzz: ## fuzz every parser for a while (SECONDS_EACH=60 TARGETS="a b")
	@scripts/fuzz.sh

race: ## look for data races with ThreadSanitizer (nightly Rust; minutes)
	@scripts/race.sh

bench: setup ## criterion benchmarks of the core (ARGS=filter)
	@scripts/bench.sh core

bench-http: setup guest ## HTTP load on the service under WasmEdge (ARGS="...")
	@scripts/bench.sh http

bench-start: setup guest plugin ## cold start inside one process (ARGS="...")
	@scripts/bench.sh start

bench-ratio: setup ## the prediction loop under WasmEdge against native (ARGS="...")
	@scripts/bench.sh ratio

bench-encoder: setup plugin ## the built-in encoder under WasmEdge and natively against tract and llama.cpp, also through the plugin (ARGS="...")
	@scripts/bench.sh encoder

bench-engines: setup-tests ## tract against ONNX Runtime, with load times (ARGS="...")
	@scripts/bench.sh engines

bench-calls: setup plugin ## a call through the WasmEdge plugin against the native call (ARGS="ROUNDS SECONDS")
	@scripts/bench.sh calls

vmis-check: setup ## accuracy of VMIS-kNN against the published figures (needs the data)
	@scripts/bench.sh vmis

quality-online-retail: setup ## trains on Online Retail's shuffled invoices, packs, and prints the table: means of 3 seeds (needs the data)
	@scripts/bench.sh quality

clean: ## remove what was built: target/ and dist/
	rm -rf target dist

distclean: clean ## remove the fetched tools as well: .cache/
	rm -rf .cache
