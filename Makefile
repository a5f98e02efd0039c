# SPDX-License-Identifier: Apache-2.0
# kubeferry: build, tests, demo, bench. `make help` lists the targets.
BUILD ?= build
PREFIX ?= /usr/local
CC ?= cc
VERSION := 0.1.0
# What each executable links; the unit tests link all of it.
ENGINE_PACKAGES := libpq json-c libwebsockets openssl
CONTROLLER_PACKAGES := libcurl json-c libwebsockets openssl yaml-0.1
CLI_PACKAGES := libcurl json-c openssl yaml-0.1
PACKAGES := $(sort $(ENGINE_PACKAGES) $(CONTROLLER_PACKAGES) $(CLI_PACKAGES))
CFLAGS ?= -O2 -g
# An enumeration constant fits a double: what clang 19 says about their sums is no news.
WARNINGS := -Wall -Wextra -Wshadow -Wconversion -Wformat=2 -Wvla -Wstrict-prototypes -Wmissing-prototypes -Wundef -Wno-enum-float-conversion -Werror
ALL_CFLAGS = -std=gnu17 $(WARNINGS) -D_GNU_SOURCE -DKUBEFERRY_VERSION='"$(VERSION)"' -I. -I$(BUILD)/gen $(CFLAGS) $(shell pkg-config --cflags $(PACKAGES)) -pthread
ALL_LDFLAGS = $(LDFLAGS) -pthread
LIBS = $(shell pkg-config --libs $(PACKAGES)) -lm
ENGINE_LIBS = $(shell pkg-config --libs $(ENGINE_PACKAGES)) -lm
CLI_LIBS = $(shell pkg-config --libs $(CLI_PACKAGES)) -lm
CONTROLLER_LIBS = $(shell pkg-config --libs $(CONTROLLER_PACKAGES)) -lm

COMMON_SOURCES := $(wildcard common/base/*.c common/contract/*.c)
K8S_SOURCES := $(wildcard common/k8s/*.c)
ENGINE_SOURCES := $(wildcard engine/*.c engine/*/*.c)
CONTROLLER_SOURCES := $(wildcard controller/*.c)
CLI_SOURCES := $(wildcard cli/*.c cli/*/*.c)
SQL_FILES := $(wildcard engine/sql/*.sql)
UNIT_SOURCES := $(wildcard test/unit/*/test_*.c test/unit/*/*/test_*.c)
FUZZ_SOURCES := $(wildcard test/fuzz/fuzz_*.c)

COMMON_OBJECTS := $(COMMON_SOURCES:%.c=$(BUILD)/obj/%.o)
K8S_OBJECTS := $(K8S_SOURCES:%.c=$(BUILD)/obj/%.o)
ENGINE_OBJECTS := $(ENGINE_SOURCES:%.c=$(BUILD)/obj/%.o)
CONTROLLER_OBJECTS := $(CONTROLLER_SOURCES:%.c=$(BUILD)/obj/%.o)
CLI_OBJECTS := $(CLI_SOURCES:%.c=$(BUILD)/obj/%.o)
# Everything but main, for the tests.
LIBRARY_OBJECTS := $(COMMON_OBJECTS) $(K8S_OBJECTS) $(BUILD)/obj/sql.o \
	$(filter-out %/main.o,$(ENGINE_OBJECTS) $(CONTROLLER_OBJECTS) $(CLI_OBJECTS))
UNIT_BINARIES := $(UNIT_SOURCES:%.c=$(BUILD)/%)
FUZZ_BINARIES := $(FUZZ_SOURCES:%.c=$(BUILD)/%)
REPLAY_BINARIES := $(FUZZ_SOURCES:test/fuzz/fuzz_%.c=$(BUILD)/test/fuzz/replay_%)
FUZZ_SECONDS ?= 10
SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=all

