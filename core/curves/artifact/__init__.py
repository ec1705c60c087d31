"""A curve version as an OCI artifact: its config, its layers and its manifest, and the way back."""
