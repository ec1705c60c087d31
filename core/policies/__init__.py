"""What an organisation decides about its tags: patterns, selectors, immutability and retention."""
