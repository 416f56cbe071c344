"""Registries of pmvis_mm: children of MMDetection's own nodes.

With mmdet's node as parent, plain names of both packages resolve under
``default_scope='pmvis_mm'``. mmdet's module stands first in ``locations``:
walking up to a parent does not import the parent's modules, so that without
it a name such as ``Resize`` would silently resolve to mmcv's class.
"""

from mmdet import registry as mmdet_registry
from mmengine.registry import Registry

__all__ = [
    'DATASETS',
    'DATA_SAMPLERS',
    'EVALUATOR',
    'HOOKS',
    'LOG_PROCESSORS',
    'LOOPS',
    'METRICS',
    'MODELS',
    'MODEL_WRAPPERS',
    'OPTIMIZERS',
    'OPTIM_WRAPPERS',
    'OPTIM_WRAPPER_CONSTRUCTORS',
    'PARAM_SCHEDULERS',
    'RUNNERS',
    'RUNNER_CONSTRUCTORS',
    'TASK_UTILS',
    'TRANSFORMS',
    'VISBACKENDS',
    'VISUALIZERS',
    'WEIGHT_INITIALIZERS',
]


def _child(name: str, *rooms: str) -> Registry:
    """Create our node below mmdet's node of the same name."""
    parent = getattr(mmdet_registry, name)
    locations = [
        f'{package}.{room}' for room in rooms for package in _PACKAGES
    ]
    return Registry(parent.name, parent=parent, locations=locations)


_PACKAGES = ('mmdet', 'pmvis_mm')

RUNNERS = _child('RUNNERS', 'engine')
RUNNER_CONSTRUCTORS = _child('RUNNER_CONSTRUCTORS', 'engine')
LOOPS = _child('LOOPS', 'engine')
HOOKS = _child('HOOKS', 'engine')
LOG_PROCESSORS = _child('LOG_PROCESSORS', 'engine')
OPTIMIZERS = _child('OPTIMIZERS', 'engine')
OPTIM_WRAPPERS = _child('OPTIM_WRAPPERS', 'engine')
OPTIM_WRAPPER_CONSTRUCTORS = _child('OPTIM_WRAPPER_CONSTRUCTORS', 'engine')
PARAM_SCHEDULERS = _child('PARAM_SCHEDULERS', 'engine')

DATASETS = _child('DATASETS', 'datasets')
DATA_SAMPLERS = _child('DATA_SAMPLERS', 'datasets')
TRANSFORMS = _child('TRANSFORMS', 'datasets')

MODELS = Registry(
    'model',
    parent=mmdet_registry.MODELS,
    locations=['mmdet.models', 'pmvis_mm.models', 'pmvis_mm.labeling.sources'],
)
MODEL_WRAPPERS = Registry(
    'model_wrapper',
    parent=mmdet_registry.MODEL_WRAPPERS,
    locations=['mmdet.models', 'pmvis_mm.engine'],
)
WEIGHT_INITIALIZERS = _child('WEIGHT_INITIALIZERS', 'models')
TASK_UTILS = Registry(
    mmdet_registry.TASK_UTILS.name,
    parent=mmdet_registry.TASK_UTILS,
    # The module, not the room, whose pure functions do without torch.
    locations=[
        'mmdet.models',
        'pmvis_mm.models',
        'pmvis_mm.labeling.selection.selectors',
    ],
)

METRICS = _child('METRICS', 'evaluation.metrics')
EVALUATOR = _child('EVALUATOR', 'evaluation')

VISUALIZERS = Registry(
    mmdet_registry.VISUALIZERS.name,
    parent=mmdet_registry.VISUALIZERS,
    # The module, not the room: overlays of the offline half do without the
    # compiled operations that mmdet.visualization needs.
    locations=[
        'mmdet.visualization',
        'pmvis_mm.visualization.local_visualizer',
    ],
)
VISBACKENDS = _child('VISBACKENDS', 'visualization')
