#!/bin/sh
# The documented route with cURL. -N shows the answer while it comes.
# PLAYGROUND_SESSION=<the playground's key> sh route.sh
curl -N --fail-with-body "${PLAYGROUND_URL:-http://127.0.0.1:7860}/api/ai/cloudflare/llama-3.3-70b-instruct-fp8-fast/chat?chat_id=-1&is_playground=true" \
  -H "Cookie: neptun-session=$PLAYGROUND_SESSION" \
  -H "Content-Type: application/json" \
  -d '{"messages": [{"role": "user", "content": "What is the playground?"}]}'
