"""Running a study: trials go out to an executor and come back, until there are none."""

from __future__ import annotations

import os
import pickle
import signal
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from deep_arch.errors import BadArgument, DeepArchError, StudyError, WorkerDied, is_kind, wrong_kind
from deep_arch.executors.adopting import as_executor, is_here, n_parallel, renewed
from deep_arch.executors.process_pool import ProcessPool
from deep_arch.language.foreign import as_int
from deep_arch.language.written import Written
from deep_arch.spaces.named_spaces import check_named
from deep_arch.studies.channel import Channel
from deep_arch.studies.checks import check_seconds
from deep_arch.studies.evaluating import Objective as Objective
from deep_arch.studies.evaluating import evaluate
from deep_arch.studies.failures import Failures
from deep_arch.studies.machine import is_over, this_machine
from deep_arch.studies.progress import Progress
from deep_arch.studies.remote_trial import Task, run_task, take_back
from deep_arch.studies.stored_search import MOST_LOST
from deep_arch.studies.trial import Trial

if TYPE_CHECKING:
    from deep_arch.studies.study import Study

_POLL_S: Final = 0.2
"""How often others' trials, and time limits, are looked at."""

_LOOK_S: Final = 1.0
"""How often is looked whether the processes of trials are still there."""

_GRACE_S: Final = 5.0
"""What is not stopped so long after its limit is killed."""

_SHARE_SHOWN: Final = 0.05
"""Of the time, what goes at most into showing how far it is, for which all trials are counted."""


@dataclass
class _Out:
    """A trial that is out: since when it runs, and in which process, once that is known."""

    trial: Trial
    begun: float | None = None
    machine: str = ""
    process: int | None = None
    killed: bool = False
    gone: bool = False
    n_begun: int = 0
    outcome: dict[str, Any] | None = None