.DELETE_ON_ERROR:
.PHONY: all install deps demo test bench pytest cluster-up cluster-down e2e unit unit-asan fuzz fuzz-run fuzz-replay clean help format check-arrows

all: $(BUILD)/bin/kubeferry-engine $(BUILD)/bin/kubeferry-controller $(BUILD)/bin/kubeferry ## Build everything into build/bin

JOBS := -j$(shell nproc)

# What a person's machine needs: the commands, their pages and completions, and the chart that `addon enable` installs.
SHARE = $(DESTDIR)$(PREFIX)/share
MANUALS := $(BUILD)/man/kubeferry.1 $(BUILD)/man/kubeferry-migration.1 $(BUILD)/man/kubeferry-addon.1 $(BUILD)/man/kubeferry-engine.1

$(BUILD)/man/kubeferry.1: $(BUILD)/bin/kubeferry
	@mkdir -p $(@D)
	@$< --help-man >$@

$(BUILD)/man/kubeferry-engine.1: $(BUILD)/bin/kubeferry-engine
	@mkdir -p $(@D)
	@$< --help-man >$@

$(BUILD)/man/kubeferry-%.1: $(BUILD)/bin/kubeferry
	@mkdir -p $(@D)
	@$< $* --help-man >$@

install: all $(MANUALS) ## Install into PREFIX (/usr/local), below DESTDIR when it is set
	install -d $(DESTDIR)$(PREFIX)/bin $(SHARE)/man/man1 $(SHARE)/bash-completion/completions $(SHARE)/zsh/site-functions \
		$(SHARE)/fish/vendor_completions.d $(SHARE)/kubeferry
	install -m 755 $(BUILD)/bin/kubeferry $(BUILD)/bin/kubeferry-engine $(DESTDIR)$(PREFIX)/bin
	ln -sf kubeferry $(DESTDIR)$(PREFIX)/bin/kubectl-migration
	install -m 755 cli/kubectl_complete-migration $(DESTDIR)$(PREFIX)/bin
	install -m 644 $(MANUALS) $(SHARE)/man/man1
	ln -sf kubeferry-migration.1 $(SHARE)/man/man1/kubectl-migration.1
	$(BUILD)/bin/kubeferry completion bash >$(SHARE)/bash-completion/completions/kubeferry
	$(BUILD)/bin/kubeferry completion zsh >$(SHARE)/zsh/site-functions/_kubeferry
	$(BUILD)/bin/kubeferry completion fish >$(SHARE)/fish/vendor_completions.d/kubeferry.fish
	rm -rf $(SHARE)/kubeferry/chart
	cp -R helm/migration $(SHARE)/kubeferry/chart
	install -m 644 deploy/addon.yaml $(SHARE)/kubeferry/addon.yaml

deps: ## Install what a build needs (Debian; root or sudo)
	test/install.sh build

demo: ## Show a whole live migration between two throwaway servers
	test/install.sh build demo
	@$(MAKE) $(JOBS) --no-print-directory all
	test/demo/demo.sh

test: ## Everything that CI runs
	test/install.sh build test
	@$(MAKE) $(JOBS) --no-print-directory all check-arrows unit-binaries
	@$(MAKE) --no-print-directory unit
	@$(MAKE) $(JOBS) --no-print-directory unit-asan
	@$(MAKE) $(JOBS) --no-print-directory fuzz
	@$(MAKE) --no-print-directory pytest
	@$(MAKE) --no-print-directory e2e

bench: ## Measure against pg_dump and a native subscription, and the controller; writes docs/BENCHMARKS.md
	test/install.sh build bench cluster images
	@$(MAKE) $(JOBS) --no-print-directory all
	/usr/bin/python3 test/bench/bench.py

pytest: all ## The engine against real servers
	/usr/bin/python3 -m pytest -q -n 4 test/engine

cluster-up: ## A real one-node Kubernetes in build/cluster (root; the first time it is compiled)
	test/install.sh cluster
	test/cluster/cluster.sh up $(BUILD)/cluster
	@echo 'use it: test/cluster/cluster.sh exec $(BUILD)/cluster kubectl get nodes'

