"""An executor on Ray: each task is one of Ray's, with its resources."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Executor, Future
from concurrent.futures import wait as wait_for
from functools import partial
from typing import Any, Final, ParamSpec, TypeVar
from weakref import WeakKeyDictionary, WeakSet

from deep_arch.errors import ExecutorError, WorkerDied, is_kind, wrong_kind
from deep_arch.executors.process_pool import n_cores
from deep_arch.executors.travelling import RemoteTraceback, portable
from deep_arch.extras import imported
from deep_arch.language.foreign import as_int

P = ParamSpec("P")
T = TypeVar("T")

_DEATHS: Final = (
    "WorkerCrashedError",
    "OutOfMemoryError",
    "NodeDiedError",
    "LocalRayletDiedError",
    "TaskCancelledError",
)
"""Ray's exceptions of a task that did not come to its end."""


class RayExecutor(Executor):
    """Tasks on a cluster of Ray, or on this machine where Ray does not run yet.

    Connect to a cluster first, with `ray.init(address="auto")` or the variable `RAY_ADDRESS`; otherwise Ray is started
    here, and stopped by `shutdown`. A task is run once: one whose process dies raises `WorkerDied`. Its exceptions come
    back as themselves. A future that is cancelled ends its task, with its process.

    Args:
        num_cpus: how many cores each task takes.
        num_gpus: how many devices each task takes; a fraction shares one.
        max_parallel: the most that `n_parallel` says, however large the cluster.
        options: what else `ray.remote(...).options` takes, such as `memory`, `resources` or `runtime_env`.

    Raises:
        MissingDependency: Ray is not installed.
        BadArgument: what is no amount of a resource, or no number of tasks.
    """

    def __init__(
        self, num_cpus: float = 1, num_gpus: float = 0, max_parallel: int | None = None, **options: Any
    ) -> None:
        _check(num_cpus, num_gpus, max_parallel)
        self._needs: dict[str, float] = {"CPU": num_cpus, "GPU": num_gpus, **(options.get("resources") or {})}
        self._most = max_parallel
        self._ray = imported("ray")
        self._refs: WeakKeyDictionary[Future[Any], Any] = WeakKeyDictionary()
        self._out: set[Future[Any]] = set()
        self._killed: WeakSet[Future[Any]] = WeakSet()
        self._is_closed = False
        self._is_ours = not self._ray.is_initialized()
        if self._is_ours:
            self._ray.init(include_dashboard=False, logging_level="warning")
        asked = {"num_cpus": num_cpus, "num_gpus": num_gpus, "max_retries": 0, **options}
        self._remote = self._ray.remote(_call).options(**asked)

    @property
    def n_parallel(self) -> int:
        """How many tasks the cluster has room for at once, at least 1; it may grow."""
        there: Mapping[str, float] = self._ray.cluster_resources()
        room = [int(there.get(name, 0) // amount) for name, amount in self._needs.items() if amount] or [n_cores()]
        return max(1, min(room if self._most is None else [*room, self._most]))

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Return the future of a call on the cluster.

        Raises:
            ExecutorError: the executor was shut down.
        """
        if self._is_closed:
            raise _closed(fn)
        future: Future[T] = Future()
        try:
            ref = self._remote.remote(fn, args, kwargs)
        except Exception as error:  # it does not pickle
            future.set_exception(error)
            return future
        self._refs[future] = ref
        self._out.add(future)
        future.add_done_callback(self._done)
        ref.future().add_done_callback(partial(self._settle, future))
        return future

    def kill(self, future: Future[Any]) -> bool:
        """End a task at once, with its process; its future raises `WorkerDied`, or was cancelled.

        Returns:
            whether it was there to be ended.
        """
        if future.done() or future not in self._refs:
            return future.cancelled()
        self._killed.add(future)
        self._ray.cancel(self._refs[future], force=True)
        return True

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take no more tasks, and stop Ray if it was started here.

        Args:
            wait: whether to wait for the tasks that are out; those of a Ray that was started here end with the program.
            cancel_futures: whether tasks that are out are cancelled, those that run as well.
        """
        self._is_closed = True
        for future in list(self._out) if cancel_futures else ():
            future.cancel()
        if wait:
            wait_for(list(self._out))
        if self._is_ours and not self._out:
            self._is_ours = False
            self._ray.shutdown()

    def _done(self, future: Future[Any]) -> None:
        self._out.discard(future)
        if future.cancelled():
            self._ray.cancel(self._refs[future], force=True)

    def _settle(self, future: Future[Any], finished: Future[Any]) -> None:
        """Hand on what came of a task; called by a thread of Ray's."""
        if not future.set_running_or_notify_cancel():
            return
        if (error := finished.exception()) is None:
            future.set_result(finished.result())
        else:
            future.set_exception(self._plain(error, future in self._killed))

    def _plain(self, error: BaseException, is_killed: bool) -> BaseException:
        """Return the exception of a task as it was raised there."""
        if type(error).__name__ in _DEATHS:
            return _died(error, is_killed)
        cause = getattr(error, "cause", None)
        if not isinstance(error, self._ray.exceptions.RayTaskError) or not isinstance(cause, BaseException):
            return error
        cause.__cause__ = RemoteTraceback(f'\n"""\n{error}"""')
        return cause


def _call(function: Callable[..., T], args: tuple[Any, ...], kwargs: dict[str, Any]) -> T:
    try:
        return function(*args, **kwargs)
    except (Exception, SystemExit) as error:
        if (sent := portable(error, imported("ray.cloudpickle"))) is error:
            raise
        raise sent from error


def _check(num_cpus: Any, num_gpus: Any, max_parallel: Any) -> None:
    for name, amount in (("num_cpus", num_cpus), ("num_gpus", num_gpus)):
        if isinstance(amount, bool) or not is_kind(amount, int | float) or not amount >= 0:
            raise wrong_kind(f"RayExecutor: {name}", "a number of at least 0", amount, f"Write {name}=1.")
    if max_parallel is not None and ((n := as_int(max_parallel)) is None or n < 1):
        mend = "Write max_parallel=8, or leave it out."
        raise wrong_kind("RayExecutor: max_parallel", "an int of at least 1, or None", max_parallel, mend)


def _died(error: BaseException, is_killed: bool) -> WorkerDied:
    if is_killed:
        got, mend = "a call of kill", "Submit the task once more where it is still needed."
    else:
        got, mend = f"{type(error).__name__}: {error}", "Was it killed for memory? Then say how much it needs: memory=."
    return WorkerDied(
        f"RayExecutor: expected a process of Ray to live until its task was done.\n  Got {got}.\n"
        f"  {mend} Other tasks go on."
    )


def _closed(fn: Any) -> ExecutorError:
    return ExecutorError(
        f"RayExecutor: expected tasks before it is shut down.\n  Got {fn!r} ({type(fn).__name__}).\n"
        "  Submit inside `with RayExecutor() as executor:`, or make a new one."
    )
