"""`python -m maskline`: the same as the `maskline` command."""

from maskline.cli.main import run

if __name__ == "__main__":
    run()
