"""The `maskline` command: the frame around `commands.py`, and how any failure becomes one sentence and an exit code.

Exit codes: 0 done, 1 the command could not do what was asked, 2 wrong usage or a wrong setting, 130 interrupted.
Who uses it: the installed script, `python -m maskline`, tests and the reference generator (`app`).
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from maskline import __version__
from maskline.cli.commands import Root
from maskline.cli.output import fail
from maskline.compiled import is_compiled
from maskline.errors import ConfigurationError, MasklineError

app = typer.Typer(
    name="maskline",
    cls=Root,
    help="Self-hosted number masking: two people talk through a virtual number, neither learns the other's.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"maskline {__version__}{' (compiled)' if is_compiled() else ''}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Holds the options that belong to no command."""


def run(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit."""
    # Number masks and `••••` need UTF-8 whatever the locale of a cron job or a bare container says.
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(encoding="utf-8", errors="replace")
    sys.exit(execute(sys.argv[1:] if arguments is None else arguments))


def execute(arguments: Sequence[str]) -> int:
    """Run the command line and return its exit code; nothing escapes as a traceback."""
    try:
        result: Any = typer.main.get_command(app).main(list(arguments), prog_name="maskline", standalone_mode=False)
    except typer.Abort:
        return 130
    except KeyboardInterrupt:
        return 130
    except typer.TyperException as error:
        return _usage_failure(error)
    except ConfigurationError as error:
        fail(error.sentence)
        return 2
    except MasklineError as error:
        fail(f"{error.sentence}: {error.detail}" if error.detail else error.sentence)
        return 1
    except BrokenPipeError:
        # `maskline call tail | head`: the reader is gone, which is no fault.
        sys.stderr.close()
        return 1
    except Exception as error:  # noqa: BLE001  the process edge: a bug must not print numbers in a traceback
        # The log set-up masks numbers; a bare traceback would not. Imported here, because that takes its time.
        import structlog

        structlog.get_logger(__name__).error("unhandled_error", exc_info=error)
        fail(f"this is a bug in Maskline ({type(error).__name__}); the log line above says where.")
        return 1
    return result if isinstance(result, int) else 0


def _usage_failure(error: typer.TyperException) -> int:
    message = getattr(error, "format_message", lambda: str(error))()
    # Help was asked for by giving no command; it is printed already.
    if type(error).__name__ == "NoArgsIsHelpError":
        typer.echo(message, err=True)
        return 2
    context = getattr(error, "ctx", None)
    hint = f" See `{context.command_path} --help`." if context is not None else ""
    # Where typer reads an enum, its message carries the class of the exception along.
    fail(" ".join(message.split()).replace(": Value error, ", ": ").rstrip(".") + "." + hint)
    return 2
