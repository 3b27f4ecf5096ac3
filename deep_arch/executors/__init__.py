"""Executors: where the objectives of a study run, beside this process."""

from deep_arch.executors.process_pool import ProcessPool as ProcessPool
from deep_arch.executors.ray_executor import RayExecutor as RayExecutor
