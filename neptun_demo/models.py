"""The built-in models: the documentation's `ModelConfiguration`, with what the page shows beside it.

A new model is a new row. Facts are Cloudflare's documentation as of `CHECKED`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from .contract import (
    PROVIDERS_DEFAULT,
    AllowedCloudflareModelNames,
    ModelConfiguration,
    ModelConfigurationData,
    ModelParameters,
)
from .settings import BackendName

CHECKED = "2026-10"
"""When the built-in rows were last compared with Cloudflare's documentation."""

TITLES: Mapping[BackendName, str] = {
    "neptun": "Neptun endpoint",
    "workers-ai": "Cloudflare Workers AI",
    "offline": "Offline guide",
}

Family = Literal["legacy", "openai"]
"""Which set of sampling parameters a model takes."""

# The endpoint asks its model for this many output tokens, whatever the request says, and nothing on
# the wire tells that an answer was cut there (observed).
NEPTUN_OUTPUT_TOKENS = 256


@dataclass(frozen=True, slots=True)
class Model:
    """A row. *context* is the context window in tokens, prices are US dollars per million tokens.

    *efforts* are the values of `reasoning_effort` that the model takes; a model that reasons without
    such a choice has none. *inline_thinking*: its thinking comes as `<think>…</think>` in the text.
    *retires* is the day (ISO 8601) from which it is no longer served, where one is planned.
    """

    backend: BackendName
    row: ModelConfiguration
    context: int | None = None
    price_in: float | None = None
    price_out: float | None = None
    paid: bool = False
    reasoning: bool = False
    efforts: tuple[str, ...] = ()
    vision: bool = False
    inline_thinking: bool = False
    retires: str | None = None

    @property
    def name(self) -> str:
        """The short name, as the documented route takes it."""
        return self.row.name

    @property
    def id(self) -> str:
        """The name by which its back end calls it."""
        return self.row.configuration.model if self.backend == "workers-ai" else f"cloudflare/{self.name}"

    @property
    def names(self) -> tuple[str, ...]:
        """Every name it is found by."""
        return (self.name, f"cloudflare/{self.name}", self.row.configuration.model)

    @property
    def family(self) -> Family:
        """Which set of parameters it takes; told by its name, since no list says it."""
        return "legacy" if _is_legacy(self.row.configuration.model.lower()) else "openai"


_LEGACY = (
    "llama",
    "mistral",
    "qwen1.5",
    "qwen2.5",
    "granite",
    "deepseek-r1-distill",
    "qwq",
    "gemma-2",
    "gemma-3",
)


def _is_legacy(model_id: str) -> bool:
    return any(mark in model_id for mark in _LEGACY)


def row(
    author: str, name: str, model_id: str, description: str, parameters: ModelParameters
) -> ModelConfiguration:
    """The documentation's row of a model that answers in text."""
    return ModelConfiguration(
        publisher=author,
        name=name,
        description=description,
        icon="simple-icons:cloudflare",
        type="instruct",
        configuration=ModelConfigurationData(model=model_id, parameters=parameters),
    )


def parameters(context: int | None, *, cap: int = NEPTUN_OUTPUT_TOKENS) -> ModelParameters:
    """The provider's defaults, for a *context* window and an output *cap* in tokens."""
    return ModelParameters(
        max_new_tokens=cap,
        typical_p=PROVIDERS_DEFAULT,
        repetition_penalty=PROVIDERS_DEFAULT,
        truncate=context or PROVIDERS_DEFAULT,
        return_full_text=False,
    )


DOCUMENTED = AllowedCloudflareModelNames.CloudflareLlama.value
"""The endpoint's one model, by its short name."""

GUIDE = "offline-guide"

NEPTUN_MODEL = Model(
    "neptun",
    row(
        "cloudflare",
        DOCUMENTED,
        f"@cf/meta/{DOCUMENTED}",
        "Llama 3.3 70B quantized to fp8 precision, optimized to be faster. 70B parameters, instruction"
        " following, text generation, reasoning and structured data. (Llama 3.3 Community License)",
        # As the endpoint lists them (recording `get_models`).
        ModelParameters(
            max_new_tokens=256, typical_p=0.2, repetition_penalty=1.1, truncate=130816, return_full_text=False
        ),
    ),
    context=24_000,
)

GUIDE_MODEL = Model(
    "offline",
    row(
        "neptun-playground",
        GUIDE,
        GUIDE,
        "No model: a handbook that ships with the playground and answers from its own pages.",
        parameters(None),
    ),
)


