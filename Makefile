# Two commands do everything: `make reproduce` and `make test`. Each works alone on a fresh Debian with a Swift toolchain.

# One set of flags everywhere, so that building, testing and reproducing share one build.
SWIFT_FLAGS := -c release -Xswiftc -enable-testing
REPRO := .build/release/repro
SOURCES := Sources Tests Examples Fuzz Package.swift
C_SOURCES = $(shell find Sources scripts '(' -name '*.[ch]' -o -name '*.cpp' ')')

.PHONY: all packages build build-tests test test-faults reproduce lint lint-c format clean

all: build

# The Debian packages that the build needs.
packages:
	scripts/install-packages

build: packages
	swift build $(SWIFT_FLAGS) --product repro

build-tests: packages
	swift build $(SWIFT_FLAGS) --build-tests

# Everything that must hold: style, tests, the demo against its golden hashes, what a user of the libraries builds.
test: lint build-tests
	swift test $(SWIFT_FLAGS) --skip-build
	scripts/test-reproduction $(REPRO)
	scripts/test-examples $(REPRO)

# Kills, full disks, damaged input and random bytes, many times: half an hour.
test-faults: build-tests
	scripts/test-faults

lint: packages lint-c
	swift format lint --strict --recursive $(SOURCES)

lint-c: packages
	clang-format --dry-run --Werror $(C_SOURCES)

format: packages
	swift format --in-place --recursive $(SOURCES)
	clang-format -i $(C_SOURCES)

reproduce: build
	$(REPRO) reproduce --recipe demo --work work/demo

clean:
	rm -rf .build .build-dist .build-examples .build-fuzz dist work

# What is handed to people: one tree, packed as a tarball, as a Python wheel, or copied below PREFIX. docs/install.md.
PREFIX := /usr/local
PORTABLE := .build-dist
TREE := $(PORTABLE)/tree

.PHONY: tree dist wheel test-dist install uninstall

tree:
	scripts/install-packages binutils gcc libbz2-dev liblzma-dev libssl-dev libzstd-dev nettle-dev python3
	scripts/build-portable $(PORTABLE)
	scripts/stage $(PORTABLE) $(TREE)

dist: tree
	scripts/dist $(TREE) dist

wheel: tree
	scripts/wheel $(TREE) dist

# What `make dist` and `make wheel` left, on a bare Debian; as root, with a Debian mirror.
test-dist:
	scripts/install-packages debootstrap libarchive-tools python3-venv zstd
	version=$$($(TREE)/bin/repro --version) && scripts/test-dist dist/repro-$$version-linux-*.tar.gz dist/repro_rsna-$$version-*.whl

install:
	DESTDIR="$(DESTDIR)" scripts/install-tree install $(TREE) "$(PREFIX)"

uninstall:
	DESTDIR="$(DESTDIR)" scripts/install-tree uninstall "$(PREFIX)"
