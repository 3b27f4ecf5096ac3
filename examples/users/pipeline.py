"""Classify handwritten digits by a pipeline of scikit-learn; the argument is the seed."""

# mypy: ignore-errors

import sys

from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.model_selection import cross_val_score, train_test_split
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

seed = int(sys.argv[1]) if len(sys.argv) > 1 else 0
x, y = load_digits(return_X_y=True)
x, x_test, y, y_test = train_test_split(x, y, train_size=600, random_state=seed, stratify=y)

pipeline = Pipeline(
    [
        ("scale", StandardScaler()),
        ("reduce", PCA(n_components=16, random_state=seed)),
        ("classify", SVC(C=1.0, gamma="scale")),
    ]
)

print(f"validation accuracy {cross_val_score(pipeline, x, y, cv=3).mean():.4f}")
print(f"test accuracy {pipeline.fit(x, y).score(x_test, y_test):.4f}")
