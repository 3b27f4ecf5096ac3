"""The application: all commands, and the help that teaches them."""

from __future__ import annotations

import typer

from deep_arch.command_line import reading_commands, space_commands, study_commands

_HELP = """Search spaces over architectures: count and draw them, search them, and read what was found.

A space is named `package.module:name` or `path/file.py:name`, and so are objectives. What a command finds goes to
standard output, with --json as one JSON document; all else goes to standard error.
"""

_EPILOG = """A worked example. Write this into the file net.py:

\b
    import deep_arch as da
    from deep_arch import ops

\b
    @da.space
    def net(x):
        x = ops.Dense(units=da.choice([16, 32, 64]))(x)
        return da.repeat(lambda: ops.Dense(units=da.integer(1, 100)), da.integer(1, 3))(x)

\b
    def score(trial):  # train and measure here what `build(trial.architecture)` gives
        return -abs(sum(trial.values.values()) - 100)

Then copy these commands:

\b
    deep-arch size net.py:net
    deep-arch show net.py:net --seed 0 --inputs vector:8
    deep-arch search net.py:net --objective net.py:score --trials 40 --seed 0
    deep-arch resume --trials 60
    deep-arch trials --limit 5
    deep-arch best --json
    deep-arch export --format jsonl --output trials.jsonl

Exit codes: 0 where all is well; 1 for an error, which is told; 2 for a command that is
written wrongly; 3 for a search that ends without a complete trial; 130 for Ctrl-C, after
which `deep-arch resume` goes on. DEEP_ARCH_DEBUG=1 shows where an error was raised.
"""

app = typer.Typer(
    name="deep-arch",
    help=_HELP,
    epilog=_EPILOG,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)

for _name, _command in (
    ("size", space_commands.size),
    ("sample", space_commands.sample),
    ("show", space_commands.show),
    ("search", study_commands.search),
    ("resume", study_commands.resume),
    ("studies", reading_commands.studies),
    ("trials", reading_commands.trials),
    ("best", reading_commands.best),
    ("export", reading_commands.export),
):
    app.command(_name)(_command)


def main() -> None:
    """Run the command line."""
    app(prog_name="deep-arch")
