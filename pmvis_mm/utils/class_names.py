"""Classes of the public video instance segmentation datasets and COCO."""

from typing import Dict, Tuple

YOUTUBE_VIS_2019_CLASSES = (
    'person', 'giant_panda', 'lizard', 'parrot', 'skateboard', 'sedan',
    'ape', 'dog', 'snake', 'monkey', 'hand', 'rabbit', 'duck', 'cat', 'cow',
    'fish', 'train', 'horse', 'turtle', 'bear', 'motorbike', 'giraffe',
    'leopard', 'fox', 'deer', 'owl', 'surfboard', 'airplane', 'truck',
    'zebra', 'tiger', 'elephant', 'snowboard', 'boat', 'shark', 'mouse',
    'frog', 'eagle', 'earless_seal', 'tennis_racket',
)  # fmt: skip

# YouTube-VIS 2022 adds longer validation videos to the same classes.
YOUTUBE_VIS_2021_CLASSES = (
    'airplane', 'bear', 'bird', 'boat', 'car', 'cat', 'cow', 'deer', 'dog',
    'duck', 'earless_seal', 'elephant', 'fish', 'flying_disc', 'fox', 'frog',
    'giant_panda', 'giraffe', 'horse', 'leopard', 'lizard', 'monkey',
    'motorbike', 'mouse', 'parrot', 'person', 'rabbit', 'shark',
    'skateboard', 'snake', 'snowboard', 'squirrel', 'surfboard',
    'tennis_racket', 'tiger', 'train', 'truck', 'turtle', 'whale', 'zebra',
)  # fmt: skip

# 'Vehical' is how the official files spell it.
OVIS_CLASSES = (
    'Person', 'Bird', 'Cat', 'Dog', 'Horse', 'Sheep', 'Cow', 'Elephant',
    'Bear', 'Zebra', 'Giraffe', 'Poultry', 'Giant_panda', 'Lizard', 'Parrot',
    'Monkey', 'Rabbit', 'Tiger', 'Fish', 'Turtle', 'Bicycle', 'Motorcycle',
    'Airplane', 'Boat', 'Vehical',
)  # fmt: skip

# Of the segmentation tracking set, in the order of its bitmasks.
BDD100K_MOTS_CLASSES = (
    'pedestrian', 'rider', 'car', 'truck', 'bus', 'train', 'motorcycle',
    'bicycle',
)  # fmt: skip

# In the order of the ids of the official files, which leave numbers out.
COCO_CLASSES = (
    'person', 'bicycle', 'car', 'motorcycle', 'airplane', 'bus', 'train',
    'truck', 'boat', 'traffic light', 'fire hydrant', 'stop sign',
    'parking meter', 'bench', 'bird', 'cat', 'dog', 'horse', 'sheep', 'cow',
    'elephant', 'bear', 'zebra', 'giraffe', 'backpack', 'umbrella', 'handbag',
    'tie', 'suitcase', 'frisbee', 'skis', 'snowboard', 'sports ball', 'kite',
    'baseball bat', 'baseball glove', 'skateboard', 'surfboard',
    'tennis racket', 'bottle', 'wine glass', 'cup', 'fork', 'knife', 'spoon',
    'bowl', 'banana', 'apple', 'sandwich', 'orange', 'broccoli', 'carrot',
    'hot dog', 'pizza', 'donut', 'cake', 'chair', 'couch', 'potted plant',
    'bed', 'dining table', 'toilet', 'tv', 'laptop', 'mouse', 'remote',
    'keyboard', 'cell phone', 'microwave', 'oven', 'toaster', 'sink',
    'refrigerator', 'book', 'clock', 'vase', 'scissors', 'teddy bear',
    'hair drier', 'toothbrush',
)  # fmt: skip

DATASET_CLASSES: Dict[str, Tuple[str, ...]] = dict(
    youtube_vis_2019=YOUTUBE_VIS_2019_CLASSES,
    youtube_vis_2021=YOUTUBE_VIS_2021_CLASSES,
    youtube_vis_2022=YOUTUBE_VIS_2021_CLASSES,
    ovis=OVIS_CLASSES,
    bdd100k_mots=BDD100K_MOTS_CLASSES,
    coco=COCO_CLASSES,
)
