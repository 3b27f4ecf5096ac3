"""The command line `deep-arch`: spaces, searches and studies without a script of one's own."""

from deep_arch.command_line.app import main as main
