"""The errors of deep_arch.

DeepArchError
├── InvalidDomain (ValueError)         a domain that is empty, repeats an option, or runs backwards
├── HyperparameterMisuse (TypeError)   a hyperparameter used as though it already had a value
│   └── NotKnownYet (AttributeError)   an attribute of what is not known while a space is written
├── DuplicateName (ValueError)         two things of one fragment with the same name
├── ScopeError (ValueError)            a value, module or hyperparameter used where it does not exist
├── LateBinding (ValueError)           a variable that changed before the function that uses it ran
├── ArityMismatch (TypeError)          a function that takes or gives another number of values
├── BadArgument (TypeError)            an argument of the wrong kind
├── UnreadableTerm (ValueError)        a text that is no program of its space
├── ValueOutsideDomain (ValueError)    a value that its hyperparameter cannot take
├── UnknownAddress (KeyError)          an address that the space does not have
├── UnknownName (AttributeError)       a name that a module of deep_arch does not have
├── UnreachedAddress (KeyError)        an address of the space that these values do not lead to
├── MissingValues (ValueError)         hyperparameters left without a value
├── AlreadyAssigned (ValueError)       a second value for one hyperparameter
├── NotAssignable (ValueError)         a value for a dependent hyperparameter
├── DependentFailed (ValueError)       a dependent hyperparameter whose function raised
├── NotSpecified (ValueError)          a partial architecture where a specified one is needed
├── NotCountable (ValueError)          a space too large or infinite for what was asked
├── TooDeep (RecursionError)           recursion beyond its space's limit, or without end
├── ImpureFunction (ValueError)        a function that gives another graph each time
├── ShapeMismatch (ValueError)         an operation that its inputs do not fit
├── NotSupported (TypeError)           an operation that a backend cannot lower
├── TrialError (RuntimeError)          a trial left without a result, or given two
├── StudyError (RuntimeError)          a study that cannot go on, or a storage that cannot be read or written
│   └── StudyUnreachable (ConnectionError) the same, where it may pass
├── WorkerDied (RuntimeError)          a process that ended while it ran a task
├── ExecutorError (RuntimeError)       an executor used where it cannot be
├── TimeLimit (TimeoutError)           a trial that took longer than it may
└── MissingDependency (ImportError)    a package or program that is not installed

A message says where (the address), what was expected, what arrived, and how to mend it.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any


class DeepArchError(Exception):
    """Base of every error that deep_arch raises."""

    def __str__(self) -> str:  # KeyError would show the repr of its argument
        return str(self.args[0]) if self.args else ""


class InvalidDomain(DeepArchError, ValueError):
    """A domain that is empty, repeats an option, or runs backwards."""


class HyperparameterMisuse(DeepArchError, TypeError):
    """A hyperparameter used as though it already had a value."""


class NotKnownYet(HyperparameterMisuse, AttributeError):
    """An attribute of a hyperparameter's value, or of a value's shape, which is not known while a space is written."""


class DuplicateName(DeepArchError, ValueError):
    """Two things of one fragment with the same name."""


class ScopeError(DeepArchError, ValueError):
    """A value, module or hyperparameter used where it does not exist."""


class LateBinding(DeepArchError, ValueError):
    """A variable that changed before the function that uses it ran, such as a loop's."""


class ArityMismatch(DeepArchError, TypeError):
    """A function that takes or gives another number of values than its place needs."""


class BadArgument(DeepArchError, TypeError):
    """An argument of the wrong kind."""


class UnreadableTerm(DeepArchError, ValueError):
    """A text that is no program of its space."""


class ValueOutsideDomain(DeepArchError, ValueError):
    """A value that its hyperparameter cannot take."""


class UnknownAddress(DeepArchError, KeyError):
    """An address that the space does not have."""


class UnknownName(DeepArchError, AttributeError):
    """A name that a module of deep_arch does not have."""


class UnreachedAddress(DeepArchError, KeyError):
    """An address of the space that these values do not lead to."""


class MissingValues(DeepArchError, ValueError):
    """Hyperparameters left without a value."""


class AlreadyAssigned(DeepArchError, ValueError):
    """A second value for one hyperparameter."""


class NotAssignable(DeepArchError, ValueError):
    """A value for a dependent hyperparameter."""


class DependentFailed(DeepArchError, ValueError):
    """A dependent hyperparameter whose function raised."""


class NotSpecified(DeepArchError, ValueError):
    """A partial architecture where a specified one is needed."""


class NotCountable(DeepArchError, ValueError):
    """A space too large or infinite for what was asked."""


class TooDeep(DeepArchError, RecursionError):
    """Recursion that goes on where its space's limit is reached."""


class ImpureFunction(DeepArchError, ValueError):
    """A function that gives another graph each time it runs."""


class ShapeMismatch(DeepArchError, ValueError):
    """An operation that its inputs do not fit."""


class NotSupported(DeepArchError, TypeError):
    """An operation that a backend cannot lower."""


class TrialError(DeepArchError, RuntimeError):
    """A trial left without a result, or given two."""


class StudyError(DeepArchError, RuntimeError):
    """A study that cannot go on, or a storage that cannot be read or written."""


class StudyUnreachable(StudyError, ConnectionError):
    """A storage that cannot be reached, which may pass."""


class WorkerDied(DeepArchError, RuntimeError):
    """A process that ended while it ran a task."""


class ExecutorError(DeepArchError, RuntimeError):
    """An executor used where it cannot be."""


class TimeLimit(DeepArchError, TimeoutError):
    """A trial that took longer than it may."""


class MissingDependency(DeepArchError, ImportError):
    """A package or program that is not installed."""


def is_kind(value: object, kind: Any) -> bool:
    """Return whether a value is what its annotation promises: what a user passes may be anything."""
    return isinstance(value, kind)


def wrong_kind(where: str, expected: str, got: object, mend: str) -> BadArgument:
    """Return the error for an argument of the wrong kind."""
    return BadArgument(f"{where}: expected {expected}.\n  Got {got!r} ({type(got).__name__}).\n  {mend}")


def nearest(name: object, names: Iterable[object]) -> str:
    """Return a sentence that offers the closest of `names`, or an empty string."""
    close = difflib.get_close_matches(str(name), [str(n) for n in names], n=3, cutoff=0.4)
    return f"  Did you mean {' or '.join(map(repr, close))}?" if close else ""
