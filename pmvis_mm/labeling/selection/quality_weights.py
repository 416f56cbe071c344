"""Weights of the quality estimator.

Made by ``tools/labeling/fit_quality.py`` with its defaults: 120 hardened
ShapesVIS videos (seed 0, 8 frames of 192 x 320 pixels), ten sets of two to
five sources each. On 24 videos of seed 1 (0.05 for a change of the source):
mean IoU SHQM 0.698, estimator 0.787, oracle 0.813; correlation of predicted
and true IoU over all candidates 0.839. No real video took part in the fit;
DAVIS videos were looked at in choosing ``WINDOW`` and the caps of the colour
cues.
"""

QUALITY_MODEL = dict(
    own=dict(
        fit=0.2835,
        tangent=0.0509,
        stable=0.1534,
        edge=0.0608,
        contrast=0.102,
        color_gap=0.0873,
        histogram=0.2985,
        motion_contrast=0.2141,
        motion_gap=0.0467,
        mean_fit=0.1296,
        mean_tangent=0.1514,
        mean_not_ellipse=0.0849,
        mean_stable=0.0065,
        mean_color_gap=0.1993,
        mean_motion=0.1613,
        mean_motion_contrast=0.0666,
        mean_motion_gap=0.1746,
    ),
    own_bias=-0.8941,
    joint=dict(
        fit=0.1666,
        tangent=0.0342,
        stable=0.099,
        edge=0.0447,
        contrast=0.1098,
        color_gap=0.0549,
        histogram=0.1741,
        motion=0.0056,
        motion_contrast=0.1602,
        trusted=0.1707,
        explains=0.359,
        alone=0.2002,
        mean_tangent=0.0685,
        mean_not_ellipse=0.0413,
        mean_stable=0.0315,
        mean_edge=0.0774,
        mean_color_gap=0.0662,
        mean_motion=0.1051,
        mean_motion_contrast=0.2075,
        mean_alone=0.2074,
    ),
    joint_bias=-1.0685,
    trust=8.0,
)
