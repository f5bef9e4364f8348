# The front door. `make` explains it.

SHELL := /bin/sh
PYTHON := /usr/bin/python3
MINUTES := 10
LAYERS :=
SUITES :=
DEMO_SECONDS :=
PACKAGE := build/contrib/mod_mqtt_rollup
FORMATTED = $(shell find c_src tests bench -name '*.cc' -o -name '*.h')

# Only where the machine has it.
export CMAKE_CXX_COMPILER_LAUNCHER ?= $(shell command -v ccache)

.PHONY: help deps demo-deps program-deps build demo test compat soak contrib format format-check tidy analyze bench clean

help:
	@echo "make demo          show it: a private ejabberd with a small simulated home (DEMO_SECONDS=60 ends by itself)"
	@echo "make contrib       write $(PACKAGE)/ for \`ejabberdctl module_install\`"
	@echo "make build         the program alone, in build/program"
	@echo "make test          the test layers, cheapest first (LAYERS=\"arrows cpp\" for some; see docs/TESTING.md)"
	@echo "make compat        compile and test in chroots of Debian 13 and forky (as root; SUITES=trixie for one)"
	@echo "make soak          kill the program under load, and count: twice MINUTES=10"
	@echo "make bench         the benchmarks"
	@echo "make format        format the C++ sources; format-check only looks"
	@echo "make tidy          clang-tidy; make analyze runs its static analyzer"
	@echo "make deps          install the Debian packages that are missing (the goals above do it when needed)"
	@echo "make clean         remove what was built"

deps:
	@cmake/install-packages.sh cmake/packages-program.txt cmake/packages-demo.txt cmake/packages-test.txt

demo-deps:
	@cmake/install-packages.sh cmake/packages-program.txt cmake/packages-demo.txt

program-deps:
	@cmake/install-packages.sh cmake/packages-program.txt

build: program-deps
	cmake -S . -B build/program -DCMAKE_BUILD_TYPE=Release -DCMAKE_CXX_FLAGS_RELEASE="-O2 -DNDEBUG"
	cmake --build build/program --parallel

demo: demo-deps contrib
	@DEMO_SECONDS="$(DEMO_SECONDS)" $(PYTHON) demo/demo.py

test: deps
	@$(PYTHON) tests/run.py $(LAYERS)

# The chroots take 3 GB below build/compat; the second time only what changed is compiled.
compat:
	@tests/compat.sh $(SUITES)

contrib:
	@ejabberd/package.sh $(PACKAGE)

format: deps
	clang-format -i $(FORMATTED)

format-check tidy analyze: deps
	@$(PYTHON) tests/run.py $(subst format-check,format,$@)

soak: deps
	ROLLUP_SOAK_MINUTES=$(MINUTES) $(PYTHON) -m pytest -q -p no:cacheprovider tests/e2e/test_feed.py -k hundred

bench: deps
	cmake --preset release -B build/bench -DROLLUP_DEVELOPER_MODE=ON
	cmake --build build/bench --parallel --target mqtt_rollup mqtt_load engine_bench decode_bench scale_bench
	bench/run build/bench

clean:
	rm -rf build _build
