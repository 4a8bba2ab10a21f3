"""`python -m undaunted`."""

from undaunted.app import main

if __name__ == "__main__":
    main()
