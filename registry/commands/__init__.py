"""The commands of `dfr`. Each module has `register(app)` and imports what it runs only when it runs."""
