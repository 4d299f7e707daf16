"""`python -m bulk_esm` is `bulk-esm`."""

from bulk_esm.cli import main

if __name__ == "__main__":
    main()
