"""Relaxed states: how the decisions of one are made, and what flows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from deep_arch.backends.torch_backend.mixing import Tensors
from deep_arch.backends.torch_backend.relaxed_values import Val, applied
from deep_arch.backends.torch_backend.wrapped import TorchModule
from deep_arch.errors import MissingValues, TrialError, ValueOutsideDomain
from deep_arch.language.domains import REJECTED, Domain
from deep_arch.language.hyperparameters import Independent
from deep_arch.language.options import same
from deep_arch.spaces.choice_points import ChoicePoint
from deep_arch.spaces.mixtures import Mixture
from deep_arch.supernets.expected_costs import ExpectedCost, Latency, expected_cost
from deep_arch.supernets.walking import Site, Walker

if TYPE_CHECKING:
    from deep_arch.backends.torch_backend.supernetwork import SuperNetwork

Weigh = Callable[[ChoicePoint], Mixture | None]


class Relaxation:
    """The decisions of a relaxed state, as a walk meets them.

    Args:
        supernet: what is relaxed.
        values: address to value or mixture.
        weigh: what gives a mixture for a decision that has none, or None.

    Attributes:
        mixtures: those that were met, by address.
        config: what `da.config` attached, after a run.
    """

    def __init__(self, supernet: SuperNetwork, values: Mapping[str, Any], weigh: Weigh | None) -> None:
        self._space, self._share = supernet.space, supernet.share
        self._values = {supernet.shared_address(address): value for address, value in values.items()}
        self._weigh = weigh
        self.mixtures: dict[str, Mixture] = {}
        self.config: dict[str, Any] = {}
        self._weights: dict[str, Tensor] = {}
        self._decided: dict[tuple[str, Domain], Any] = {}
        self._like = torch.empty(0)
        self.interpolated = False
        for address, fixed in supernet.space.restrictions.fixed.items():
            if address in values and weigh is None and not same(values[address], fixed):
                raise ValueOutsideDomain(
                    f"{address}: is fixed at {fixed!r} in this sub-space.\n  Got {values[address]!r}.\n"
                    "  Make the super-network of the whole space, or leave the value out."
                )
        for address, value in self._values.items():
            if isinstance(value, Mixture) and address not in supernet.decisions:
                raise supernet.space.no_such_address(address, supernet.decisions)

    def run(self, supernet: SuperNetwork, inputs: Sequence[Tensor]) -> list[Tensor]:
        """Return the outputs for these inputs."""
        like = next((p for p in supernet.parameters() if p.is_floating_point()), inputs[0])
        self._match(like)
        relaxation: Any = self
        algebra = Tensors(supernet, relaxation)
        walker = Walker(self._space, algebra, self._decide, supernet.plans, supernet.shared_address)
        found = walker.outputs([Val(tensor) for tensor in inputs])
        self.config = {name: _expectation(rows) for name, rows in walker.config.items()}
        return [applied(algebra.merged(value, "the outputs")) for value in found]

    def cost(self, supernet: SuperNetwork, latency: Latency | None) -> ExpectedCost:
        """Return what the architectures of this state cost on average."""
        self._match(next((p for p in supernet.parameters() if p.is_floating_point()), torch.zeros(())))
        return expected_cost(
            *(self._space, supernet.specs, self._values, latency, TorchModule.of, self._decide), share=self._share
        )

    def _match(self, like: Tensor) -> None:
        """Let weights be of the type and on the device of a tensor."""
        if (like.dtype, like.device) != (self._like.dtype, self._like.device):
            self._weights.clear()
            self._decided.clear()
        self._like = torch.empty(0, dtype=like.dtype, device=like.device)

    def _decide(self, hyperparameter: Independent, address: str, site: Site) -> Any:
        restrictions, domain = self._space.restrictions, hyperparameter.domain
        if restrictions.fixes(address, domain):
            return restrictions.fixed[address]
        offered = restrictions.offered(hyperparameter, site)
        key = address, offered
        if key not in self._decided:
            self._decided[key] = self._decision(hyperparameter, address, domain, offered, site.depth)
        return self._decided[key]

    def _decision(self, hyperparameter: Independent, address: str, domain: Domain, offered: Domain, depth: int) -> Any:
        decision = self._values.get(address)
        if self._weigh is not None:
            point = ChoicePoint(address, offered, hyperparameter.tag, self._values, depth)
            decision = self._weigh(point) or decision
        if decision is None:
            raise MissingValues(
                f"{address}: this relaxed state reaches it, and has no decision for it.\n  Got none.\n"
                "  Give it a value or a da.Mixture: every alternative of a mixture has decisions of its own."
            )
        if isinstance(decision, Mixture):
            return self._offered(decision, address, domain, offered)
        value = domain.accept(decision)
        if value is REJECTED:
            raise ValueOutsideDomain(
                f"{address}: {decision!r} is not {domain}.\n  Got {decision!r} ({type(decision).__name__}).\n"
                "  Give a value of the domain."
            )
        return value

    def _offered(self, mixture: Mixture, address: str, domain: Domain, offered: Domain) -> Mixture:
        """Return a mixture whose weights are tensors, over what is offered: it is renormalised where that is less."""
        for value in mixture.values:
            if domain.accept(value) is REJECTED:
                raise ValueOutsideDomain(
                    f"{address}: {value!r} is not {domain}.\n  Got {mixture!r}.\n"
                    "  Let a mixture have values of the decision's domain."
                )
        self.mixtures[address] = mixture
        self.interpolated = self.interpolated or mixture.interpolated
        weights = self._tensor(address, mixture)
        active = mixture.active
        if offered is not domain:
            active = tuple([i for i in active if offered.accept(mixture.values[i]) is not REJECTED])
        if not active or float(weights.detach()[list(active)].sum()) == 0.0:
            raise ValueOutsideDomain(
                f"{address}: none of the active values can be taken here.\n  Got {mixture!r}, where {offered} is "
                "offered.\n  Let the mixture be over what space.start() offers."
            )
        if len(active) < len(mixture.active):
            weights = weights / weights[list(active)].sum()
        scalars = weights.unbind()  # the same ones at each place, by which what they weigh is known again
        return Mixture(mixture.values, scalars, active)

    def _tensor(self, address: str, mixture: Mixture) -> Tensor:
        known = self._weights.get(address)
        if known is None:
            weights: Any = mixture.weights
            if isinstance(weights, Tensor):
                known = weights.to(self._like)
            elif any(isinstance(weight, Tensor) for weight in weights):
                known = torch.stack([torch.as_tensor(weight).to(self._like) for weight in weights])
            else:
                known = torch.tensor([float(weight) for weight in weights], dtype=self._like.dtype)
                known = known.to(self._like.device).requires_grad_()
            self._weights[address] = known
        return known

    def slopes(self, score: Tensor) -> dict[str, tuple[float, ...]]:
        """Return the slope of a score for each weight, by address."""
        check_scalar(score, "slopes", "score")
        found: Sequence[Tensor | None] = ()
        if self._weights:
            found = torch.autograd.grad(score, [*self._weights.values()], retain_graph=True, allow_unused=True)
        if all(slope is None for slope in found):
            raise _unrelated("slopes", "score", "one that depends on none of its mixtures")
        return {
            address: (0.0,) * len(weights) if slope is None else tuple(slope.tolist())
            for (address, weights), slope in zip(self._weights.items(), found, strict=True)
        }


def check_scalar(given: Any, asker: str, what: str) -> None:
    """Raise TrialError for what is not one number that was computed with a view."""
    if not isinstance(given, Tensor) or given.numel() != 1:
        got = f"a tensor of shape {tuple(given.shape)}" if isinstance(given, Tensor) else f"{type(given).__name__}"
        raise _unrelated(asker, what, got)
    if not given.requires_grad:
        raise _unrelated(asker, what, "one that depends on none of its mixtures or weights")


def _unrelated(asker: str, what: str, got: str) -> TrialError:
    return TrialError(
        f"{asker}: expected a {what} that was computed with this view, as a tensor of one number.\n  Got {got}.\n"
        "  Write model = supernet.at(trial); score = -loss(model(x), y); "
        "trial.tell(score, slopes=model.slopes(score))."
    )


def _expectation(rows: Sequence[tuple[Any, Any]]) -> Any:
    if len(rows) == 1 and rows[0][0] is None:
        return rows[0][1]
    if not all(isinstance(value, int | float) for _, value in rows):
        return Mixture(tuple([value for _, value in rows]), [weight for weight, _ in rows])
    return sum([weight * value for weight, value in rows])
