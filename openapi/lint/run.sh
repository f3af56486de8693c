#!/usr/bin/env bash
# Lints bundled OpenAPI documents: run.sh BUNDLE.yaml... A warning fails like an error.
set -euo pipefail

[[ $# -ge 1 && -f $1 ]] || { echo "usage: $0 BUNDLE.yaml..." >&2; exit 2; }
mapfile -t bundles < <(realpath --canonicalize-existing "$@")
cd "$(dirname "${BASH_SOURCE[0]}")"
export REDOCLY_TELEMETRY=off REDOCLY_SUPPRESS_UPDATE_NOTICE=true

# npm writes node_modules/.package-lock.json last: its presence means that the install was completed.
if [[ ! -f node_modules/.package-lock.json || package-lock.json -nt node_modules/.package-lock.json ]]; then
  npm ci --no-progress
fi

status=0
node_modules/.bin/spectral lint --ruleset spectral.yaml --fail-severity warn --fail-on-unmatched-globs "${bundles[@]}" || status=1
node_modules/.bin/redocly lint --config redocly.yaml --max-problems 1000 "${bundles[@]}" || status=1
exit "$status"
