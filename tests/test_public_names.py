"""The names that users have, all of them: a change of these is a change of the library."""

from __future__ import annotations

import types

import pytest

import deep_arch
from deep_arch import analysis, executors, searchers, storage, visualization

NAMES = """
Architecture ChoicePoint Cost DeepArchError Domain FinishedTrial Graph Module Mixture Operation Search SearchSpace
SearchWarning Searcher Spec Trial Value Values Weight boolean build channels check choice config dense_block
dependent errors image integer map_ optional or_ parse permutation permute real rebind repeat residual resolve rule
scan search sequence sequential shape space split_combine subset substitute symbolize tensor text tokens vector wrap
"""

LATE = ["Study", "open_study", "study_names"]
"""Names that are read when they are used."""

SEARCHERS = """
AsynchronousHalving BOHB BestFirstSearch BottomUp DARTS DPads DistinctPrograms EarlyStopping EnumerationByCost
FairSampling Feasible FinishedTrial GDAS GeneticAlgorithm GridSearch Growth GumbelMasking Hyperband InterpolatedWidths
LocalSearch MonteCarloTreeSearch Move NSGA2 NoRepeats OptunaSearcher Origin Partitioned ProximalPolicy RandomSearch
RegularizedEvolution Reinforce SETN Sandwich Searcher Stage SuccessiveHalving SurrogateSearch Swap WarmStart
WidestFirst cross_branches cross_subtrees cross_uniformly halving_rule median_rule mutate_each mutate_one
mutate_subtree suggest within
"""

MEMBERS = {
    deep_arch.SearchSpace: """
        at at_hole choice_points complete decidable decide decoded discretize domains enumerate fix inputs limit name
        neighbours no_such_address nth outside partial proposed render replay sample size start summary unfold where
        without written
    """,
    deep_arch.Architecture: """
        applications assign completed config cost fingerprint from_json graft graph holes is_specified render settled
        shapes structure subtree summary to_json to_networkx unassigned value_specs waiting
    """,
    deep_arch.Trial: """
        architecture config continues directory duration_s end fail holes mixtures report restored score set_attribute
        should_stop skip slopes tell values weigh written
    """,
    deep_arch.Search: """
        advises_stop ask batches best ended enqueue folder front marked n_objectives relaxes reported results trials
        weighed
    """,
    deep_arch.Study: """
        advises_stop ask batches begin_run best best_architectures best_scores bounded close counts ended enqueue
        export_optuna folder front here lose marked n_objectives note notes relaxes release reported results run
        state stop stopped to_dataframe to_jsonl trials weighed
    """,
    deep_arch.Searcher: """
        ask budget choose decode decode_trial encode encode_trial load_state_dict n_objectives propose relaxed
        should_stop start state_dict tell weigh
    """,
    storage.Storage: """
        about beat begin best change close counts keep mark names now remove row rows scores shown turn worker
    """,
    storage.Turn: """
        claim end events first give latest n_queued n_seen owner queue release running save saved saw take waiting
    """,
    deep_arch.Graph: "config edges groups inputs n_values output_names outputs_are_named sources",
}

STORAGE = "End MemoryStorage RowState SqlStorage Storage TrialRow Turn WorkerRow open_storage"
ANALYSIS = ["best_so_far", "compare", "frame", "hypervolume", "importance", "pareto_front", "regret"]
EXECUTORS = ["ProcessPool", "RayExecutor"]
VISUALIZATION = """
mimebundle plot_scores plot_sharpening render render_changes render_steps render_supernet score_curve sharpening
"""


def names(module: types.ModuleType) -> list[str]:
    """Return the public names of a module that are no modules of its package."""
    values = {name: value for name, value in vars(module).items() if name[0] != "_" and name != "annotations"}
    return sorted(n for n, v in values.items() if n == "errors" or not isinstance(v, types.ModuleType))


def test_public_names() -> None:
    assert names(deep_arch) == sorted(NAMES.split())
    assert [getattr(deep_arch, name).__name__ for name in LATE] == LATE
    assert names(searchers) == sorted(SEARCHERS.split())
    assert names(analysis) == sorted(ANALYSIS)
    assert names(executors) == EXECUTORS
    assert names(storage) == STORAGE.split()
    assert names(visualization) == sorted(VISUALIZATION.split())


@pytest.mark.parametrize("kind", MEMBERS, ids=lambda kind: kind.__name__)
def test_public_members(kind: type[object]) -> None:
    assert sorted(name for name in dir(kind) if name[0] != "_") == sorted(MEMBERS[kind].split())
