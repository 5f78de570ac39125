#!/usr/bin/env bash
# Runs every check and test, against SQLite and a private PostgreSQL that it
# starts on a unix socket and removes at the end. Its last lines are go test's.
set -euo pipefail
cd "$(dirname "$0")/.."

cluster=""   # folder of the PostgreSQL cluster
as_postgres=() # PostgreSQL refuses to run as root

# find_postgres prints the folder of initdb and pg_ctl.
find_postgres() {
	local dir
	for dir in $(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -rV); do
		if [ -x "$dir/initdb" ] && [ -x "$dir/pg_ctl" ]; then
			echo "$dir"
			return 0
		fi
	done
	if command -v initdb >/dev/null && command -v pg_ctl >/dev/null; then
		dirname "$(command -v initdb)"
		return 0
	fi
	return 1
}

install_postgres() {
	if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
		echo "PostgreSQL is not installed, and this user cannot install it: install Debian's package postgresql" >&2
		exit 1
	fi
	echo "== installing PostgreSQL"
	export DEBIAN_FRONTEND=noninteractive
	if ! { apt-get update -qq && apt-get install -y -qq postgresql >/dev/null; }; then
		echo "PostgreSQL could not be installed: apt-get failed" >&2
		exit 1
	fi
}

# find_chromium installs the browser that drives the Receiver's pages, if it is missing.
find_chromium() {
	local name
	for name in chromium chromium-browser google-chrome google-chrome-stable; do
		if command -v "$name" >/dev/null; then
			export PAYOUTD_TEST_CHROMIUM_REQUIRED=1
			return 0
		fi
	done
	if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
		echo "Chromium is not installed, and this user cannot install it: install Debian's package chromium" >&2
		exit 1
	fi
	echo "== installing Chromium"
	export DEBIAN_FRONTEND=noninteractive
	if ! { apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core >/dev/null; }; then
		echo "Chromium could not be installed: apt-get failed" >&2
		exit 1
	fi
	export PAYOUTD_TEST_CHROMIUM_REQUIRED=1
}

stop_postgres() {
	[ -n "$cluster" ] || return 0
	if [ -f "$cluster/data/postmaster.pid" ]; then
		"${as_postgres[@]}" "$pg/pg_ctl" -D "$cluster/data" -m immediate -w stop >/dev/null || true
	fi
	rm -rf "$cluster"
}

start_postgres() {
	pg=$(find_postgres) || { install_postgres; pg=$(find_postgres); }
	cluster=$(mktemp -d /tmp/payoutd-pg-XXXXXX) # short: the socket's path has a limit
	trap stop_postgres EXIT
	trap 'exit 130' INT TERM
	if [ "$(id -u)" = 0 ]; then
		as_postgres=(runuser -u postgres --)
		chown postgres "$cluster"
	fi
	echo "== starting PostgreSQL ($("$pg/postgres" --version))"
	"${as_postgres[@]}" "$pg/initdb" -D "$cluster/data" -U postgres -A trust -E UTF8 --locale=C >"/dev/null"
	"${as_postgres[@]}" "$pg/pg_ctl" -D "$cluster/data" -l "$cluster/log" -w -t 60 \
		-o "-c listen_addresses='' -c unix_socket_directories=$cluster -c max_connections=300" start >/dev/null ||
		{ cat "$cluster/log" >&2; exit 1; }
	local data
	data=$("$pg/psql" -h "$cluster" -U postgres -Atc 'SHOW data_directory')
	if [ "$data" != "$cluster/data" ]; then
		echo "the PostgreSQL that answers is not ours: $data" >&2
		exit 1
	fi
	export PAYOUTD_TEST_POSTGRES="postgres:///postgres?host=$cluster&user=postgres"
	export PAYOUTD_TEST_POSTGRES_REQUIRED=1
}

fuzz() { go test -run '^$' -fuzz "^$2\$" -fuzztime 5s -fuzzminimizetime 5x "$1" >"$fuzz_log" 2>&1; }

# fuzz_was_late tells that go test has found nothing, and has taken the end of its own
# time for a failure, as it does now and then. What it has found it writes into a file.
fuzz_was_late() { grep -q 'context deadline exceeded' "$fuzz_log" && ! grep -q 'Failing input written' "$fuzz_log"; }

