"""Tilescope's command line: the window by default, headless subcommands beside it. Parses and delegates."""

# No `from __future__ import annotations` here: typer reads the annotations of commands that are defined in a function,
# and it could not resolve them there from strings.
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

if TYPE_CHECKING:
    import typer

RUN_FAILED = 1
BAD_INPUT = 2
INTERRUPTED = 130


def open_window(theme: str | None = None, topic: str | None = None, assignments: Sequence[str] = ()) -> int:
    """Open the window. Nothing heavier than Qt is imported before the window is visible."""
    from gui.window.display import require_display

    require_display()
    from gui.window.app import run_window

    return run_window(theme=theme, topic=topic, assignments=assignments)


def build_cli() -> "typer.Typer":
    """The subcommands. Each imports what it needs when it runs, so that the window and the others start fast."""
    import typer

    cli = typer.Typer(
        name="tilescope",
        help="Tilescope shows what the kernels of large language models do. Without a command, it opens the window.",
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    topic_argument = typer.Argument(help="A topic, e.g. flash-attention.")
    assignments = typer.Option("--set", metavar="NAME=VALUE", help="Set a parameter of the topic; can be repeated.")
    device_option = typer.Option(help="auto, cpu, cuda, or the address of a scheduler.")
    json_option = typer.Option("--json", help="Print one JSON object to stdout.")
    theme_option = typer.Option(help="dark or light.")

    @cli.callback(invoke_without_command=True)
    def window(
        context: typer.Context,
        theme: Annotated[str | None, theme_option] = None,
        topic: Annotated[str | None, typer.Option(help="The page to open first.")] = None,
        set_: Annotated[list[str] | None, assignments] = None,
        fallback_gallery: Annotated[
            Path | None,
            typer.Option(metavar="DIR", help="Without a display, save pictures of the pages to DIR instead."),
        ] = None,
    ) -> None:
        """Open the window."""
        if context.invoked_subcommand is not None:
            return
        if fallback_gallery is not None:
            from gui.window.display import why_no_display

            reason = why_no_display()
            if reason is not None:
                print(f"{reason} Rendering the pages into {fallback_gallery}/ instead.", file=sys.stderr)
                screenshot("all", out=fallback_gallery)
                return
        raise typer.Exit(open_window(theme, topic, set_ or []))

    @cli.command()
    def run(
        topic: Annotated[str, topic_argument],
        set_: Annotated[list[str] | None, assignments] = None,
        device: Annotated[str, device_option] = "auto",
        json: Annotated[bool, json_option] = False,
    ) -> None:
        """Run the experiment of a topic, and print its numbers and claims."""
        from core.commands.run import run_topic

        raise typer.Exit(run_topic(topic, set_ or [], device=device, as_json=json))

    @cli.command()
    def screenshot(
        topic: Annotated[str, typer.Argument(help="A topic, or all of them: all.")],
        out: Annotated[Path, typer.Option(metavar="DIR", help="The folder for the pictures; created if missing.")],
        set_: Annotated[list[str] | None, assignments] = None,
        theme: Annotated[str | None, theme_option] = None,
        size: Annotated[str, typer.Option(metavar="WxH", help="Size of the picture in pixels.")] = "1600x1000",
        device: Annotated[str, device_option] = "auto",
    ) -> None:
        """Run a topic and save its page as PNG, in both themes unless --theme names one. Needs no display."""
        from gui.window.gallery import save_pages

        for path in save_pages(topic, set_ or [], out=out, theme=theme, size=size, device=device):
            print(path)

    @cli.command()
    def verify(
        topics: Annotated[list[str] | None, typer.Argument(help="The topics to verify; all by default.")] = None,
        device: Annotated[str, device_option] = "auto",
        json: Annotated[bool, json_option] = False,
    ) -> None:
        """Test the claims. The exit code is 1 if a verdict is not the expected one."""
        from core.commands.verify import verify_topics

        raise typer.Exit(verify_topics(topics or [], device=device, as_json=json))

    @cli.command()
    def trace(
        target: Annotated[str, typer.Argument(metavar="FILE.py::FUNCTION", help="A function that launches kernels.")],
        addresses_only: Annotated[
            bool, typer.Option("--addresses-only", help="Compute addresses only and skip the arithmetic: faster.")
        ] = False,
        device: Annotated[str, device_option] = "auto",
        json: Annotated[bool, json_option] = False,
    ) -> None:
        """Trace every Triton kernel that a function launches. The exit code is 1 if one is out of bounds or races."""
        from core.commands.trace import trace_target

        raise typer.Exit(trace_target(target, addresses_only=addresses_only, device=device, as_json=json))

    @cli.command()
    def doctor(json: Annotated[bool, json_option] = False) -> None:
        """Check the installation: what works, what is missing and how to fix it."""
        from core.commands.doctor import examine
        from gui.window.display import why_no_display

        raise typer.Exit(examine(as_json=json, display_problem=why_no_display()))

    return cli


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse and delegate. Bad input becomes one sentence on stderr and exit code 2; a run that fails, one sentence and
    exit code 1."""
    from core.contracts.errors import RunFailed, TilescopeError

    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        if not arguments:
            return open_window()
        return build_cli()(list(arguments), standalone_mode=False) or 0
    except RunFailed as error:
        print(error.sentence, file=sys.stderr)
        return RUN_FAILED
    except TilescopeError as error:
        print(error.sentence, file=sys.stderr)
        return BAD_INPUT
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        return INTERRUPTED
    except Exception as error:
        if not hasattr(error, "format_message"):
            raise
        # An error of the parser, such as an unknown option. Some versions of typer bundle click and others import it;
        # the error classes of both have this method.
        print(f"{error.format_message()} See python main.py --help.", file=sys.stderr)
        return BAD_INPUT


if __name__ == "__main__":
    sys.exit(main())
