"""Well logs as pictures: depth down, tracks by family, a heading above each; drawn by matplotlib (extra `plot`)."""
