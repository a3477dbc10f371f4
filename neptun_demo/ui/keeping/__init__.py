"""What the browser keeps, files out and in, and links."""
