#!/usr/bin/env bash
# Lints bundled OpenAPI documents and the workflows: run.sh BUNDLE.yaml... A warning fails like an error.
set -euo pipefail

[[ $# -ge 1 && -f $1 ]] || { echo "usage: $0 BUNDLE.yaml..." >&2; exit 2; }
mapfile -t bundles < <(realpath --canonicalize-existing "$@")
cd "$(dirname "${BASH_SOURCE[0]}")"
./install.sh

status=0
node_modules/.bin/spectral lint --ruleset spectral.yaml --fail-severity warn --fail-on-unmatched-globs "${bundles[@]}" || status=1
./redocly.sh lint --config redocly.yaml --max-problems 1000 "${bundles[@]}" ../workflows/*.yaml || status=1
exit "$status"
