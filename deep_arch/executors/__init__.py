"""Executors: where tasks run, in processes of this machine or on a cluster."""

from deep_arch.executors.process_pool import ProcessPool as ProcessPool
from deep_arch.executors.ray_executor import RayExecutor as RayExecutor
