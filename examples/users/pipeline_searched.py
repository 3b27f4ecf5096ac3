"""Classify handwritten digits by a pipeline of scikit-learn; the argument is the seed."""

# mypy: ignore-errors

import sys

from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.model_selection import cross_val_score, train_test_split
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

import deep_arch as da
from deep_arch.searchers import SurrogateSearch

Pipeline, StandardScaler, PCA, SVC = map(da.symbolize, (Pipeline, StandardScaler, PCA, SVC))

seed = int(sys.argv[1]) if len(sys.argv) > 1 else 0
x, y = load_digits(return_X_y=True)
x, x_test, y, y_test = train_test_split(x, y, train_size=600, random_state=seed, stratify=y)

pipeline = Pipeline(
    [
        ("scale", da.choice(["passthrough", StandardScaler()])),
        ("reduce", PCA(n_components=da.integer(8, 40), random_state=seed)),
        ("classify", SVC(C=da.real(0.1, 100, log=True), gamma=da.real(1e-4, 1, log=True))),
    ]
)

search = da.search(pipeline, SurrogateSearch(), trials=30, seed=seed)
for trial in search:
    trial.tell(cross_val_score(da.build(trial), x, y, cv=3).mean())
pipeline = da.build(search.best)
print(f"validation accuracy {cross_val_score(pipeline, x, y, cv=3).mean():.4f}")
print(f"test accuracy {pipeline.fit(x, y).score(x_test, y_test):.4f}")
