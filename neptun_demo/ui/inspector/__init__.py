"""Look inside: what was sent for one answer, what came back piece by piece, and the code that does the same."""
