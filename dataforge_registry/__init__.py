"""DataForge Registry: well logs as OCI artifacts."""

__version__ = "0.1.0"
