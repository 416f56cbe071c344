"""Print a config with its bases and overrides resolved."""

import argparse
from pathlib import Path

from mmengine.config import Config, DictAction


def main() -> None:
    """Parse the command line and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='config file')
    parser.add_argument(
        '--save-path', help='also write the config here (.py, .json or .yml)'
    )
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        help='override settings: key=value',
    )
    args = parser.parse_args()
    if not Path(args.config).is_file():
        parser.error(f'config not found [file {args.config}]')
    cfg = Config.fromfile(args.config)
    if args.cfg_options is not None:
        cfg.merge_from_dict(args.cfg_options)
    print(cfg.pretty_text)
    if args.save_path is not None:
        cfg.dump(args.save_path)


if __name__ == '__main__':
    main()
