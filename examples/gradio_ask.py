"""One answer over the Gradio API.

pip install gradio_client, then: PLAYGROUND_SESSION=<the playground's key> python gradio_ask.py
"""

import os

from gradio_client import Client

client = Client(os.environ.get("PLAYGROUND_URL", "http://127.0.0.1:7860"), verbose=False)
key = os.environ["PLAYGROUND_SESSION"]

answer = client.predict("What is the playground?", credential=key, api_name="/chat")
print(answer["text"])
print(f"\n{answer['model']} on {answer['backend']}, in {answer['timing']['total']:.1f} s")

# A client is one conversation: this question is sent with the one before and its answer.
print(client.predict("Tell me more.", credential=key, api_name="/chat")["text"])
