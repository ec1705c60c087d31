"""Well-log curves as OCI artifacts: what a curve is, its identity, its bytes, and reading a depth window back."""
