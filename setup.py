"""Build script of pmvis_mm.

OpenMMLab's packages are *not* in ``install_requires``: an environment that
already has an mmcv or mmdet keeps it, and ``import pmvis_mm`` says clearly
when its version does not fit. ``pip install pmvis_mm[mim]`` brings them.
"""

import re
import shutil
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent
# What `mim train|test|run|download pmvis_mm` looks for inside the package.
MIM_EXTENSION = ('configs', 'demo', 'tools', 'model-index.yml')


def read_version() -> str:
    """Read the version without importing the package."""
    text = (ROOT / 'pmvis_mm' / 'version.py').read_text()
    match = re.search(r"^__version__ = '([^']+)'", text, re.M)
    if match is None:
        raise RuntimeError('pmvis_mm/version.py defines no __version__')
    return match.group(1)


def read_requirements(name: str) -> list:
    """Read a file of ``requirements/`` without its comments."""
    lines = (ROOT / 'requirements' / f'{name}.txt').read_text().splitlines()
    return [ln.strip() for ln in lines if ln.strip() and ln[0] != '#']


class BuildWithMim(build_py):
    """Put ``.mim`` beside the modules: links if editable, else copies.

    Copies go to the build folder only, so that building a wheel leaves
    nothing behind in the source tree.
    """

    def run(self) -> None:
        if not self.editable_mode:
            # What an earlier build left here would enter the wheel.
            shutil.rmtree(Path(self.build_lib), ignore_errors=True)
        super().run()
        if self.editable_mode:
            self._link(ROOT / 'pmvis_mm' / '.mim')
        else:
            self._copy(Path(self.build_lib) / 'pmvis_mm' / '.mim')

    @staticmethod
    def _link(mim: Path) -> None:
        mim.mkdir(exist_ok=True)
        for name in MIM_EXTENSION:
            link = mim / name
            if link.is_symlink() or link.is_file():
                link.unlink()
            elif link.is_dir():
                shutil.rmtree(link)
            link.symlink_to(Path('..', '..', name))

    @staticmethod
    def _copy(mim: Path) -> None:
        shutil.rmtree(mim, ignore_errors=True)
        mim.mkdir(parents=True)
        skip = shutil.ignore_patterns('__pycache__', '*.pyc')
        for name in MIM_EXTENSION:
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(source, mim / name, ignore=skip)
            else:
                shutil.copy2(source, mim / name)


setup(
    name='pmvis_mm',
    version=read_version(),
    description='Box-supervised video instance segmentation in MMDetection',
    long_description=(ROOT / 'README.md').read_text(),
    long_description_content_type='text/markdown',
    license='Apache-2.0',
    author='The pmvis_mm authors',
    keywords='video instance segmentation, box supervision, pseudo masks',
    packages=find_packages(include=('pmvis_mm', 'pmvis_mm.*')),
    package_data={
        'pmvis_mm': [
            'py.typed',
            'review/static/*',
            'visualization/templates/*',
        ]
    },
    python_requires='>=3.9',
    install_requires=read_requirements('runtime'),
    extras_require={
        'formats': read_requirements('formats'),
        'mim': read_requirements('mminstall'),
        'optional': read_requirements('optional'),
        'tests': read_requirements('tests'),
    },
    classifiers=[
        'Programming Language :: Python :: 3',
        'Topic :: Scientific/Engineering :: Artificial Intelligence',
    ],
    cmdclass={'build_py': BuildWithMim},
    zip_safe=False,
)