def _workers_ai(  # noqa: PLR0913 - a row of a table
    model_id: str,
    context: int,
    price_in: float,
    price_out: float,
    *,
    description: str = "",
    paid: bool = False,
    efforts: tuple[str, ...] = (),
    reasoning: bool = False,
    vision: bool = False,
    inline_thinking: bool = False,
) -> Model:
    _, author, name = model_id.split("/")
    return Model(
        "workers-ai",
        row(author, name, model_id, description, parameters(context)),
        context=context,
        price_in=price_in,
        price_out=price_out,
        paid=paid,
        reasoning=reasoning or bool(efforts) or inline_thinking,
        efforts=efforts,
        vision=vision,
        inline_thinking=inline_thinking,
    )


_LOW_TO_HIGH = ("low", "medium", "high")
_NONE_TO_MAX = ("none", "low", "high", "max")
WORKERS_AI_MODELS: tuple[Model, ...] = (
    _workers_ai("@cf/meta/llama-3.3-70b-instruct-fp8-fast", 24_000, 0.293, 2.253),
    _workers_ai("@cf/meta/llama-4-scout-17b-16e-instruct", 131_000, 0.270, 0.850, vision=True),
    _workers_ai("@cf/openai/gpt-oss-120b", 128_000, 0.350, 0.750, efforts=_LOW_TO_HIGH),
    _workers_ai("@cf/openai/gpt-oss-20b", 128_000, 0.200, 0.300, efforts=_LOW_TO_HIGH),
    _workers_ai("@cf/google/gemma-4-26b-a4b-it", 256_000, 0.100, 0.300, reasoning=True, vision=True),
    _workers_ai("@cf/zai-org/glm-4.7-flash", 131_072, 0.060, 0.400, reasoning=True),
    _workers_ai("@cf/qwen/qwen3.8-27b", 262_144, 0.450, 3.200, efforts=("low", "medium", "xhigh"), vision=True),
    _workers_ai("@cf/nvidia/nemotron-3-120b-a12b", 256_000, 0.500, 1.500, reasoning=True),
    _workers_ai("@cf/qwen/qwen3-30b-a3b-fp8", 32_768, 0.051, 0.335, reasoning=True),
    _workers_ai("@cf/mistralai/mistral-small-3.1-24b-instruct", 128_000, 0.351, 0.555),
    _workers_ai("@cf/ibm-granite/granite-4.0-h-micro", 131_000, 0.017, 0.112),
    _workers_ai("@cf/meta/llama-3.2-3b-instruct", 80_000, 0.051, 0.335),
    _workers_ai("@cf/meta/llama-3.2-1b-instruct", 60_000, 0.027, 0.201),
    _workers_ai("@cf/qwen/qwen2.5-coder-32b-instruct", 32_768, 0.660, 1.000),
    _workers_ai("@cf/deepseek-ai/deepseek-r1-distill-qwen-32b", 80_000, 0.497, 4.881, inline_thinking=True),
    _workers_ai(
        "@cf/zai-org/glm-5.3-flash",
        1_310_720,
        0.150,
        0.500,
        efforts=("low", "high", "max"),
        vision=True,
        paid=True,
    ),
    _workers_ai(
        "@cf/deepseek-ai/deepseek-v4-flash-0731", 1_048_576, 0.440, 1.320, efforts=_NONE_TO_MAX, paid=True
    ),
    _workers_ai(
        "@cf/deepseek-ai/deepseek-v4-pro-0813", 1_048_576, 1.320, 3.960, efforts=_NONE_TO_MAX, paid=True
    ),
    _workers_ai(
        "@cf/moonshotai/kimi-k2.6", 262_144, 0.950, 4.000, efforts=("none", "high"), vision=True, paid=True
    ),
)  # fmt: skip - one model, one line

RETIRED: frozenset[str] = frozenset(
    {
        "llama-3.1-8b-instruct",
        "llama-3.1-70b-instruct",
        "gemma-7b-it",
        "gemma-3-12b-it",
        "mistral-7b-instruct-v0.1",
        "mistral-7b-instruct-v0.2",
        "kimi-k2.5",
    }
)
"""Short names that Workers AI served until 2026-05-30."""

BUILT_IN: Mapping[BackendName, tuple[Model, ...]] = {
    "neptun": (NEPTUN_MODEL,),
    "workers-ai": WORKERS_AI_MODELS,
    "offline": (GUIDE_MODEL,),
}
