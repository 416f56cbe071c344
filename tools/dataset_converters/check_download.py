"""Check that a public dataset is unpacked as the configs expect it.

Names what is missing or in a wrong place, and how to mend it. The exit code
is 1 if the shipped configs would stop.
"""

import argparse
from typing import List

from pmvis_mm.datasets.layout_check import Finding, check_layout
from pmvis_mm.datasets.layouts import LAYOUTS, get_layout
from pmvis_mm.utils.errors import PMVISError
from pmvis_mm.utils.text_table import format_table


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    names = '\n'.join(
        f'  {name}: {layout.title}, {layout.url}'
        for name, layout in LAYOUTS.items()
    )
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog=f'datasets:\n{names}',
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('dataset', choices=sorted(LAYOUTS), metavar='dataset')
    parser.add_argument(
        'root',
        nargs='?',
        help='folder of the dataset; where the configs expect it by default',
    )
    return parser.parse_args()


def show(findings: List[Finding]) -> None:
    """Print a line for each part, then the fixes."""
    rows = [(f.part.path, f.state, f.part.purpose) for f in findings]
    print(format_table(('part', 'state', 'for'), rows))
    for finding in findings:
        if finding.problem:
            print(f'\n{finding.part.path}: {finding.problem}')
        if finding.fix:
            print(f'  fix: {finding.fix}')


def main() -> None:
    """Check, print, exit."""
    args = parse_args()
    layout = get_layout(args.dataset)
    root = args.root or layout.root
    print(f'{layout.title} in {root}')
    try:
        findings = check_layout(args.dataset, root)
    except PMVISError as error:
        raise SystemExit(f'error: {error}') from None
    show(findings)
    if layout.note:
        print(f'\nnote: {layout.note}')
    if any(finding.failed for finding in findings):
        raise SystemExit(1)


if __name__ == '__main__':
    main()