class Run:
    """One call of `Study.run`."""

    def __init__(
        self,
        study: Study,
        objective: Objective,
        limits: tuple[Any, Any, Any, Any, Any],
        executor: Any,
        callbacks: Iterable[Callable[[Study, Trial], object]],
        progress: bool | None,
    ) -> None:
        trials, timeout, trial_timeout, max_parallel, max_failures = limits
        callbacks = tuple(callbacks) if is_kind(callbacks, Iterable) else callbacks
        _check(objective, callbacks, *limits)
        if executor is not None and study.relaxes:
            raise wrong_kind(
                "run",
                f"no executor, as {type(study.searcher).__name__} relaxes, which needs the weights of this process",
                executor,
                "Leave it out, or search with one that samples paths, such as FairSampling.",
            )
        self.study, self.objective = study, objective
        self.limit_s: float | None = trial_timeout
        self.callbacks = callbacks
        self.failures = Failures(max_failures)
        self.shown, self.next_shown, self.looks_at = progress, 0.0, 0.0
        self.most = study.begin_run(trials)
        self.ending: str | None = None
        self.ends_at = None if timeout is None else time.monotonic() + timeout
        self.executor = as_executor(executor)
        self.own = self.executor is not executor  # made here of a number, and so ended here
        self.n_parallel = max_parallel or (1 if self.executor is None else n_parallel(self.executor))
        self.out: dict[Future[dict[str, Any]], _Out] = {}
        self.by_number: dict[int, _Out] = {}  # of those, for the threads that answer workers

    def finish(self) -> None:
        """Run until no trial is left."""
        total = None if self.most == sys.maxsize else self.most
        with Progress(total, self.study.directions, self.shown) as self.progress:
            try:
                self._run()
            except BaseException:
                with suppress(StudyError):  # what was raised tells more; others see to these once this process ends
                    self._let_go()
                    self._show(None)
                raise
            self._show(None)

    def _run(self) -> None:
        if self.executor is None:
            self._run_here()
            return
        try:
            self._run_there(self.executor)
        finally:
            if self.own:
                self.executor.shutdown(wait=not self.out, cancel_futures=True)

    # --- both ways -----------------------------------------------------------------------------------------------

    def _next(self) -> Trial | None:
        """Return the next trial to run; None where there is none now."""
        if self._begins_none():
            return None
        with self.study.bounded(self.most):
            trial, self.ending = self.study.ask(), self.study.ending
        if trial is not None:
            self.study.in_runs[trial.number] = self
        return trial

    def _begins_none(self) -> bool:
        return self.study.stopped or (self.ends_at is not None and time.monotonic() >= self.ends_at)

    def _is_over(self) -> bool:
        """Return whether nothing is left that could be run here, once our own trials are back."""
        if self._begins_none():
            return True
        counts = self.study.counts
        return not counts.get("running") and not counts.get("waiting") and self.ending is not None

    def _forget(self, trial: Trial) -> None:
        """Leave a trial that does not run here any more."""
        self.study.in_runs.pop(trial.number, None)
        self.by_number.pop(trial.number, None)

    def _ended(self, trial: Trial) -> None:
        """Tell of a trial that ended here."""
        self._forget(trial)
        self.failures.count(trial)
        self._show(trial)
        for callback in self.callbacks:
            callback(self.study, trial)
        self.failures.raise_if_many(self.study.name)

    def _show(self, trial: Trial | None) -> None:
        """Show how far it is after a trial, where that is not too soon; None after the last."""
        begun = time.monotonic()
        if self.shown is not False and (trial is None or begun >= self.next_shown):
            self.progress.update(self.study.counts, self.study.best_scores, trial)
            now = time.monotonic()
            self.next_shown = now + (now - begun) / _SHARE_SHOWN

    def _let_go(self) -> None:
        """Let the trials that run here be given out again."""
        for future, out in self.out.items():
            if not self._kill(out, future):
                future.cancel()
        trials = [trial for number, trial in self.study.here.items() if self.study.in_runs.get(number, self) is self]
        for trial in trials:
            self._forget(trial)
        if trials:
            self.study.release(trials)

    # --- in this process -----------------------------------------------------------------------------------------

    def _run_here(self) -> None:
        while True:
            trial = self._next()
            if trial is not None:
                evaluate(self.objective, trial, self.limit_s)
                if trial.number in self.study.here:  # it ended, and an error or a time limit kept that from being kept
                    self.study.ended(trial)
                self._ended(trial)
            elif self._is_over():
                return
            else:
                time.sleep(_POLL_S)

    # --- elsewhere -----------------------------------------------------------------------------------------------

    def _run_there(self, executor: Executor) -> None:
        is_program = isinstance(self.study.space.program.fn, Written)  # of recorded calls, which pickles whole
        if not is_program and not isinstance(executor, ThreadPoolExecutor):  # whose threads share this process
            check_named(self.study.space, "worker processes")
        if isinstance(executor, ProcessPool | ProcessPoolExecutor):
            _check_travels(self.objective)
        self.channel = Channel(self._answer, is_here(executor))
        try:
            while True:
                while len(self.out) < self.n_parallel and (trial := self._next()) is not None:
                    self._submit(trial)
                if not self.out and self._is_over():
                    return
                self._wait()
        finally:
            self.channel.close()

    def _submit(self, trial: Trial) -> None:
        study = self.study
        values = trial.architecture.to_json()
        folder = study.folder(trial.number)
        known = (trial.number, trial.budget, trial.continues, folder, study.n_objectives, self.limit_s)
        task = Task(study.space, values, *known, self.channel.address)
        executor: Any = self.executor
        out = self.by_number[trial.number] = _Out(trial)  # before it is sent, as it may begin at once
        try:
            future = executor.submit(run_task, self.objective, task)
        except BrokenProcessPool:
            future = self._renewed().submit(run_task, self.objective, task)
        self.out[future] = out

    def _wait(self) -> None:
        if not self.out:
            time.sleep(_POLL_S)
            return
        done, _ = wait(self.out, timeout=_POLL_S, return_when=FIRST_COMPLETED)
        for future in done:
            self._back(future, self.out.pop(future))
        self._stop_late()
        if isinstance(self.executor, ProcessPool) and time.monotonic() >= self.looks_at:
            self.looks_at = time.monotonic() + _LOOK_S
            self._notice_deaths()

    def _back(self, future: Future[dict[str, Any]], out: _Out) -> None:
        """Take in what came back of a trial."""
        trial = out.trial
        if out.outcome is not None:
            take_back(trial, out.outcome)
            self._ended(trial)
            return
        error = None if future.cancelled() else future.exception()
        died = future.cancelled() or isinstance(error, WorkerDied | BrokenProcessPool) or _is_death(error)
        if died and not out.killed:
            if isinstance(error, BrokenProcessPool) and out.begun is None:  # it never ran
                self._forget(trial)
                self.study.release([trial])
            else:
                self._lose(trial, str(error) or type(error).__name__)
            return
        if out.killed:
            trial.end("failed", error=_too_long(trial, self.limit_s, "was killed"))
        elif error is not None:  # the task could not be sent, or read there
            trial.fail(error)
        else:
            take_back(trial, future.result())
        self._ended(trial)

    def _lose(self, trial: Trial, why: str) -> None:
        """Take in that what ran a trial died."""
        self._forget(trial)
        failed = self.study.lose(trial, why)
        if failed is not None:
            self._ended(failed)

    def _renewed(self) -> Executor:
        """Return what takes the place of a pool that a worker broke as it died, which takes no more tasks."""
        new = renewed(self.executor)
        if new is None:
            raise StudyError(
                f"study {self.study.name!r}: its executor takes no more tasks, since a worker died.\n"
                f"  Got {self.executor!r}.\n  Use deep_arch.executors.ProcessPool, which survives its workers."
            )
        self.executor, self.own = new, True
        return new

    def _answer(self, message: Mapping[str, Any]) -> Any:
        """Answer a worker; called in a thread of its own."""
        out = self.by_number.get(message["number"])
        if out is None or out.trial.state != "running":
            return None
        with suppress(
            DeepArchError
        ):  # it ended meanwhile, or cannot be kept now; what is reported comes again at its end
            return self._answered(out, message)
        return None

    def _answered(self, out: _Out, message: Mapping[str, Any]) -> Any:
        call, trial = message["call"], out.trial
        if call == "begin":
            out.machine, out.process, out.begun = message["machine"], message["process"], time.monotonic()
            out.n_begun += 1  # some executors, such as Dask's, give a task that died out again by themselves
            return out.n_begun <= MOST_LOST and out.outcome is None
        if call == "end":
            out.outcome = message["outcome"]
        if call == "report":
            trial.report(message["score"], message["step"])
        elif call == "mark":
            for name, value in message["attributes"].items():
                trial.set_attribute(name, value)
        elif call == "stop":
            return trial.should_stop()
        return None

    # --- time limits ---------------------------------------------------------------------------------------------

    def _notice_deaths(self) -> None:
        """Take in workers that ended with exit code 0, of which Pebble does not tell."""
        for future, out in list(self.out.items()):
            if (
                out.process is None
                or out.process == os.getpid()
                or future.done()
                or not is_over(out.machine, out.process)
            ):
                out.gone = False
            elif not out.gone:
                out.gone = True  # and what came back may be on its way
            else:
                del self.out[future]
                self._kill(out, future)  # so that its executor waits for it no more
                if out.outcome is None:
                    self._lose(out.trial, f"process {out.process} ended")
                else:
                    self._back(future, out)

    def _stop_late(self) -> None:
        """Kill what did not stop at its limit by itself."""
        if self.limit_s is None:
            return
        late = time.monotonic() - self.limit_s - _GRACE_S
        for future, out in list(self.out.items()):
            if out.begun is not None and out.begun < late and not out.killed:
                out.killed = True
                if not self._kill(out, future):  # somewhere else, where it goes on; its result is not waited for
                    del self.out[future]
                    out.trial.end("failed", error=_too_long(out.trial, self.limit_s, "cannot be killed from here"))
                    self._ended(out.trial)

    def _kill(self, out: _Out, future: Future[Any] | None = None) -> bool:
        kill = getattr(self.executor, "kill", None)
        if kill is not None and future is not None:
            return bool(kill(future))
        if out.process in (None, os.getpid()) or out.machine != this_machine():
            return False
        try:
            os.kill(out.process, signal.SIGKILL)
        except OSError:
            return False
        return True


