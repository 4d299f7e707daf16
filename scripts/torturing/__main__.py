import sys

from torturing.main import main

sys.exit(main())