cluster-down: ## Stop it and remove what it left
	test/cluster/cluster.sh down $(BUILD)/cluster

e2e: ## The operator on a real Kubernetes, between real servers (root)
	test/install.sh build test cluster images
	@$(MAKE) $(JOBS) --no-print-directory all $(BUILD)/test/e2e/watch_tool $(BUILD)/test/e2e/lease_tool
	test/e2e/run.sh

$(BUILD)/test/e2e/lease_tool: $(BUILD)/obj/controller/lease.o

$(BUILD)/test/e2e/%: test/e2e/%.c $(COMMON_OBJECTS) $(K8S_OBJECTS)
	@mkdir -p $(@D)
	@echo "CC $<"
	@$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ $(CONTROLLER_LIBS)

# Dependencies go one way: common knows no engine and no libpq, the engine no Kubernetes and no curl.
check-arrows:
	@! grep -rnE '#include "(engine|controller|cli)/' common || { echo 'common must not include what stands on it' >&2; exit 1; }
	@! grep -rnE '#include <libpq' common || { echo 'common must not use libpq' >&2; exit 1; }
	@! grep -rnE '#include <(curl|yaml)' common/base common/contract || { echo 'only common/k8s talks HTTP and reads YAML' >&2; exit 1; }
	@! grep -rnE '#include "common/k8s' common/base common/contract || { echo 'common/k8s stands on common/base' >&2; exit 1; }
	@! grep -rnE '#include (<libpq|"engine/)' controller || { echo 'the controller must not touch PostgreSQL' >&2; exit 1; }
	@! grep -rnE '#include (<libpq|<curl|"(engine|controller)/)' cli || { echo 'the command must not touch PostgreSQL, and only common/k8s talks HTTP' >&2; exit 1; }
	@! grep -rnE '#include ("common/k8s|<curl)' engine || { echo 'the engine must not know Kubernetes' >&2; exit 1; }

$(BUILD)/bin/kubeferry-engine: $(COMMON_OBJECTS) $(ENGINE_OBJECTS) $(BUILD)/obj/sql.o
	@mkdir -p $(@D)
	@echo "LD $@"
	@$(CC) $(ALL_LDFLAGS) -o $@ $^ $(ENGINE_LIBS)

$(BUILD)/bin/kubeferry-controller: $(COMMON_OBJECTS) $(K8S_OBJECTS) $(CONTROLLER_OBJECTS)
	@mkdir -p $(@D)
	@echo "LD $@"
	@$(CC) $(ALL_LDFLAGS) -o $@ $^ $(CONTROLLER_LIBS)

# Of common only what it uses is linked: the HTTP server, above all, stays out.
$(BUILD)/obj/common.a: $(COMMON_OBJECTS) $(K8S_OBJECTS)
	@rm -f $@
	@ar rcs $@ $^

$(BUILD)/bin/kubeferry: $(CLI_OBJECTS) $(BUILD)/obj/common.a
	@mkdir -p $(@D)
	@echo "LD $@"
	@$(CC) $(ALL_LDFLAGS) -Wl,--as-needed -o $@ $^ $(CLI_LIBS)

# On a fresh machine one line says what is missing, and not every file of the compiler.
$(BUILD)/gen/libraries:
	@mkdir -p $(@D)
	@pkg-config --exists $(PACKAGES) || { \
		echo 'pkg-config does not find all of $(PACKAGES): "make deps" installs what a build needs (Debian; root or sudo)' >&2; exit 1; }
	@touch $@

$(BUILD)/obj/%.o: %.c | $(BUILD)/gen/sql.h $(BUILD)/gen/libraries
	@mkdir -p $(@D)
	@echo "CC $<"
	@$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

