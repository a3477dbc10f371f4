"""Any back end of the playground with OpenAI's own client, in one piece and as a stream.

pip install openai, then: PLAYGROUND_SESSION=<the playground's key> python openai_chat.py

The value of a neptun-session cookie is a key too, for the models that are listed as neptun/….
"""

import os

from openai import OpenAI

client = OpenAI(
    base_url=os.environ.get("PLAYGROUND_URL", "http://127.0.0.1:7860") + "/v1",
    api_key=os.environ["PLAYGROUND_SESSION"],
)
print("Models:", ", ".join(model.id for model in client.models.list()))

model = "llama-3.3-70b-instruct-fp8-fast"
answer = client.chat.completions.create(
    model=model,
    messages=[{"role": "user", "content": "What is the playground?"}],
)
print(answer.choices[0].message.content)

chunks = client.chat.completions.create(
    model=model,
    messages=[{"role": "user", "content": "How do I get a cookie?"}],
    stream=True,
)
for chunk in chunks:
    if chunk.choices:
        print(chunk.choices[0].delta.content or "", end="", flush=True)
print()
