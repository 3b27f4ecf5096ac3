"""Drawings and plots of architectures and searches."""

from __future__ import annotations

from deep_arch.visualization.dot import mimebundle as mimebundle
from deep_arch.visualization.dot import render as render
from deep_arch.visualization.dot import render_changes as render_changes
from deep_arch.visualization.dot import render_steps as render_steps
from deep_arch.visualization.dot import render_supernet as render_supernet
from deep_arch.visualization.plots import plot_scores as plot_scores
from deep_arch.visualization.plots import score_curve as score_curve
from deep_arch.visualization.sharpening_plots import plot_sharpening as plot_sharpening
from deep_arch.visualization.sharpening_plots import sharpening as sharpening
