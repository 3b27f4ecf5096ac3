"""Stacks: many programs trained at once on one task, as `fit` does."""

from __future__ import annotations

from deep_arch.backends.torch_backend.stacks.fitting import Fitted as Fitted
from deep_arch.backends.torch_backend.stacks.fitting import fit as fit
from deep_arch.backends.torch_backend.stacks.tasks import Task as Task
