# MaskTrack R-CNN with few channels, for CPU tests; classes 'bar', 'square'.
default_scope = 'pmvis_mm'

channels = 16
strides = [4, 8, 16, 32]
roi_extractor = dict(
    type='SingleRoIExtractor',
    out_channels=channels,
    featmap_strides=strides,
)
box_coder = dict(
    type='DeltaXYWHBBoxCoder',
    target_means=[0.0, 0.0, 0.0, 0.0],
    target_stds=[0.1, 0.1, 0.2, 0.2],
)
model = dict(
    type='MaskTrackRCNN',
    data_preprocessor=dict(
        type='TrackDataPreprocessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
        pad_mask=True,
        pad_size_divisor=32,
    ),
    detector=dict(
        type='MaskRCNN',
        backbone=dict(type='ResNet', depth=18, base_channels=8),
        neck=dict(
            type='FPN',
            in_channels=[8, 16, 32, 64],
            out_channels=channels,
            num_outs=5,
        ),
        rpn_head=dict(
            type='RPNHead',
            in_channels=channels,
            feat_channels=channels,
            anchor_generator=dict(
                type='AnchorGenerator',
                scales=[4],
                ratios=[1.0],
                strides=[*strides, 64],
            ),
            bbox_coder=box_coder,
        ),
        roi_head=dict(
            type='StandardRoIHead',
            bbox_roi_extractor=dict(
                roi_layer=dict(
                    type='RoIAlign', output_size=7, sampling_ratio=0
                ),
                **roi_extractor,
            ),
            bbox_head=dict(
                type='Shared2FCBBoxHead',
                in_channels=channels,
                fc_out_channels=channels,
                roi_feat_size=7,
                num_classes=2,
                bbox_coder=box_coder,
            ),
            mask_roi_extractor=dict(
                roi_layer=dict(
                    type='RoIAlign', output_size=14, sampling_ratio=0
                ),
                **roi_extractor,
            ),
            mask_head=dict(
                type='FCNMaskHead',
                num_convs=1,
                in_channels=channels,
                conv_out_channels=channels,
                num_classes=2,
            ),
        ),
        train_cfg=None,
        test_cfg=dict(
            rpn=dict(
                nms_pre=50,
                max_per_img=20,
                nms=dict(type='nms', iou_threshold=0.7),
                min_bbox_size=0,
            ),
            rcnn=dict(
                score_thr=0.01,
                nms=dict(type='nms', iou_threshold=0.5),
                max_per_img=5,
                mask_thr_binary=0.5,
            ),
        ),
    ),
    track_head=dict(
        type='RoITrackHead',
        roi_extractor=dict(
            roi_layer=dict(type='RoIAlign', output_size=7, sampling_ratio=0),
            **roi_extractor,
        ),
        embed_head=dict(
            type='RoIEmbedHead',
            num_fcs=1,
            roi_feat_size=7,
            in_channels=channels,
            fc_out_channels=channels,
        ),
    ),
    tracker=dict(
        type='MaskTrackRCNNTracker',
        match_weights=dict(det_score=1.0, iou=2.0, det_label=10.0),
        num_frames_retain=20,
    ),
)
test_dataloader = dict(
    dataset=dict(
        type='VISDataset',
        metainfo=dict(classes=('bar', 'square')),
        pipeline=[
            dict(
                type='TransformBroadcaster',
                transforms=[
                    dict(type='LoadVISFrame'),
                    dict(type='Resize', scale=(96, 64), keep_ratio=True),
                ],
            ),
            dict(type='PackVISInputs'),
        ],
    )
)
