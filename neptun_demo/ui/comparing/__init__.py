"""Two or three conversations side by side, asked the same."""
