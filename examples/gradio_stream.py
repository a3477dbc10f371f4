"""An answer over the Gradio API, shown while it grows.

pip install gradio_client, then: PLAYGROUND_SESSION=<the playground's key> python gradio_stream.py
"""

import os

from gradio_client import Client

client = Client(os.environ.get("PLAYGROUND_URL", "http://127.0.0.1:7860"), verbose=False)
job = client.submit(
    "What is the playground?",
    credential=os.environ["PLAYGROUND_SESSION"],
    api_name="/chat",
)

shown = 0
for frame in job:  # each frame is the whole answer so far
    print(frame["text"][shown:], end="", flush=True)
    shown = len(frame["text"])
# The loop ends silently when the answer fails; the failure is raised here.
print("\n\nIt ended because of:", job.result()["finish_reason"])
