"""What answers, on whose account, and what it is asked with: the settings of a conversation."""
