#!/usr/bin/env bash
# From a fresh clone to a finished load test: builds ldctl, starts its server on a free port with a
# token, waits for it, sends quickstart.json, prints the replies and stops the server.
# LDCTL names a binary that is built already.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ -z "${LDCTL:-}" ]; then
    # Built soon, and slower than it could be; to measure with, `cargo build --release`.
    cargo build --profile quick --locked
    LDCTL=${CARGO_TARGET_DIR:-target}/quick/ldctl
fi

LOAD_DENSITY_SOCKET_TOKEN=$(head -c 18 /dev/urandom | base64)
export LOAD_DENSITY_SOCKET_TOKEN

exec 3< <(exec "$LDCTL" serve --port 0)
server=$!
trap 'kill "$server" 2>/dev/null || true' EXIT
# "Server started on localhost:PORT"
read -r started <&3
port=${started##*:}

"$LDCTL" ping --port "$port" --wait 10
"$LDCTL" send --port "$port" examples/quickstart.json
"$LDCTL" quit --port "$port"
wait "$server"
