"""Rename ImageNet weights of MobileNetV2 for mmdet's or DeAOT's backbone."""

import argparse
from pathlib import Path

import torch
from mmdet.models.backbones import MobileNetV2
from mmengine.model import BaseModule

from pmvis_mm.models.vos import DilatedMobileNetV2
from pmvis_mm.utils.checkpoint import load_weights, read_checkpoint
from pmvis_mm.utils.errors import ConfigError, PMVISError
from pmvis_mm.utils.fileio import atomic_write
from pmvis_mm.utils.torchvision_names import (
    mobilenet_v2_to_dilated,
    mobilenet_v2_to_mm,
)
from pmvis_mm.utils.vnext_names import ConversionReport


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('src', help='checkpoint by the names of torchvision')
    parser.add_argument('dst', help='checkpoint to write')
    parser.add_argument(
        '--widen-factor',
        type=float,
        default=1.0,
        help='width of the network that the weights are of',
    )
    parser.add_argument(
        '--dilated',
        action='store_true',
        help="write the names of DeAOT's DilatedMobileNetV2, not of mmdet's "
        'MobileNetV2',
    )
    return parser.parse_args()


def convert(
    src: str, dst: str, widen_factor: float, dilated: bool
) -> ConversionReport:
    if dilated and widen_factor != 1:
        raise ConfigError(
            f'DilatedMobileNetV2 of --widen-factor {widen_factor}',
            fix='leave --widen-factor out; it has one width',
        )
    if Path(dst).resolve() == Path(src).resolve():
        raise ConfigError(
            'source and target are the same file',
            file=dst,
            fix='name another file to write',
        )
    theirs = read_checkpoint(src)['state_dict']
    model: BaseModule
    if dilated:
        ours = mobilenet_v2_to_dilated(theirs, file=src)
        model = DilatedMobileNetV2()
    else:
        ours = mobilenet_v2_to_mm(theirs, file=src)
        model = MobileNetV2(widen_factor=widen_factor)
    load_weights(model, ours, src, allow_unused=False)
    meta = dict(source=f'{Path(src).name} of torchvision')
    with atomic_write(dst, binary=True) as file:
        torch.save(dict(state_dict=ours, meta=meta), file)
    dropped = tuple(n for n in theirs if n.startswith('classifier.'))
    return ConversionReport(len(theirs), len(ours), dropped=dropped)


def main() -> None:
    args = parse_args()
    try:
        report = convert(args.src, args.dst, args.widen_factor, args.dilated)
        print(report)
    except PMVISError as error:
        raise SystemExit(f'error: {error}') from None
    print('names and shapes are those of the backbone')
    print(f'wrote {args.dst}')


if __name__ == '__main__':
    main()
