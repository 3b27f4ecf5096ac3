"""How it is drawn: as DOT text, which Graphviz makes a picture of."""

from __future__ import annotations

from deep_arch.visualization.dot.film import render_steps as render_steps
from deep_arch.visualization.dot.rendering import mimebundle as mimebundle
from deep_arch.visualization.dot.rendering import render as render
from deep_arch.visualization.dot.rendering import render_changes as render_changes
from deep_arch.visualization.dot.rendering import render_supernet as render_supernet
