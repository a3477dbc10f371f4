"""Neptun Playground: one chat generator, served as a page, a Gradio API and the documented route."""
