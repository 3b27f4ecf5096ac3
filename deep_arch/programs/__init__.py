"""Programs: architectures of grammars, as terms whose parts may be moved."""

from deep_arch.programs.applications import Application as Application
from deep_arch.programs.applications import Subtree as Subtree
from deep_arch.programs.moving import moved as moved
from deep_arch.programs.moving import moved_weights as moved_weights
from deep_arch.programs.parsing import parse as parse
from deep_arch.programs.writing import text as text