def _check_travels(objective: Objective) -> None:
    try:
        pickle.dumps(objective)
    except Exception as error:  # of whatever it holds
        raise BadArgument(
            f"run: expected an objective that worker processes can import.\n  Got {objective!r}: {error}.\n"
            "  Define it at the top level of a module, or of a script above `if __name__ == '__main__':`."
        ) from error


def _is_death(error: BaseException | None) -> bool:
    """Return whether an error of an executor tells that a worker died."""
    return type(error).__name__ in ("KilledWorker", "TerminatedWorkerError")  # of Dask, and of loky


def _too_long(trial: Trial, limit_s: float | None, then: str) -> str:
    return f"trial {trial.number}: took longer than {limit_s:g} s and did not stop; what ran it {then}."


def _check(
    objective: Any, callbacks: Any, trials: Any, timeout: Any, trial_timeout: Any, most: Any, fails: Any
) -> None:
    if not callable(objective):
        raise wrong_kind("run", "an objective, a function of a trial", objective, "Write study.run(train_and_score).")
    for name, count, least, say in (
        ("trials", trials, 0, 100),
        ("max_parallel", most, 1, 4),
        ("max_failures", fails, 1, 20),
    ):
        if (count is not None or name == "max_failures") and ((n := as_int(count)) is None or n < least):
            raise wrong_kind("run", f"{name} to be an int of at least {least}", count, f"Write {name}={say}.")
    for name, seconds in (("timeout", timeout), ("trial_timeout", trial_timeout)):
        if seconds is not None:
            check_seconds("run", name, seconds, f"Write {name}=3600.")
    if not is_kind(callbacks, Iterable) or not all(map(callable, callbacks)):
        raise wrong_kind("run", "callbacks to be functions of the study and a trial", callbacks, "Write [show].")
