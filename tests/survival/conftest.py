"""Where the program of these tests is imported from, here and in the processes that it begins."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
