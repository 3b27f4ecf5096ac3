"""The application: all commands, their help and their exit codes."""

from __future__ import annotations

import typer

from deep_arch.command_line import space_commands, study_commands

_HELP = """Search spaces over architectures, from the command line.

A space is named `package.module:name` or `path/file.py:name`, and so are objectives. What a command prints goes to the
standard output, all else to the standard error.
"""

_EPILOG = """A worked example: with net.py in this folder, which defines the space `net` and `score(trial)`:
`deep-arch size net.py:net`, then `deep-arch search net.py:net --objective net.py:score --trials 50`, then
`deep-arch best`. Exit codes: 0; 1 for an error, which is told; 2 for a wrong command; 3 for a search without a complete
trial; 130 when interrupted, after which `deep-arch resume` goes on."""

app = typer.Typer(
    name="deep-arch",
    help=_HELP,
    epilog=_EPILOG,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

for _name, _command in (
    ("size", space_commands.size),
    ("sample", space_commands.sample),
    ("show", space_commands.show),
    ("search", study_commands.search),
    ("resume", study_commands.resume),
    ("studies", study_commands.studies),
    ("trials", study_commands.trials_of),
    ("best", study_commands.best),
    ("export", study_commands.export),
):
    app.command(_name)(_command)


def main() -> None:
    """Run the command line."""
    app()
