"""The compiled part of the package, `zerogate.native`: made where there is a compiler, left out where there is none."""

import os
import platform
from pathlib import Path

from setuptools import Extension, setup

NATIVE = Path("src", "zerogate", "native")


def extensions() -> list[Extension]:
    """One for each .pyx. Optional, so that whatever keeps them from being compiled keeps nobody from installing."""
    if platform.python_implementation() != "CPython":
        return []  # PyPy's own compiler makes Python faster than its C interface would be.
    from Cython.Build import cythonize

    sources = sorted(NATIVE.glob("*.pyx"))
    made = cythonize(
        [Extension(f"zerogate.native.{path.stem}", [str(path)]) for path in sources],
        build_dir="build/cython",
        compiler_directives={"language_level": 3},
    )
    for extension in made:
        extension.optional = True  # here, as cythonize makes others of those that it is given
    return made


setup(ext_modules=extensions(), options={"build_ext": {"parallel": os.cpu_count()}})
