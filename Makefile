# The interface to this repository. `make` lists the targets.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
SHELL := /bin/bash

BPF_CLANG ?= clang
BPF_CFLAGS := -O2 -g -Wall -Wextra -Werror -target bpf -mcpu=v3 -ISources/CBPF/include -I/usr/include/$(shell uname -m)-linux-gnu
SWIFT ?= swift
BINARY := build/mizar-reconcile
PREFIX ?= /usr/local
FORMATTED_C := $(wildcard bpf/*.c bpf/*.h Sources/CBPF/*.c Sources/CBPF/include/*.h bench/*.c Sources/CBench/*.c Sources/CBench/include/*.h Tests/CommandTests/Upgrade/*.c Sources/CGit2/*.h Sources/COpenSSL/*.h Sources/CYAML/*.h)
SCRIPTS := $(wildcard scripts/*.sh .ci/run Tests/CommandTests/HowTo/*)

.PHONY: help build debug test test-kernels demo bench check fmt clean install install-deps

help: ## list the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install-deps: ## install what building and testing needs (Debian 12 and 13; root)
	@scripts/install-deps.sh

build: build/mizar.bpf.o ## build the one binary, build/mizar-reconcile
	@$(SWIFT) build -c release --static-swift-stdlib --product mizar-reconcile
	@scripts/strip.sh "$$($(SWIFT) build -c release --static-swift-stdlib --show-bin-path)/mizar-reconcile" $(BINARY)

debug: build/mizar.bpf.o ## build everything unoptimised, the tests too
	@$(SWIFT) build --build-tests

test: ## build and run all tests (root: the kernel's part is real)
	@scripts/install-deps.sh
	@scripts/test.sh

test-kernels: build/mizar.bpf.o ## the data plane on Debian's oldest and newest kernels, in virtual machines (root; SUITES="bookworm sid")
	@scripts/install-deps.sh
	@scripts/test-kernels.sh $(SUITES)

demo: ## the main job from end to end, in network namespaces (root; KEEP=1 leaves the lab up)
	@scripts/install-deps.sh
	@$(MAKE) --no-print-directory build
	@scripts/demo.sh

bench: ## measure against the kernel's own ways and the goals (root; QUICK=1, SECTIONS="packets attach")
	@scripts/install-deps.sh
	@$(MAKE) --no-print-directory build build/bench.bpf.o
	@$(SWIFT) build -c release --static-swift-stdlib --product mizar-bench
	@"$$($(SWIFT) build -c release --static-swift-stdlib --show-bin-path)/mizar-bench" $(if $(QUICK),--quick) $(SECTIONS)

check: ## check formatting and scripts, change nothing
	@$(SWIFT) format lint --strict --recursive --parallel Sources Tests Package.swift
	@clang-format --dry-run -Werror $(FORMATTED_C)
	@for header in bpf/*.h; do $(BPF_CLANG) $(BPF_CFLAGS) -Wno-unused-function -fsyntax-only -x c "$$header" || exit 1; done
	@for script in $(SCRIPTS); do bash -n "$$script" || exit 1; done
	@if command -v shellcheck >/dev/null; then shellcheck $(SCRIPTS); fi
	@echo "check: all well"

fmt: ## format Swift and C
	@$(SWIFT) format --in-place --recursive --parallel Sources Tests Package.swift
	@clang-format -i $(FORMATTED_C)

install: build ## install the binary and the systemd units below PREFIX (default /usr/local)
	@install -D -m 755 $(BINARY) $(DESTDIR)$(PREFIX)/sbin/mizar-reconcile
	@for unit in packaging/*.service packaging/*.timer; do install -D -m 644 -t $(DESTDIR)$(PREFIX)/lib/systemd/system $$unit; done
	@[ "$(PREFIX)" = /usr/local ] || sed -i 's|/usr/local/sbin|$(PREFIX)/sbin|' $(DESTDIR)$(PREFIX)/lib/systemd/system/mizar-reconcile*.service

clean: ## remove what was built
	@rm -rf build .build

build/mizar.bpf.o: $(wildcard bpf/*.c bpf/*.h) Sources/CBPF/include/mizar_abi.h
	@mkdir -p build
	$(BPF_CLANG) $(BPF_CFLAGS) -c bpf/mizar.bpf.c -o $@
	@# The compiler does not know that CBPF.c embeds the object.
	@touch Sources/CBPF/CBPF.c

# What `make bench` compares with.
build/bench.bpf.o: bench/bench.bpf.c Sources/CBPF/include/mizar_abi.h
	@mkdir -p build
	$(BPF_CLANG) $(BPF_CFLAGS) -c $< -o $@

# For a test: 200 bytes more on each program's stack.
build/spare.bpf.o: $(wildcard bpf/*.c bpf/*.h) Sources/CBPF/include/mizar_abi.h
	@mkdir -p build
	$(BPF_CLANG) $(BPF_CFLAGS) -DMZR_SPARE_STACK=200 -c bpf/mizar.bpf.c -o $@

# For tests: another version, with longer rows. Without debugging information it has room in the first one's place in the binary.
build/next.bpf.o: Tests/CommandTests/Upgrade/next.bpf.c $(wildcard bpf/*.c bpf/*.h) Sources/CBPF/include/mizar_abi.h
	@mkdir -p build
	$(BPF_CLANG) $(BPF_CFLAGS) -fms-extensions -Wno-microsoft -Ibpf -c $< -o $@.debug
	@bpftool gen object $@ $@.debug
	@rm $@.debug
