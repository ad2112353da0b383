#!/bin/sh
# A streamed answer with curl. Usage: examples/chat.sh [QUESTION]
set -eu
url=${PINGTI_URL:-http://127.0.0.1:8080}
question=${1:-Name three rivers.}

# A question may hold quotes and line feeds: as JSON.
escaped=$(printf '%s' "$question" | sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/\t/\\t/g' | awk 'NR > 1 {printf "\\n"} {printf "%s", $0}')
body=$(printf '{"messages": [{"role": "user", "content": "%s"}], "max_tokens": 64, "stream": true}' "$escaped")

# --no-buffer shows each event as it comes; --fail-with-body makes an HTTP error an exit code and still prints why.
curl --silent --show-error --no-buffer --fail-with-body "$url/v1/chat/completions" \
  -H 'Content-Type: application/json' -H "Authorization: Bearer ${PINGTI_API_KEY:-none}" -d "$body"
