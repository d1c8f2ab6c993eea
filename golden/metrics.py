"""Makes golden/metrics.json: statistics of small columns by scikit-learn, for the tests of Metrics.

    pip install numpy scipy scikit-learn && python golden/metrics.py > golden/metrics.json

Made with Python 3.11, numpy 2.4, scipy 1.17, scikit-learn 1.9.1. null stands where scikit-learn says that a statistic is not defined.
"""

import json
import warnings

import numpy as np
from scipy.optimize import minimize
from scipy.stats import rankdata
from sklearn.calibration import calibration_curve
from sklearn.metrics import average_precision_score, brier_score_loss, log_loss, roc_auc_score

warnings.simplefilter("ignore")
random = np.random.default_rng(2019)


def calibration_error(y, p, bins=10):
    share, mean = calibration_curve(y, p, n_bins=bins, strategy="uniform")
    counts = np.bincount(np.searchsorted(np.linspace(0, 1, bins + 1)[1:-1], p), minlength=bins)
    return float(np.sum(counts[counts > 0] * np.abs(share - mean)) / len(y))


def case(name, y, p):
    y, p = np.asarray(y), np.asarray(p, dtype=float)
    both = 0 < y.sum() < len(y)
    return {
        "name": name, "truth": y.tolist(), "predictions": p.tolist(),
        "log_loss": log_loss(y, np.clip(p, 1e-15, 1 - 1e-15), labels=[0, 1]),
        "log_loss_1e-5": log_loss(y, np.clip(p, 1e-5, 1 - 1e-5), labels=[0, 1]),
        "auc": roc_auc_score(y, p) if both else None,
        "average_precision": average_precision_score(y, p) if y.sum() else None,
        "brier": brier_score_loss(y, p, labels=[0, 1]),
        "calibration_error": calibration_error(y, p),
    }


def columns():
    y = (random.random(80) < 0.3).astype(int)
    p = np.clip(0.5 * y + 0.6 * random.random(80) - 0.1, 0, 1)
    yield case("random", y, p)
    yield case("rare", (random.random(120) < 0.03).astype(int), random.random(120) ** 6)
    yield case("ties", y, np.round(p, 1))
    yield case("bin edges", np.arange(22) % 2, np.repeat(np.linspace(0, 1, 11), 2))
    yield case("all equal", y, np.full(80, 0.25))
    yield case("negative only", np.zeros(30, int), random.random(30))
    yield case("positive only", np.ones(30, int), random.random(30))
    yield case("perfect", y, y.astype(float))
    yield case("inverted", y, 1.0 - y)
    yield case("one slice", [1], [0.7])
    yield case("tiny", y, p * 1e-9)


def fit():
    """The best weights of three blends by scipy, on the loss with `any` (the last of six columns) counted twice."""
    y = (random.random((60, 6)) < 0.3).astype(int)
    tables = [np.clip(0.15 * y + random.random((60, 6)) * s, 1e-6, 1 - 1e-6) for s in (0.5, 0.7, 0.8)]
    weight = np.array([1, 1, 1, 1, 1, 2]) / 7

    def loss(w):
        p = sum(a * t for a, t in zip(w, tables))
        return float((-(y * np.log(p) + (1 - y) * np.log1p(-p))).mean(axis=0) @ weight)

    best = minimize(loss, np.full(3, 1 / 3), method="SLSQP", bounds=[(0, 1)] * 3, tol=1e-15,
                    constraints={"type": "eq", "fun": lambda w: w.sum() - 1})
    return {"truth": y.ravel().tolist(), "tables": [t.ravel().tolist() for t in tables],
            "weights": best.x.tolist(), "loss": best.fun}


def main():
    values = [3.0, 1.0, 4.0, 1.5, 9.0, 2.6, 5.3]
    print(json.dumps({
        "columns": list(columns()), "fit": fit(),
        "percentiles": {"values": values, "low": float(np.percentile(values, 2.5)), "high": float(np.percentile(values, 97.5))},
        "rank_shares": {"values": [0.3, 0.1, 0.3, 0.9], "shares": (rankdata([0.3, 0.1, 0.3, 0.9]) / 4).tolist()},
    }))


main()
