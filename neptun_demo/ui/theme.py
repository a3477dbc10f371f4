"""Colours and fonts. Nothing is fetched from elsewhere: the fonts come with Gradio."""

from __future__ import annotations

import gradio as gr
from gradio.themes.utils import colors

NEPTUNE = colors.Color(
    name="neptune",
    c50="#eef6fb",
    c100="#d8eaf5",
    c200="#b5d5ea",
    c300="#84b8da",
    c400="#4b94c3",
    c500="#2878ab",
    c600="#1c608f",
    c700="#1a4e75",
    c800="#1a4261",
    c900="#183751",
    c950="#0f2337",
)

# Of the fonts that Gradio brings this one is whole in 400 and 700; its semi-bold files lack the letters.
_SANS = gr.themes.LocalFont("IBM Plex Sans", weights=(400, 700))
# Code is set in the machine's own font: another file would make the first page a tenth larger.
_MONO = ("ui-monospace", "Menlo", "Consolas", "Liberation Mono", "monospace")

THEME = gr.themes.Soft(
    primary_hue=NEPTUNE,
    secondary_hue=NEPTUNE,
    neutral_hue=colors.slate,
    radius_size=gr.themes.sizes.radius_md,
    font=[_SANS, "system-ui", "sans-serif"],
    font_mono=[*_MONO],
).set(
    # Gradio's own are below the contrast that WCAG asks for.
    body_text_color_subdued="*neutral_600",
    body_text_color_subdued_dark="*neutral_400",
    block_info_text_color="*neutral_600",
    block_info_text_color_dark="*neutral_400",
    input_placeholder_color="*neutral_500",
    input_placeholder_color_dark="*neutral_400",
    # Where a box ends is to be seen too.
    input_border_width="1px",
    input_border_color="*neutral_400",
    input_border_color_dark="*neutral_600",
    input_shadow="none",
    block_title_background_fill="transparent",
    block_title_background_fill_dark="transparent",
    block_title_text_color="*body_text_color",
    block_title_text_color_dark="*body_text_color",
    block_title_padding="0",
    button_primary_background_fill="*primary_600",
    button_primary_background_fill_hover="*primary_700",
    button_primary_background_fill_dark="*primary_600",
    button_primary_background_fill_hover_dark="*primary_500",
)
