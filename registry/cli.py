"""`dfr`: the command line. A module of `commands` is imported here, what it runs when it runs, so that the base
install (client and command line) works without the server's packages."""

from importlib import import_module, metadata

import typer

from .failures import one_line

COMMANDS = (
    *("serve", "worker", "config", "health", "accounts", "robots", "reindex", "gc", "fsck", "scrub"),
    *("audit", "mode", "backup", "storage", "adopt"),
    *("import_", "ls", "search", "read", "link", "export", "pull", "diff", "log", "show", "plot", "verify", "undelete"),
)


def build() -> typer.Typer:
    """The whole command line."""
    app = typer.Typer(
        name="dfr",
        help="DataForge Registry: an OCI registry for well logs.",
        no_args_is_help=True,
        add_completion=False,
        context_settings={"max_content_width": 120},
        pretty_exceptions_enable=False,
        rich_markup_mode=None,  # help texts have brackets of their own
    )
    for name in COMMANDS:
        import_module(f"{__package__}.commands.{name}").register(app)
    app.command()(version)
    return app


def version() -> None:
    """Print the version."""
    print(metadata.version("dataforge-registry"))


def main() -> None:
    """Run the command line; failures that people can mend are one line on stderr and exit code 2."""
    with one_line():
        build()()
