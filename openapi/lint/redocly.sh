#!/usr/bin/env bash
# Runs Redocly CLI in the current directory, without its telemetry: redocly.sh lint FILE... or redocly.sh respect FILE
set -euo pipefail
folder=$(dirname "${BASH_SOURCE[0]}")

"$folder/install.sh" >&2
export REDOCLY_TELEMETRY=off REDOCLY_SUPPRESS_UPDATE_NOTICE=true
exec "$folder/node_modules/.bin/redocly" "$@"
