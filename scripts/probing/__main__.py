import sys

from probing.main import main

sys.exit(main())
