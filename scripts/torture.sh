#!/usr/bin/env bash
# Runs payouttorture with Patroni as PostgreSQL's failover manager, after installing
# what is missing for it. Arguments go to payouttorture.
set -euo pipefail
cd "$(dirname "$0")/.."

# missing_packages prints the Debian packages whose programs are not there.
missing_packages() {
	ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || command -v initdb >/dev/null || echo postgresql
	command -v etcd >/dev/null || echo etcd-server
	command -v patroni >/dev/null || echo patroni
	/usr/bin/python3 -c 'import etcd' 2>/dev/null || echo python3-etcd # how Patroni speaks to etcd
}

mapfile -t missing < <(missing_packages)
if [ ${#missing[@]} -gt 0 ]; then
	if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
		echo "this user cannot install what is missing: install Debian's packages ${missing[*]}, or run ./bin/payouttorture --failover plain, which needs postgresql only" >&2
		exit 1
	fi
	echo "== installing ${missing[*]}"
	if ! { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null; }; then
		echo "${missing[*]} could not be installed: apt-get failed; ./bin/payouttorture --failover plain needs postgresql only" >&2
		exit 1
	fi
fi
exec ./bin/payouttorture --failover patroni "$@"