# Each engine/sql/name.sql becomes the string sql_name.
$(BUILD)/gen/sql.h $(BUILD)/gen/sql.c &: $(SQL_FILES) engine/sql/embed.sh
	@mkdir -p $(@D)
	@sh engine/sql/embed.sh $(BUILD)/gen $(SQL_FILES)

$(BUILD)/obj/sql.o: $(BUILD)/gen/sql.c
	@mkdir -p $(@D)
	@$(CC) $(ALL_CFLAGS) -c -o $@ $<

$(BUILD)/test/unit/%: test/unit/%.c $(LIBRARY_OBJECTS)
	@mkdir -p $(@D)
	@echo "CC $<"
	@$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -MMD -MP -MF $@.d -o $@ $< $(LIBRARY_OBJECTS) $(LIBS) -lcmocka

unit-binaries: $(UNIT_BINARIES)

unit: $(UNIT_BINARIES) ## Unit tests (cmocka)
	@for t in $(UNIT_BINARIES); do echo "== $$t"; $$t || exit 1; done

unit-asan: ## The unit tests and the fuzz corpora under ASan and UBSan
	@$(MAKE) --no-print-directory BUILD=$(BUILD)/asan CFLAGS='-O1 -g -fno-omit-frame-pointer $(SANITIZE)' \
		LDFLAGS='$(SANITIZE)' unit fuzz-replay

$(BUILD)/test/fuzz/replay_%: test/fuzz/fuzz_%.c test/fuzz/replay.c $(LIBRARY_OBJECTS)
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)

fuzz-replay: $(REPLAY_BINARIES) ## Each fuzz target over its corpus, once
	@for t in $(REPLAY_BINARIES); do echo "== $$t"; $$t test/fuzz/corpus/$${t##*/replay_}/* || exit 1; done

$(BUILD)/test/fuzz/fuzz_%: test/fuzz/fuzz_%.c $(LIBRARY_OBJECTS)
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -fsanitize=fuzzer -o $@ $^ $(LIBS)

fuzz: ## Each fuzz target for FUZZ_SECONDS, with clang's libFuzzer, ASan and UBSan
	@$(MAKE) --no-print-directory BUILD=$(BUILD)/fuzz CC=clang CFLAGS='-O1 -g -fsanitize=fuzzer-no-link $(SANITIZE)' \
		LDFLAGS='$(SANITIZE)' fuzz-run

fuzz-run: $(FUZZ_BINARIES)
	@for t in $(FUZZ_BINARIES); do n=$${t##*/fuzz_}; echo "== $$t"; mkdir -p $(BUILD)/corpus/$$n; \
		$$t -max_total_time=$(FUZZ_SECONDS) -timeout=5 -verbosity=0 -print_final_stats=1 -artifact_prefix=$(BUILD)/corpus/ \
		$(BUILD)/corpus/$$n test/fuzz/corpus/$$n || exit 1; done

docs/controller-options.md: controller/controller_options.c $(BUILD)/bin/kubeferry-controller ## The page of the controller's options
	$(BUILD)/bin/kubeferry-controller --help-markdown >$@

docs/task-states.md: controller/task_states.c $(BUILD)/bin/kubeferry-controller ## The page of a task's life
	$(BUILD)/bin/kubeferry-controller --states-markdown >$@

docs/options.md: engine/options_table.c $(BUILD)/bin/kubeferry-engine ## The page of options, from their table
	$(BUILD)/bin/kubeferry-engine --help-markdown >$@

docs/commands.md: cli/commands.h cli/cli_options.c $(BUILD)/bin/kubeferry ## The page of commands, from their tables
	$(BUILD)/bin/kubeferry --help-markdown >$@

clean: ## Remove what was built
	rm -rf $(BUILD)

help: ## This list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

format: ## Format the C sources
	clang-format -i $$(git ls-files '*.c' '*.h')

-include $(shell find $(BUILD)/obj $(BUILD)/test -type f -name '*.d' 2>/dev/null)
