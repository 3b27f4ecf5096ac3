"""Search recurrent cells on text, beside LSTM, GRU and a plain cell of the same size; 2 minutes on one core.

    OMP_NUM_THREADS=1 python examples/recurrent_cells.py --output cells

A cell is a body of `da.scan`. The searched one has nodes that each read the character and the state or an earlier node,
and are a function of them, that mixed with the state by a gate, or what they read through a gate. There is a space for
each width, and values mean the same cell in all: so each cell gets the width at which it has a given number of
parameters, which `cost` knows without a framework. All are searched, trained and measured by the same lines; of those
written by hand, the learning rate is searched. The text is Python's language reference, which comes with Python.

Some searches find a GRU: a gated node of the state, and one of that node mixed with the state. What they find is level
with it, and ahead of the others. A node that nothing needs costs nothing, and no search looks at its choices.
`best.svg` shows the way from the end of a step back to its beginning as a dashed line.

References:
    Pham, Guan, Zoph, Le and Dean, Efficient neural architecture search via parameter sharing (ICML 2018), section 2.1.
    Zilly, Srivastava, Koutnik and Schmidhuber, Recurrent highway networks (ICML 2017).
"""

from __future__ import annotations

import argparse
import collections
import math
import statistics
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from pydoc_data.topics import topics
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

import deep_arch as da
from deep_arch import ops
from deep_arch.backends import torch_backend
from deep_arch.searchers import GridSearch, SuccessiveHalving

N_CHARACTERS, LENGTH, BATCH = 64, 32, 32
INPUT = da.tokens(LENGTH, vocabulary=N_CHARACTERS)
N_NODES = 4
RATES = [0.01, 0.02, 0.04]
WORST = math.log2(N_CHARACTERS)
"""Bits per character of a guess, also for what diverges."""
ACTIVATIONS = {"tanh": ops.Tanh, "relu": ops.ReLU, "sigmoid": ops.Sigmoid, "identity": ops.Identity}

Values = Mapping[str, Any]
Cell = Callable[..., Any]


# --- cells: from (states, a character) to (new states, what is read off) ----------------------------------------------


def searched(units: int) -> Cell:
    """Return a cell that is searched: each node reads the character, and the state or an earlier node."""

    def plain(both: Any, source: Any, h: Any) -> Any:
        return da.or_(ACTIVATIONS, name="f")(ops.Dense(units)(both))

    def mixed(both: Any, source: Any, h: Any) -> Any:
        gate, new = ops.Split(2)(ops.Dense(2 * units)(both))
        return ops.Where()(gate, da.or_(ACTIVATIONS, name="f")(new), h)

    def gated(both: Any, source: Any, h: Any) -> Any:
        return ops.Multiply()(ops.Sigmoid()(ops.Dense(units)(both)), source)

    def cell(h: Any, x: Any) -> Any:
        nodes: dict[str, Any] = {"state": h}
        for i in range(1, N_NODES + 1):
            sources = {name: _nth(j) for j, name in enumerate(nodes)}
            source = da.or_(sources, name=f"from_{i}")(*nodes.values())
            node = da.or_({"plain": plain, "mixed": mixed, "gated": gated}, name=f"node_{i}")
            nodes[f"node_{i}"] = node(ops.Concatenate()(x, source), source, h)
        new = da.or_({"last": _nth(-1), "mean": ops.Average}, name="out")(*list(nodes.values())[1:])
        return new, new

    return cell


def _nth(i: int) -> Callable[..., Any]:
    return lambda *values: values[i]


def plain_cell(units: int) -> Cell:
    def cell(h: Any, x: Any) -> Any:
        h = ops.Tanh()(ops.Dense(units)(ops.Concatenate()(x, h)))
        return h, h

    return cell


def gru_cell(units: int) -> Cell:
    def cell(h: Any, x: Any) -> Any:
        update, reset = ops.Split(2)(ops.Dense(2 * units)(ops.Concatenate()(x, h)))
        new = ops.Tanh()(ops.Dense(units)(ops.Concatenate()(x, ops.Multiply()(ops.Sigmoid()(reset), h))))
        h = ops.Where()(update, new, h)
        return h, h

    return cell


