"""`python -m qgtm` is `qgtm`."""

from qgtm.cli import main

if __name__ == "__main__":
    main()
