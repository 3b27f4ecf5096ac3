"""Import the package before its doctests are collected.

pytest would otherwise run each module anew under its own name, and the module `deep_arch.search` would take
the place of the function `deep_arch.search`.
"""

import deep_arch
import deep_arch.backends
import deep_arch.searchers
import deep_arch.testing
import deep_arch.visualization  # noqa: F401
