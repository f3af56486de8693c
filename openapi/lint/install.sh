#!/usr/bin/env bash
# Installs the linters if they are missing or not those of package-lock.json. One process at a time.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

exec 9<package-lock.json
flock 9
# npm writes node_modules/.package-lock.json last: its presence means that the install was completed.
if [[ ! -f node_modules/.package-lock.json || package-lock.json -nt node_modules/.package-lock.json ]]; then
  npm ci --no-progress
fi
