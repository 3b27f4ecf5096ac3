"""The command line `deep-arch`."""

from deep_arch.command_line.app import main as main
