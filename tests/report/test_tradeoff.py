"""A trade-off: what nothing beats, and the picture of it."""

import io

import numpy as np

from disentone.report.tradeoff import Panel, Point, pareto, tradeoff


def test_the_pareto_front_is_what_nothing_beats():
    x = np.array([0.9, 0.5, 0.7, 0.9, 0.2])
    y = np.array([0.1, 0.8, 0.5, 0.3, 0.7])
    assert list(pareto(x, y)) == [3, 2, 1]
    for i in range(5):
        beaten = any(
            (x[j] >= x[i]) & (y[j] >= y[i]) & ((x[j], y[j]) != (x[i], y[i])) for j in range(5)
        )
        assert (i in pareto(x, y)) == (not beaten)


def test_a_trade_off_is_a_picture_with_a_panel_each():
    from matplotlib import image

    points = [Point(0.2 * i, 0.1 * i, f"p{i}", "ab"[i % 2]) for i in range(4)]
    panels = [
        Panel("left", "x", "y", points, line=0.3, line_label="base"),
        Panel("right", "x", "y", points, better=(1, -1)),
    ]
    picture = image.imread(io.BytesIO(tradeoff(panels)))
    assert picture.shape[1] > 1.5 * picture.shape[0]
    assert picture[..., :3].std() > 0.01
