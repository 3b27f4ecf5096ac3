"""What a search found, as tables of pandas: trials, progress, fronts, and which hyperparameters matter.

Import it by its name, `from deep_arch import analysis`. Every function takes a search, or trials in any sequence, in
the user's own scores: nothing is turned upside down. Directions are those of the search unless given; trials alone
are maximised. Tables are indexed by the number of the trial.
"""

from deep_arch.analysis.tables import best_so_far as best_so_far
from deep_arch.analysis.tables import compare as compare
from deep_arch.analysis.tables import frame as frame
from deep_arch.analysis.tables import hypervolume as hypervolume
from deep_arch.analysis.tables import importance as importance
from deep_arch.analysis.tables import pareto_front as pareto_front
from deep_arch.analysis.tables import regret as regret