# fuzz_all runs every fuzz target for a few seconds.
fuzz_all() {
	local package target
	for package in $(go list ./...); do
		for target in $(go test -list '^Fuzz' "$package" | grep '^Fuzz' || true); do
			echo "== fuzzing $package $target"
			fuzz "$package" "$target" || { fuzz_was_late && fuzz "$package" "$target"; } || { cat "$fuzz_log" >&2; exit 1; }
		done
	done
}

# install_npm installs what the tests need from npm, unless it is there already.
install_npm() {
	if ! command -v npm >/dev/null; then
		if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
			echo "npm is not installed, and this user cannot install it: install Node.js 20 or newer" >&2
			exit 1
		fi
		echo "== installing npm"
		if ! { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq npm >/dev/null; }; then
			echo "npm could not be installed: apt-get failed" >&2
			exit 1
		fi
	fi
	if ! node -e 'process.exit(Number(process.versions.node.split(".")[0]) < 20 ? 1 : 0)'; then
		echo "Node.js $(node --version) is too old for the tools of the tests: install version 20 or newer" >&2
		exit 1
	fi
	local installed=tools/npm/node_modules/installed.json # the lock file that was installed
	if ! cmp -s tools/npm/package-lock.json "$installed"; then
		echo "== installing npm packages"
		(cd tools/npm && npm ci --no-audit --no-fund --loglevel=error >/dev/null) ||
			{ echo "the packages of tools/npm could not be installed: npm failed" >&2; exit 1; }
		cp tools/npm/package-lock.json "$installed"
	fi
	export PAYOUTD_TEST_AXE_REQUIRED=1 PAYOUTD_TEST_NPM_REQUIRED=1
}

# oauthlib_there reports whether a Python can sign with requests-oauthlib.
oauthlib_there() {
	local python
	for python in /usr/bin/python3 python3; do
		if "$python" -c 'import requests_oauthlib, jwt, cryptography' 2>/dev/null; then
			return 0
		fi
	done
	return 1
}

# install_oauthlib installs the Python library that pays in foreign/, if it is missing.
install_oauthlib() {
	if ! oauthlib_there; then
		if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
			echo "requests-oauthlib is not installed, and this user cannot install it: install Debian's package python3-requests-oauthlib" >&2
			exit 1
		fi
		echo "== installing requests-oauthlib"
		if ! { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
			python3-requests-oauthlib python3-jwt python3-cryptography >/dev/null; } || ! oauthlib_there; then
			echo "requests-oauthlib could not be installed: apt-get failed" >&2
			exit 1
		fi
	fi
	export PAYOUTD_TEST_PYTHON_REQUIRED=1
}

# find_promtool finds Prometheus' checker of rules or takes it out of Debian's
# package, which is not installed: that would start a server.
find_promtool() {
	local there folder
	there=$(command -v promtool || true)
	if [ -z "$there" ]; then
		folder="${XDG_CACHE_HOME:-$HOME/.cache}/payoutd-tests"
		there="$folder/usr/bin/promtool"
		if [ ! -x "$there" ]; then
			echo "== fetching promtool"
			mkdir -p "$folder"
			[ "$(id -u)" != 0 ] || apt-get update -qq
			(cd "$folder" && apt-get download -qq prometheus && dpkg -x prometheus_*.deb . && rm prometheus_*.deb) ||
				{ echo "promtool could not be fetched: install Debian's package prometheus" >&2; exit 1; }
		fi
	fi
	export PAYOUTD_TEST_PROMTOOL="$there" PAYOUTD_TEST_PROMTOOL_REQUIRED=1
}

./scripts/check.sh
# install_runtimes installs what samples and completions are run with. Without one
# of them its tests skip.
install_runtimes() {
	local missing=() name
	for name in php zsh fish; do
		command -v "$name" >/dev/null || missing+=("${name/php/php-cli}")
	done
	[ ${#missing[@]} -gt 0 ] || return 0
	echo "== installing ${missing[*]}"
	if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null ||
		! { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null; }; then
		echo "${missing[*]} could not be installed: the tests that run them skip" >&2
	fi
}

find_promtool
install_runtimes
install_npm
install_oauthlib
find_chromium
start_postgres
fuzz_log="$cluster/fuzz.log"
fuzz_all
echo "== go test -race"
go test -race -count=1 -timeout 20m ./...
