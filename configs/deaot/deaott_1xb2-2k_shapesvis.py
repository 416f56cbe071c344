# The same on ShapesVIS, drawn at 320x180 with up to 4 objects:
#     python tools/dataset_converters/make_shapes_vis.py data/shapesvis/train \
#         --num-videos 240 --size 180 320 --seed 2024 --max-objects 4
_base_ = ['./deaott_1xb2-2k_own.py']
data_root = 'data/shapesvis/'
# Fewer than there are: the others look alike, but are background.
max_objects = 2

train_dataloader = dict(
    dataset=dict(
        dataset=dict(
            max_objects=max_objects,
            source=dict(dataset=dict(data_root=data_root)),
        )
    )
)
