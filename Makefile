# Two commands do everything: `make reproduce` and `make test`. Each works alone on a fresh Debian with a Swift toolchain.

# One set of flags everywhere, so that building, testing and reproducing share one build.
SWIFT_FLAGS := -c release -Xswiftc -enable-testing
REPRO := .build/release/repro
SOURCES := Sources Tests Fuzz Package.swift
C_SOURCES = $(shell find Sources '(' -name '*.[ch]' -o -name '*.cpp' ')')

.PHONY: all install build build-tests test test-faults reproduce lint lint-c format clean

all: build

install:
	scripts/install

build: install
	swift build $(SWIFT_FLAGS) --product repro

build-tests: install
	swift build $(SWIFT_FLAGS) --build-tests

# Everything that must hold: style, unit tests, and the demo against its golden hashes, twice.
test: lint build-tests
	swift test $(SWIFT_FLAGS) --skip-build
	scripts/test-reproduction $(REPRO)

# Kills, full disks, damaged input and random bytes, many times: half an hour.
test-faults: build-tests
	scripts/test-faults

lint: install lint-c
	swift format lint --strict --recursive $(SOURCES)

lint-c: install
	clang-format --dry-run --Werror $(C_SOURCES)

format: install
	swift format --in-place --recursive $(SOURCES)
	clang-format -i $(C_SOURCES)

reproduce: build
	$(REPRO) reproduce --recipe demo --work work/demo

clean:
	rm -rf .build work
