"""A modular, graph-based language for search spaces over architectures."""

from typing import TYPE_CHECKING as _TYPE_CHECKING

from deep_arch import errors as errors
from deep_arch.connections import dense_block as dense_block
from deep_arch.connections import residual as residual
from deep_arch.errors import DeepArchError as DeepArchError
from deep_arch.language.config import config as config
from deep_arch.language.domains import Domain as Domain
from deep_arch.language.formulas import channels as channels
from deep_arch.language.formulas import shape as shape
from deep_arch.language.making import boolean as boolean
from deep_arch.language.making import choice as choice
from deep_arch.language.making import dependent as dependent
from deep_arch.language.making import integer as integer
from deep_arch.language.making import permutation as permutation
from deep_arch.language.making import real as real
from deep_arch.language.making import subset as subset
from deep_arch.language.modules import Module as Module
from deep_arch.language.modules import Operation as Operation
from deep_arch.language.rules import rule as rule
from deep_arch.language.scans import map_ as map_
from deep_arch.language.scans import scan as scan
from deep_arch.language.specs import Spec as Spec
from deep_arch.language.specs import image as image
from deep_arch.language.specs import sequence as sequence
from deep_arch.language.specs import tensor as tensor
from deep_arch.language.specs import tokens as tokens
from deep_arch.language.specs import vector as vector
from deep_arch.language.substitutions import optional as optional
from deep_arch.language.substitutions import or_ as or_
from deep_arch.language.substitutions import permute as permute
from deep_arch.language.substitutions import repeat as repeat
from deep_arch.language.substitutions import sequential as sequential
from deep_arch.language.substitutions import split_combine as split_combine
from deep_arch.language.substitutions import substitute as substitute
from deep_arch.language.values import Value as Value
from deep_arch.language.weights import Weight as Weight
from deep_arch.language.wrapping import wrap as wrap
from deep_arch.measures.costs import Cost as Cost
from deep_arch.names import unknown_name as _unknown_name
from deep_arch.programs.parsing import parse as parse
from deep_arch.programs.writing import text as text
from deep_arch.spaces.architecture import Architecture as Architecture
from deep_arch.spaces.choice_points import ChoicePoint as ChoicePoint
from deep_arch.spaces.graph import Graph as Graph
from deep_arch.spaces.mixtures import Mixture as Mixture
from deep_arch.spaces.purity import check as check
from deep_arch.spaces.space import SearchSpace as SearchSpace
from deep_arch.spaces.space import space as space
from deep_arch.studies import rewards as rewards
from deep_arch.studies.search import Search as Search
from deep_arch.studies.search import SearchWarning as SearchWarning
from deep_arch.studies.search import Trial as Trial
from deep_arch.studies.search import search as search
from deep_arch.studies.searcher import FinishedTrial as FinishedTrial
from deep_arch.studies.searcher import Searcher as Searcher
from deep_arch.studies.searcher import Values as Values
from deep_arch.symbolic.building import build as build
from deep_arch.symbolic.building import resolve as resolve
from deep_arch.symbolic.paths import rebind as rebind
from deep_arch.symbolic.symbols import symbolize as symbolize

if _TYPE_CHECKING:
    from deep_arch.studies.study import Study as Study
    from deep_arch.studies.study import open_study as open_study
    from deep_arch.studies.study import study_names as study_names
else:  # type checkers know which names there are

    def __getattr__(name: str) -> object:
        if name in (
            "Study",
            "open_study",
            "study_names",
        ):  # read when they are used, since databases take long to import
            from deep_arch.studies import study

            return getattr(study, name)
        raise _unknown_name(__name__, name, globals())
