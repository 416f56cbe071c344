"""Peak memory of a step on the CPU, for the benchmarks."""

import resource
import sys
from pathlib import Path


def forget_peak() -> None:
    """Let the peak start at the present, where the system can do that."""
    try:
        Path('/proc/self/clear_refs').write_text('5')
    except OSError:
        pass


def peak_mb() -> float:
    """Largest resident set so far, MB."""
    status = Path('/proc/self/status')
    if status.exists():
        # ru_maxrss would begin with that of the process that started this.
        fields = dict(
            line.split(':', 1) for line in status.read_text().splitlines()
        )
        return int(fields['VmHWM'].split()[0]) / 2**10
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == 'darwin' else 2**10)
