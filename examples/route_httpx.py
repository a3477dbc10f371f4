"""The documented route from Python.

pip install httpx, then: PLAYGROUND_SESSION=<the playground's key> python route_httpx.py
"""

import os

import httpx

URL = os.environ.get("PLAYGROUND_URL", "http://127.0.0.1:7860")
ROUTE = f"{URL}/api/ai/cloudflare/llama-3.3-70b-instruct-fp8-fast/chat"

with httpx.stream(
    "POST",
    ROUTE,
    params={"chat_id": -1, "is_playground": "true"},
    cookies={"neptun-session": os.environ["PLAYGROUND_SESSION"]},
    json={"messages": [{"role": "user", "content": "What is the playground?"}]},
    timeout=60,
) as answer:
    if answer.is_error:
        raise SystemExit(answer.read() and answer.json()["message"])
    # An answer that fails half-way breaks off: this loop then raises httpx.RemoteProtocolError.
    for text in answer.iter_text():
        print(text, end="", flush=True)
print()
