"""`python -m dataforge_registry.registry` is `dfr`."""

from .cli import main

main()
