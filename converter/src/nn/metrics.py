"""Prints the numbers in the test of metrics.rs: scikit-learn's metrics of predictions made by a rule.

    python3 -m venv ~/.cache/dunlin-sklearn && ~/.cache/dunlin-sklearn/bin/pip install scikit-learn==1.9.1
    ~/.cache/dunlin-sklearn/bin/python converter/src/nn/metrics.py
"""

import numpy as np
from sklearn import metrics

N, CLASSES = 60, 4
i, c = np.meshgrid(np.arange(N), np.arange(CLASSES), indexing="ij")
labels = (np.arange(N) * 7 % 11) % CLASSES
# Multiples of 1/32: some are equal.
scores = ((i * 37 + c * 101 + (c == labels[:, None]) * 9) % 32) / 32.0
named = scores.argmax(1)
questions = np.stack([labels == k for k in range(CLASSES)], 1)
answers = scores > 0.5


def show(name, values):
    print(name, [float(np.round(value, 12)) for value in values])


def macro(y_true, y_pred):
    return [f(y_true, y_pred, average="macro", zero_division=0) for f in (metrics.precision_score, metrics.recall_score, metrics.f1_score)]


top = (scores > scores[np.arange(N), labels][:, None]) | ((scores == scores[np.arange(N), labels][:, None]) & (c < labels[:, None]))
auc = np.mean([metrics.roc_auc_score(questions[:, k], scores[:, k]) for k in range(CLASSES)])
show("softmax", [metrics.accuracy_score(labels, named), np.mean(top.sum(1) < 2), *macro(labels, named), auc])
show("sigmoid", [metrics.accuracy_score(questions, answers), *macro(questions, answers), auc])
show("errors", [metrics.mean_absolute_error(questions, scores), metrics.mean_squared_error(questions, scores)])
print("confusion", metrics.confusion_matrix(labels, named).tolist())
