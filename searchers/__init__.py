"""Searchers: one file an algorithm. Each keeps the laws of `Searcher`."""

from __future__ import annotations

from deep_arch.searcher import FinishedTrial as FinishedTrial
from deep_arch.searcher import Searcher as Searcher
from deep_arch.searchers.genetic_algorithm import GeneticAlgorithm as GeneticAlgorithm
from deep_arch.searchers.nsga2 import NSGA2 as NSGA2
from deep_arch.searchers.random_search import RandomSearch as RandomSearch
from deep_arch.searchers.regularized_evolution import RegularizedEvolution as RegularizedEvolution