class Remembering(ops.Sigmoid):
    """A sigmoid that is open at first (Jozefowicz, Zaremba and Sutskever, ICML 2015)."""

    def to_torch(self, emit: Any, specs: Any, x: Any) -> Any:
        return emit.function(torch.sigmoid, emit.function(torch.add, x, 1.0))


def lstm_cell(units: int) -> Cell:
    def cell(h: Any, c: Any, x: Any) -> Any:
        keep, add, give, new = ops.Split(4)(ops.Dense(4 * units)(ops.Concatenate()(x, h)))
        kept = ops.Multiply()(Remembering()(keep), c)
        c = ops.Add()(kept, ops.Multiply()(ops.Sigmoid()(add), ops.Tanh()(new)))
        h = ops.Multiply()(ops.Sigmoid()(give), ops.Tanh()(c))
        return h, c, h

    return cell


class Kind(NamedTuple):
    """Cells of one kind, by their width, and how many states they hand on."""

    cell: Callable[[int], Cell]
    carry: int = 1

    def space(self, units: int) -> da.SearchSpace:
        """Return the space of models that read text with such a cell, and guess each next character."""

        @da.space
        def reader(text: Any) -> Any:
            da.config(learning_rate=da.choice(RATES))
            x = ops.Embedding(N_CHARACTERS, 16)(text)
            first = [ops.Zeros(units)(x) for _ in range(self.carry)]
            given = da.scan(self.cell(units), self.carry, name="cell")(*first, x)
            return ops.Dense(N_CHARACTERS, name="guess")(given[self.carry])

        return reader

    def of_size(self, values: Values, n_parameters: int) -> da.Architecture:
        """Return the widest model at some values that has at most so many parameters."""
        low, high = 1, n_parameters
        while low < high:
            units = (low + high + 1) // 2
            fits = self.space(units).at(values).cost(INPUT).parameters <= n_parameters
            low, high = (units, high) if fits else (low, units - 1)
        return self.space(low).at(values)


SEARCHED = Kind(searched)
WRITTEN = {"plain": Kind(plain_cell), "GRU": Kind(gru_cell), "LSTM": Kind(lstm_cell, carry=2)}


# --- text -------------------------------------------------------------------------------------------------------------


class Text(NamedTuple):
    """Numbers of characters, one after another: most for training, then for validation and for the test."""

    training: Tensor
    validation: Tensor
    test: Tensor


def language_reference() -> Text:
    """Return the reference of Python's language, each paragraph once; rare characters are one."""
    paragraphs = dict.fromkeys(" ".join(part.split()) for topic in topics.values() for part in topic.split("\n\n"))
    text = "\n".join(paragraphs)
    frequent = [character for character, _ in collections.Counter(text).most_common(N_CHARACTERS - 1)]
    numbers = collections.defaultdict(lambda: N_CHARACTERS - 1, {c: i for i, c in enumerate(frequent)})
    whole, a_tenth = torch.tensor([numbers[character] for character in text]), len(text) // 10
    return Text(whole[: -2 * a_tenth], whole[-2 * a_tenth : -a_tenth], whole[-a_tenth:])


# --- training ---------------------------------------------------------------------------------------------------------


def bits(model: nn.Module, text: Tensor, starts: Tensor, first: int = 0) -> Tensor:
    """Return bits per character in windows of a text, of those that come after the `first` of each."""
    windows = text[starts[:, None] + torch.arange(LENGTH + 1)]
    guesses = model(windows[:, :-1])[..., first:]
    return functional.cross_entropy(guesses, windows[:, 1 + first :]) / math.log(2)


def trained(architecture: da.Architecture, text: Tensor, n_steps: int, seed: int) -> nn.Module:
    """Return a model that was trained on a text, with a learning rate that falls to zero."""
    model, generator = torch_backend.build(architecture, INPUT, seed=seed), torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(model.parameters(), lr=architecture.config["learning_rate"])
    falling = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, n_steps)
    for _ in range(n_steps):
        starts = torch.randint(len(text) - LENGTH, (BATCH,), generator=generator)
        optimizer.zero_grad()
        bits(model, text, starts).backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        falling.step()
    return model.eval()


