"""`python -m spikebench`."""

from spikebench.cli import main

if __name__ == "__main__":
    main()
