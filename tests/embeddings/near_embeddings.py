"""The windows that tiny_training.FRONTEND takes, and how near their embeddings must be."""

import numpy as np

RATE, WINDOW = 16000, 0.2


def close(values, expected):
    np.testing.assert_allclose(values, expected, atol=2e-5)
