"""Neptun Playground: settings -> back ends -> page and routes -> launch.

The one place where things are put together, and the only one that reads the environment.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from neptun_demo.settings import BadSettings, Settings, load, merged

ENV_FILE = Path(__file__).with_name(".env")

try:
    values = merged(os.environ, ENV_FILE)
    settings = load(values)
except BadSettings as error:
    sys.exit(f"The settings cannot be used.\n{error}")

# Before gradio is imported, which reads variables of its own at once, and stumbles over empty ones.
for name in [name for name in os.environ if name.startswith("GRADIO_")]:
    del os.environ[name]
os.environ.update({name: value for name, value in values.items() if name.startswith("GRADIO_")})
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # else it asks foreign hosts at every start

from neptun_demo.access import Budget, Gate  # noqa: E402 - see above
from neptun_demo.api import routes  # noqa: E402
from neptun_demo.backends import connect  # noqa: E402
from neptun_demo.backends.live_lists import LiveLists  # noqa: E402
from neptun_demo.catalogue import Catalogue  # noqa: E402
from neptun_demo.chat import Chat  # noqa: E402
from neptun_demo.errors import Refused  # noqa: E402
from neptun_demo.gradio_api import WRONG_CALLS  # noqa: E402
from neptun_demo.guard import BrokenOffOnPurpose, Guard  # noqa: E402
from neptun_demo.mcp import Tools  # noqa: E402
from neptun_demo.models import DOCUMENTED, TITLES  # noqa: E402
from neptun_demo.ui.page import build, launch_arguments  # noqa: E402

if TYPE_CHECKING:
    import gradio as gr
    from fastapi import FastAPI

# Questions that wait for their turn, over all visitors; more are told that the playground is full.
LONGEST_QUEUE = 100
# Gradio's own default, 40, also caps the answers that run at a time.
MOST_THREADS = 200
# Sessions whose conversation is remembered for the Gradio API; the oldest are forgotten first.
MOST_SESSIONS = 1000

logging.basicConfig(format="%(levelname)s: %(message)s")
logging.getLogger("uvicorn.error").addFilter(BrokenOffOnPurpose())

catalogue = Catalogue()
connections = connect(settings)
chat = Chat(
    settings,
    catalogue,
    connections.backends,
    Gate(connections.key, connections.host, open_to_visitors=settings.playground_open),
    Budget(settings.playground_daily_answers, settings.playground_parallel),
)
tools = Tools(chat)
demo = build(chat)


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """From the first request to the last: the guard in front, the live lists beside, the connections."""
    # Here, not as a middleware: Gradio adds its own around those that are given at the start.
    app.middleware_stack = Guard(app.middleware_stack or app.build_middleware_stack(), settings)
    lists = asyncio.create_task(LiveLists(catalogue, connections.listings).keep())
    try:
        async with tools.running():
            yield
    finally:
        lists.cancel()
        with suppress(asyncio.CancelledError):
            await lists
        await connections.aclose()


def main(demo: gr.Blocks) -> None:
    """Serve until a signal ends it. *demo* is a local name: a reload rebinds the global one."""
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    try:
        url = launched(demo)
    except OSError:
        sys.exit(nowhere(settings))
    # An answer that is still running when the app is ended has this many seconds.
    demo.server.config.timeout_graceful_shutdown = 1
    print(greeting(settings, url), flush=True)  # noqa: T201 - what a person who started it reads
    ended.wait()
    demo.close(verbose=False)
    # Everything is closed. To take apart all that was imported would last longer than all of that.
    logging.shutdown()
    sys.stdout.flush()
    os._exit(0)


def launched(demo: gr.Blocks) -> str:
    """The address at which *demo* is served from now on. Raises `OSError` where it cannot be."""
    demo.queue(max_size=LONGEST_QUEUE, default_concurrency_limit=None)
    _, url, _ = demo.launch(
        server_name=settings.gradio_server_name,
        server_port=settings.gradio_server_port,
        root_path=settings.gradio_root_path,
        app_kwargs={
            "routes": [*routes(chat), *tools.routes],
            "lifespan": lifespan,
            "exception_handlers": WRONG_CALLS,
            "openapi_url": None,
        },
        max_threads=MOST_THREADS,
        state_session_capacity=MOST_SESSIONS,
        prevent_thread_lock=True,
        quiet=True,
        share=False,
        ssr_mode=False,
        pwa=False,
        mcp_server=False,
        run_history=False,
        enable_monitoring=False,
        show_error=False,
        **launch_arguments(),
    )
    return str(url)


def nowhere(settings: Settings) -> str:
    """Why the app cannot be served, and what to do."""
    port = f"port {settings.gradio_server_port}" if settings.gradio_server_port else "any port from 7860 on"
    return (
        f"The app cannot listen at {settings.gradio_server_name}, {port}: the port is taken, or the address is"
        " not one of this machine's.\nChange GRADIO_SERVER_PORT or GRADIO_SERVER_NAME."
    )


def greeting(settings: Settings, url: str) -> str:
    """What is printed at start: the address, what is set up, and a cURL line ready to paste."""
    set_up = [TITLES[name] for name in TITLES if chat.set_up(name)]
    lines = [
        f"Neptun Playground: {url}",
        f"Answers now: {TITLES[chat.default_backend]}. Set up by the host: {', '.join(set_up)}.",
        "A Neptun cookie of your own works at once, on the page and in scripts.",
        *([f"The playground's key, made for this run: {settings.made_key}"] if settings.made_key else []),
        "Try it:",
        _curl(
            url,
            settings.made_key or "$PLAYGROUND_SESSION",
            "" if chat.set_up(chat.default_backend) else "&backend=offline",
        ),
    ]
    return "\n".join([*lines, *_warnings(settings)])


def _curl(url: str, key: str, backend: str) -> str:
    return (
        f'curl -N -X POST "{url.rstrip("/")}/api/ai/cloudflare/{DOCUMENTED}/chat'
        f'?chat_id=-1&is_playground=true{backend}" -H "Cookie: neptun-session={key}"'
        """ -H "Content-Type: application/json" -d '{"messages":"""
        """ [{"role": "user", "content": "Hello, how are you?"}]}'"""
    )


def _warnings(settings: Settings) -> list[str]:
    if not settings.playground_model:
        return []
    try:
        catalogue.find(chat.default_backend, settings.playground_model)
    except Refused as error:
        until = "Another" if chat.default_backend == "offline" else "Until a live list has it, another"
        return [f"Warning: PLAYGROUND_MODEL: {error.message} {until} model answers."]
    return []


if __name__ == "__main__":
    main(demo)
