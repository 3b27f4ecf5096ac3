"""Programs: a search-space function with the fragments that it has unfolded to so far."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from deep_arch.errors import BadArgument, ScopeError, wrong_kind
from deep_arch.language import scope
from deep_arch.language.closing import check_closed
from deep_arch.language.domains import Domain
from deep_arch.language.fragment import Fragment, of_argument
from deep_arch.language.hyperparameters import Hyperparameter
from deep_arch.language.late_binding import bound, check_bound
from deep_arch.language.options import content_key
from deep_arch.language.values import Value

if TYPE_CHECKING:
    from deep_arch.language.modules import Module
    from deep_arch.language.substitution import Substitution


class Program:
    """A search-space function with the fragments that it has unfolded to so far.

    Attributes:
        rules, endings, offers, kinds, outward: what rules unfold to, whether that can end, which values are offered
            then, what calls compute, and how far out functions reach for what they use, remembered.

    Everything here only ever grows, and each expansion is built once under a lock, so threads can share it.
    """

    def __init__(self, fn: Callable[..., Any]) -> None:
        self.fn = fn
        self.input_names = _input_names(fn)
        self._variables = bound(fn, global_too=False)  # settings at the head of a program may come after its spaces
        self.rules: dict[Any, dict[Any, Fragment]] = {}
        self.endings: dict[tuple[Fragment, int, Any], bool] = {}
        self.offers: dict[tuple[Hyperparameter, Domain, int, Any], Domain] = {}
        self.kinds: dict[Any, Any] = {}
        self.outward: dict[Fragment, tuple[int, ...]] = {}
        self._lock = threading.RLock()
        self._root: Fragment | None = None
        self._building: Fragment | None = None
        self._adopted: dict[Hyperparameter, int] = {}
        self._adopted_modules: dict[Module, str] = {}

    @property
    def name(self) -> str:
        """The function's name."""
        return getattr(self.fn, "__name__", type(self.fn).__name__)

    def run(self, values: Sequence[Value]) -> Any:
        """Return what the function composes onto values.

        Raises:
            LateBinding: a variable that it uses was bound to something else since the space was made.
        """
        check_bound(self._variables, self.name)
        return self.fn(*values)

    @property
    def root(self) -> Fragment:
        """The fragment of the function itself, built on first use."""
        if self._root is not None:
            return self._root
        with self._lock:  # the thread that builds it comes here again, others wait
            return self._root or self._building or self._build_root()

    def _build_root(self) -> Fragment:
        root = self._building = Fragment(self, None, len(self.input_names), "", "")
        try:
            with scope.recording(root):
                root.finish(self.run([Value(root, i) for i in range(root.n_inputs)]))
        except BaseException:
            self._adopted.clear()
            self._adopted_modules.clear()
            raise
        finally:
            self._building = None
        self._root = root
        return root

    def expand(self, module: Substitution, values: tuple[Any, ...], n_inputs: int, address: str) -> Fragment:
        """Return what `module` unfolds to at `values`, running its function only the first time."""
        memory = module.expansions(n_inputs)
        key = expansion_key(values)
        with self._lock:
            fragment = memory.get(key)
            if fragment is None:
                arguments = {k: v for (k, _), v in zip(module.open_arguments, values, strict=True)}
                arguments = {**module.arguments, **arguments}
                label = module.label(arguments, address)
                fragment = Fragment(self, module.enclosing(self), n_inputs, label, address + label, module.lead)
                fragment.of_rule = module.deepens
                fragment.closed = module.closed or (fragment.parent is not None and fragment.parent.closed)
                try:
                    check_bound(module.variables, address)
                    with scope.recording(fragment):
                        fragment.finish(module.unfold([Value(fragment, i) for i in range(n_inputs)], **arguments))
                    if fragment.closed:
                        check_closed(fragment)
                except Exception as error:
                    _note(error, address, arguments)
                    raise
                memory[key] = fragment
        return fragment

    # Things made outside every search-space function belong to the outermost fragment.

    def adopt(self, hyperparameter: Hyperparameter, user: Fragment, default_name: str = "") -> int:
        """Return the root's slot of a hyperparameter that was made outside every search-space function."""
        slot = self._adopted.get(hyperparameter)
        if slot is None:
            name = hyperparameter.name or default_name
            if not name:
                raise _needs_name(user, repr(hyperparameter))
            if hyperparameter.name:
                self.root.claim(name, "a hyperparameter")
            slot = self._adopted[hyperparameter] = len(self.root.hyperparameters)
            self.root.hyperparameters.append(hyperparameter)
            self.root.suffixes.append(name)
        return slot

    def adopted_modules(self) -> list[tuple[Module, str]]:
        """Return the modules that were made outside every search-space function, with their names in the root."""
        return list(self._adopted_modules.items())

    def adopt_module(self, module: Module, user: Fragment) -> str:
        """Return the root's name of a module that was made outside every search-space function."""
        name = self._adopted_modules.get(module)
        if name is None:
            if module.explicit_name:
                name = module.base_name
                self.root.claim(name, "a module")
            elif user is self.root:
                name = user.free_name(module.base_name)
            else:
                raise _needs_name(user, repr(module))
            self._adopted_modules[module] = name
            for argument, hyperparameter in module.open_arguments:
                if hyperparameter.owner is None:
                    self.adopt(hyperparameter, user, of_argument(name, argument))
        return name


def _needs_name(user: Fragment, what: str) -> ScopeError:
    return ScopeError(
        f"{user.where()}: what is made outside the space's function and used inside a part of it needs a name.\n"
        f"  Got {what}.\n  Give it name=, or make it inside the space's function."
    )


def expansion_key(values: tuple[Any, ...]) -> Any:
    """Return what an expansion is remembered by: values and types, so that 1 and True differ."""
    return content_key(values[0]) if len(values) == 1 else tuple(map(content_key, values))


def _note(error: Exception, address: str, arguments: dict[str, Any]) -> None:
    add_note = getattr(error, "add_note", None)
    if add_note is not None:  # Python 3.11
        shown = ", ".join(f"{k}={v!r}" for k, v in arguments.items())
        add_note(f"while unfolding {address}{f' with {shown}' if shown else ''}")


def _input_names(fn: Callable[..., Any]) -> tuple[str, ...]:
    if not callable(fn) or isinstance(fn, Hyperparameter):
        raise BadArgument(
            f"space: a search space is a function that composes modules.\n  Got {fn!r} ({type(fn).__name__}).\n"
            "  Write `@da.space` above a function of the model's inputs."
        )
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    try:
        parameters = inspect.signature(fn).parameters.values()
    except (TypeError, ValueError) as error:
        raise wrong_kind(
            "space", "a function with a signature", fn, "Write a function of the model's inputs."
        ) from error
    for parameter in parameters:
        if parameter.kind not in kinds and parameter.default is inspect.Parameter.empty:
            raise BadArgument(
                f"{getattr(fn, '__name__', fn)}: the parameters of a space's function are its inputs, by name.\n"
                f"  Got {parameter}.\n  Give each input a parameter of its own."
            )
    return tuple([p.name for p in parameters if p.kind in kinds and p.default is inspect.Parameter.empty])
