"""Symbolic programs: calls that are recorded instead of made, with hyperparameters anywhere among their arguments."""

from deep_arch.language.chosen_parts import copies as copies
from deep_arch.language.objects import making_objects as making_objects
from deep_arch.language.parts import DELETE as DELETE
from deep_arch.language.parts import walk as walk
from deep_arch.language.written import SharedDecision as SharedDecision
from deep_arch.symbolic.building import build as build
from deep_arch.symbolic.building import resolve as resolve
from deep_arch.symbolic.calls import Symbolic as Symbolic
from deep_arch.symbolic.changes import changes as changes
from deep_arch.symbolic.json_text import from_json as from_json
from deep_arch.symbolic.json_text import to_json as to_json
from deep_arch.symbolic.paths import diff as diff
from deep_arch.symbolic.paths import get as get
from deep_arch.symbolic.paths import rebind as rebind
from deep_arch.symbolic.symbols import Namespace as Namespace
from deep_arch.symbolic.symbols import Symbol as Symbol
from deep_arch.symbolic.symbols import symbolize as symbolize
