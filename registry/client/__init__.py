"""The other side of HTTP: repositories on a registry, and wells pushed to them and read from them."""
