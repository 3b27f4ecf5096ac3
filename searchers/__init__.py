"""Searchers: one file an algorithm. Each keeps the laws of `Searcher`."""

from __future__ import annotations

from typing import TYPE_CHECKING as _TYPE_CHECKING

from deep_arch.names import unknown_name as _unknown_name
from deep_arch.searchers.asynchronous_halving import AsynchronousHalving as AsynchronousHalving
from deep_arch.searchers.best_first_search import BestFirstSearch as BestFirstSearch
from deep_arch.searchers.bohb import BOHB as BOHB
from deep_arch.searchers.bottom_up import BottomUp as BottomUp
from deep_arch.searchers.bottom_up import DistinctPrograms as DistinctPrograms
from deep_arch.searchers.darts import DARTS as DARTS
from deep_arch.searchers.dpads import DPads as DPads
from deep_arch.searchers.dpads import Stage as Stage
from deep_arch.searchers.early_stopping import EarlyStopping as EarlyStopping
from deep_arch.searchers.early_stopping import halving_rule as halving_rule
from deep_arch.searchers.early_stopping import median_rule as median_rule
from deep_arch.searchers.enumeration_by_cost import EnumerationByCost as EnumerationByCost
from deep_arch.searchers.fair_sampling import FairSampling as FairSampling
from deep_arch.searchers.feasible import Feasible as Feasible
from deep_arch.searchers.feasible import within as within
from deep_arch.searchers.gdas import GDAS as GDAS
from deep_arch.searchers.genetic_algorithm import GeneticAlgorithm as GeneticAlgorithm
from deep_arch.searchers.grid_search import GridSearch as GridSearch
from deep_arch.searchers.growth import Growth as Growth
from deep_arch.searchers.gumbel_masking import GumbelMasking as GumbelMasking
from deep_arch.searchers.hyperband import Hyperband as Hyperband
from deep_arch.searchers.interpolated_widths import InterpolatedWidths as InterpolatedWidths
from deep_arch.searchers.local_search import LocalSearch as LocalSearch
from deep_arch.searchers.monte_carlo_tree_search import MonteCarloTreeSearch as MonteCarloTreeSearch
from deep_arch.searchers.no_repeats import NoRepeats as NoRepeats
from deep_arch.searchers.nsga2 import NSGA2 as NSGA2
from deep_arch.searchers.optuna_objective import suggest as suggest
from deep_arch.searchers.optuna_searcher import OptunaSearcher as OptunaSearcher
from deep_arch.searchers.partitioned import Partitioned as Partitioned
from deep_arch.searchers.parts.moves import Move as Move
from deep_arch.searchers.parts.moves import Origin as Origin
from deep_arch.searchers.parts.moves import Swap as Swap
from deep_arch.searchers.parts.mutation import cross_branches as cross_branches
from deep_arch.searchers.parts.mutation import cross_uniformly as cross_uniformly
from deep_arch.searchers.parts.mutation import mutate_each as mutate_each
from deep_arch.searchers.parts.mutation import mutate_one as mutate_one
from deep_arch.searchers.parts.subtrees import cross_subtrees as cross_subtrees
from deep_arch.searchers.parts.subtrees import mutate_subtree as mutate_subtree
from deep_arch.searchers.proximal_policy import ProximalPolicy as ProximalPolicy
from deep_arch.searchers.random_search import RandomSearch as RandomSearch
from deep_arch.searchers.regularized_evolution import RegularizedEvolution as RegularizedEvolution
from deep_arch.searchers.reinforce import Reinforce as Reinforce
from deep_arch.searchers.sandwich import Sandwich as Sandwich
from deep_arch.searchers.setn import SETN as SETN
from deep_arch.searchers.successive_halving import SuccessiveHalving as SuccessiveHalving
from deep_arch.searchers.surrogate_search import SurrogateSearch as SurrogateSearch
from deep_arch.searchers.warm_start import WarmStart as WarmStart
from deep_arch.searchers.widest_first import WidestFirst as WidestFirst
from deep_arch.studies.searcher import FinishedTrial as FinishedTrial
from deep_arch.studies.searcher import Searcher as Searcher

if not _TYPE_CHECKING:  # type checkers know which names there are

    def __getattr__(name: str) -> object:
        raise _unknown_name(__name__, name, globals())