@torch.no_grad()
def measured(model: nn.Module, text: Tensor) -> float:
    """Return bits per character over a text, each guessed after at least half a window."""
    starts = torch.arange(0, len(text) - LENGTH, LENGTH // 2)
    return float(bits(model, text, starts, LENGTH // 2))


# --- the search -------------------------------------------------------------------------------------------------------


class Means(NamedTuple):
    """How much is spent: parameters of a model, and steps of training; and from which seed on, of how many."""

    n_parameters: int
    n_steps: int
    n_seeds: int
    seed: int


def search(kind: Kind, searcher: da.Searcher, n_trials: int, text: Text, means: Means) -> da.Architecture:
    """Search the cells of a kind and the learning rate, by bits per character on validation.

    What is trained longest is trained from two seeds, of which the worse counts: some cells diverge now and then.
    """
    found = da.search(kind.space(8), searcher, trials=n_trials, seed=means.seed)
    for trial in found:
        n_steps = int(trial.budget or means.n_steps)
        seeds = range(means.seed, means.seed + (2 if n_steps == means.n_steps else 1))
        architecture = kind.of_size(trial.values, means.n_parameters)
        models = [trained(architecture, text.training, n_steps, seed) for seed in seeds]
        trial.tell(-max(min(WORST, measured(model, text.validation)) for model in models))
    return kind.of_size(found.best.values, means.n_parameters)


def row(name: str, architecture: da.Architecture, text: Text, means: Means) -> str:
    """Train a cell from new seeds, and return its line of the table: the mean and deviation of bits per character."""
    seeds = range(means.seed + 2, means.seed + 2 + means.n_seeds)
    models = [trained(architecture, text.training, means.n_steps, seed) for seed in seeds]
    parts = [[measured(model, part) for model in models] for part in (text.validation, text.test)]
    said = "".join(f"{statistics.mean(part):12.3f} ± {statistics.pstdev(part):.3f}" for part in parts)
    (units,) = architecture.shapes(INPUT)["zeros"]
    rate = architecture.config["learning_rate"]
    return f"{name:9}{units:6}{architecture.cost(INPUT).parameters:12,}{rate:7}{said}"


def described(values: Values) -> str:
    """Return a line for each node that a cell needs."""
    lines: list[str] = []
    for i in range(1, N_NODES + 1):
        if (source := values.get(f"cell/from_{i}.which")) is not None:
            kind = values[f"cell/node_{i}.which"]
            function = values.get(f"cell/node_{i}[{kind}]/f.which", "sigmoid")
            lines.append(f"  node_{i}: {kind}, {function} of {source}")
    return "\n".join([*lines, f"  new state: {values['cell/out.which']}"])


def main() -> None:
    """Search, compare and draw."""
    parser = argparse.ArgumentParser(description="Search recurrent cells on text.")
    parser.add_argument("--trials", type=int, default=39, help="of the search (39)")
    parser.add_argument("--steps", type=int, default=540, help="of the longest training (540)")
    parser.add_argument("--parameters", type=int, default=20_000, help="of each model, at most (20,000)")
    parser.add_argument("--seeds", type=int, default=3, help="of the comparison (3)")
    parser.add_argument("--seed", type=int, default=0, help="of the search (0)")
    parser.add_argument("--output", type=Path, help="a folder for pictures")
    options = parser.parse_args()
    torch.set_num_threads(1)
    text, means = language_reference(), Means(options.parameters, options.steps, options.seeds, options.seed)
    start = time.process_time()
    halving = SuccessiveHalving(max(1, means.n_steps // 9), means.n_steps)
    best = search(SEARCHED, halving, options.trials, text, means)
    found_s = time.process_time() - start
    print(f"{SEARCHED.space(8).size():,} cells; of {options.trials} trials in {found_s:.0f} CPU seconds the best is")
    print(described(best.values))
    print("Bits per character, mean ± deviation over seeds:")
    print(f"{'cell':9}{'units':>6}{'parameters':>12}{'rate':>7}{'validation':>20}{'test':>20}", flush=True)
    for name, kind in WRITTEN.items():
        rated = search(kind, GridSearch(), len(RATES), text, means._replace(n_steps=means.n_steps // 3))
        print(row(name, rated, text, means), flush=True)
    print(row("searched", best, text, means))
    if options.output:
        options.output.mkdir(parents=True, exist_ok=True)
        SEARCHED.space(8).render(options.output / "space.svg")
        best.render(options.output / "best.svg")
        print(f"Pictures are in {options.output}/: best.svg, space.svg")


if __name__ == "__main__":
    main()
