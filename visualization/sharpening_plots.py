"""Plotting how relaxed decisions sharpen while a super-network is trained."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from typing import Any, Final, cast

from deep_arch.errors import wrong_kind
from deep_arch.language.options import content_key
from deep_arch.spaces.mixtures import Mixture
from deep_arch.studies.search import Search
from deep_arch.visualization import palette
from deep_arch.visualization.plan.wording import option_text
from deep_arch.visualization.plots import matplotlib_figure

MOST_PANELS: Final = 12
"""Decisions with a panel of their own; a page holds no more that can be read."""

_MOST_NAMED: Final = 6
_TITLE_LENGTH: Final = 34
_PANEL: Final = (3.1, 2.3)
"""Width and height of a panel, in inches."""


@dataclass(frozen=True, slots=True)
class DecisionCurve:
    """How one decision developed.

    Attributes:
        address: the decision's.
        values: all that it took, as texts, in the order in which they were met.
        steps: the positions in the history where it was met, counted from 1.
        weights: for each value its share at each of these steps; they sum to 1 at each.
        entropies: at each of these steps, from 0 where it is decided to 1 where all values weigh the same.
    """

    address: str
    values: tuple[str, ...]
    steps: tuple[int, ...]
    weights: tuple[tuple[float, ...], ...]
    entropies: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Sharpening:
    """What a plot of sharpening shows.

    Attributes:
        decisions: those that were relaxed at some step, as they were met.
        steps: the positions in the history where some of them was met, counted from 1.
        entropies: the mean over the decisions that were met there.
        others: the same for those beyond the first `MOST_PANELS` alone, by step; empty where there are no more.
    """

    decisions: tuple[DecisionCurve, ...]
    steps: tuple[int, ...]
    entropies: tuple[float, ...]
    others: Mapping[int, float]


def sharpening(history: Search | Iterable[Any]) -> Sharpening:
    """Return how the weights of relaxed decisions and their entropy developed.

    Args:
        history: a search; or for each step a mapping from address to `da.Mixture`, or to a value for what is decided
            there, or an object that has such as its `mixtures`, such as a trial.

    Raises:
        BadArgument: a step is neither.

    Example:
        >>> import deep_arch as da
        >>> found = sharpening([{"or.which": da.Mixture("ab", (0.5, 0.5))}, {"or.which": da.Mixture("ab", (1.0, 0.0))}])
        >>> found.decisions[0].weights, found.entropies
        (((0.5, 1.0), (0.5, 0.0)), (1.0, 0.0))
    """
    steps = [_mixtures(step, i) for i, step in enumerate(_listed(history), start=1)]
    relaxed = {address for step in steps for address, given in step.items() if isinstance(given, Mixture)}
    addresses = [address for address in dict.fromkeys(a for step in steps for a in step) if address in relaxed]
    decisions = tuple([_curve(address, steps) for address in addresses])
    means = _means(decisions)
    return Sharpening(decisions, tuple(means), tuple(means.values()), _means(decisions[MOST_PANELS:]))


def _listed(history: Any) -> Iterable[Any]:
    if isinstance(history, Search):
        return history.trials
    if isinstance(history, Mapping) or not hasattr(history, "__iter__"):
        raise wrong_kind(
            "plot_sharpening",
            "a sequence with a mapping from address to Mixture for each step",
            history,
            "Keep dict(trial.mixtures) of each trial in a list, and pass the list.",
        )
    return cast("Iterable[Any]", history)


def _mixtures(step: Any, position: int) -> Mapping[str, Any]:
    found = getattr(step, "mixtures", step)
    if not isinstance(found, Mapping):
        raise wrong_kind(
            f"plot_sharpening: step {position}",
            "a mapping from address to Mixture, or an object with such as its mixtures",
            step,
            "Keep dict(trial.mixtures) of each trial in a list, and pass the list.",
        )
    return cast("Mapping[str, Any]", found)


def _curve(address: str, steps: Sequence[Mapping[str, Any]]) -> DecisionCurve:
    met = {i: _shares(step[address]) for i, step in enumerate(steps, start=1) if address in step}
    values = {key: text for shares in met.values() for key, (text, _) in shares.items()}
    weights = [tuple([shares.get(key, ("", 0.0))[1] for shares in met.values()]) for key in values]
    n = max(len(shares) for shares in met.values())
    entropies = [_entropy([share for _, share in shares.values()], n) for shares in met.values()]
    return DecisionCurve(address, tuple(values.values()), tuple(met), tuple(weights), tuple(entropies))


def _shares(given: Any) -> dict[Any, tuple[str, float]]:
    """Return the text of each value with its share of the weight."""
    mixture = given if isinstance(given, Mixture) else Mixture((given,), (1.0,))
    numbers = mixture.numbers
    total = sum(numbers) or 1.0
    pairs = zip(mixture.values, numbers, strict=True)
    return {content_key(value): (option_text(value, {}), number / total) for value, number in pairs}


def _entropy(shares: Iterable[float], n: int) -> float:
    """Return the entropy of some shares, over that of `n` equal ones."""
    if n < 2:
        return 0.0
    return max(0.0, -sum([share * math.log(share) for share in shares if share > 0]) / math.log(n))


def _means(decisions: Iterable[DecisionCurve]) -> dict[int, float]:
    """Return the mean entropy at each step where some decision was met."""
    found: dict[int, list[float]] = {}
    for decision in decisions:
        for step, entropy in zip(decision.steps, decision.entropies, strict=True):
            found.setdefault(step, []).append(entropy)
    return {step: sum(found[step]) / len(found[step]) for step in sorted(found)}


def plot_sharpening(history: Search | Iterable[Any], path: str | PathLike[str] | None = None) -> Any:
    """Plot how the weights of relaxed decisions develop, and return the matplotlib figure.

    A panel for each of the first dozen decisions has a line for each value; the last one shows the mean entropy of all
    decisions, from 1 where all values weigh the same to 0 where one has all the weight.

    Args:
        history: see `sharpening`.
        path: a file to save the plot to, in the format that its ending says.

    Raises:
        BadArgument: a step of the history is no mapping, and has none.
        MissingDependency: matplotlib is not installed.
    """
    figure = _draw(sharpening(history))
    if path is not None:
        figure.savefig(path)
    return figure


def _draw(found: Sharpening) -> Any:
    shown = found.decisions[:MOST_PANELS]
    n_panels = len(shown) + 1
    n_columns = min(4, math.ceil(math.sqrt(n_panels)))
    n_rows = math.ceil(n_panels / n_columns)
    size = (max(_PANEL[0] * n_columns, 4.6), max(_PANEL[1] * n_rows, 3.0))
    figure = matplotlib_figure().Figure(figsize=size, layout="constrained")
    for i in range(n_panels):
        axes = figure.add_subplot(n_rows, n_columns, i + 1)
        _frame(axes, found, is_lowest=i + n_columns >= n_panels, is_first=i % n_columns == 0)
        if i < len(shown):
            _draw_decision(axes, shown[i])
        else:
            _draw_entropy(axes, found)
    return figure


def _frame(axes: Any, found: Sharpening, is_lowest: bool, is_first: bool) -> None:
    axes.set_ylim(-0.03, 1.03)
    if found.steps:
        axes.set_xlim(found.steps[0] - 0.5, found.steps[-1] + 0.5)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(palette.EMPTY[1])
    axes.tick_params(labelsize=7, color=palette.EMPTY[1], labelcolor=palette.MUTED)
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.set_yticks([0, 0.5, 1])
    axes.grid(axis="y", color=palette.IDLE_BAR[1], linewidth=0.6)
    axes.set_axisbelow(True)
    if is_lowest:
        axes.set_xlabel("step", fontsize=8, color=palette.MUTED)
    if is_first:
        axes.set_ylabel("weight", fontsize=8, color=palette.MUTED)


def _draw_decision(axes: Any, decision: DecisionCurve) -> None:
    axes.set_title(_title(decision.address), fontsize=8, loc="left", color=palette.INK, fontweight="bold")
    heaviest = sorted(range(len(decision.values)), key=lambda i: -decision.weights[i][-1])
    named = {*heaviest[:_MOST_NAMED]}
    for i, value in enumerate(decision.values):
        colour, style = palette.tie_colour(i), _STYLES[i // len(palette.TIES) % len(_STYLES)]
        how = {"color": colour, "linestyle": style, "label": value} if i in named else {"color": palette.EMPTY[1]}
        width = 2.2 if i == heaviest[0] else 1.2
        axes.plot(decision.steps, decision.weights[i], linewidth=width, zorder=3 if i == heaviest[0] else 2, **how)
    legend = axes.legend(frameon=False, fontsize=7, handlelength=1.4, labelspacing=0.2, borderpad=0.1, loc="best")
    for text in legend.get_texts():
        text.set_color(palette.INK)


_STYLES: Final = ("-", "--", ":", "-.")


def _draw_entropy(axes: Any, found: Sharpening) -> None:
    axes.set_title("mean entropy", fontsize=8, loc="left", color=palette.INK, fontweight="bold")
    axes.set_ylabel("")
    n, others = len(found.decisions), found.others
    axes.fill_between(found.steps, found.entropies, color=palette.BAR[1], alpha=0.6, linewidth=0)
    axes.plot(found.steps, found.entropies, color=palette.FLOW, linewidth=2.2, label=f"all {n} decisions")
    if others:
        label = f"the {n - MOST_PANELS} not shown"
        axes.plot([*others], [*others.values()], color=palette.INK, linewidth=1.2, linestyle="--", label=label)
    axes.legend(frameon=False, fontsize=7, handlelength=1.4, borderpad=0.1, loc="best")


def _title(address: str) -> str:
    return address if len(address) <= _TITLE_LENGTH else "…" + address[1 - _TITLE_LENGTH :]
