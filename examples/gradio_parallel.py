"""Many answers at a time over the Gradio API, with a progress bar.

pip install gradio_client tqdm, then: PLAYGROUND_SESSION=<the playground's key> python gradio_parallel.py
"""

import os
from concurrent.futures import ThreadPoolExecutor, as_completed

from gradio_client import Client
from gradio_client.exceptions import AppError
from tqdm import tqdm

URL = os.environ.get("PLAYGROUND_URL", "http://127.0.0.1:7860")
KEY = os.environ["PLAYGROUND_SESSION"]
QUESTIONS = ["What is the playground?", "How do I get a cookie?", "What is an API token?", "/demo error"]
AT_A_TIME = 4  # a host answers 8 at a time at its own cost (PLAYGROUND_PARALLEL)


def ask(question: str) -> str:
    # A client is one conversation, so each question has a client of its own.
    client = Client(URL, verbose=False)
    return client.predict(question, credential=KEY, api_name="/chat")["text"]


with ThreadPoolExecutor(AT_A_TIME) as pool:
    jobs = {pool.submit(ask, question): question for question in QUESTIONS}
    for job in tqdm(as_completed(jobs), total=len(jobs)):
        try:
            tqdm.write(f"{jobs[job]}: {len(job.result())} characters")
        except AppError as error:  # one that fails says why, and does not stop the others
            tqdm.write(f"{jobs[job]}: {error}")
