"""Weights of the quality estimator.

Made by ``tools/labeling/fit_quality.py`` with its defaults: 120 hardened
ShapesVIS videos (seed 0, 8 frames of 192 x 320 pixels), ten sets of two to
five sources each. On 24 videos of seed 1 (0.05 for a change of the source):
mean IoU SHQM 0.698, estimator 0.788, oracle 0.813; correlation of predicted
and true IoU over all candidates 0.836. No real video took part.
"""

QUALITY_MODEL = dict(
    own=dict(
        fit=0.3019,
        tangent=0.0712,
        not_ellipse=0.0022,
        stable=0.154,
        edge=0.0448,
        contrast=0.0845,
        color_gap=0.159,
        histogram=0.2225,
        motion_contrast=0.2337,
        motion_gap=0.0497,
        mean_fit=0.1216,
        mean_tangent=0.1359,
        mean_not_ellipse=0.0825,
        mean_stable=0.0037,
        mean_color_gap=0.1426,
        mean_motion=0.1815,
        mean_motion_contrast=0.0356,
        mean_motion_gap=0.1564,
    ),
    own_bias=-0.8378,
    joint=dict(
        fit=0.1873,
        tangent=0.0477,
        stable=0.1267,
        edge=0.0814,
        contrast=0.1008,
        color_gap=0.1076,
        histogram=0.1296,
        motion=0.0159,
        motion_contrast=0.2073,
        motion_gap=0.0021,
        trusted=0.1768,
        explains=0.3197,
        alone=0.2262,
        mean_tangent=0.057,
        mean_not_ellipse=0.0416,
        mean_motion=0.1048,
        mean_motion_contrast=0.1468,
        mean_alone=0.1634,
    ),
    joint_bias=-0.9496,
    trust=8.0,
)
