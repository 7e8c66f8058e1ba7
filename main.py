"""Tilescope's command line: the window by default, headless subcommands beside it. Parses and delegates."""

# No `from __future__ import annotations` here: typer reads the annotations of commands that are defined in a function,
# and it could not resolve them there from strings.
import gc
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

if TYPE_CHECKING:
    import typer

    from core.engine.addresses import SchedulerAddress

RUN_FAILED = 1
BAD_INPUT = 2
INTERRUPTED = 130


def open_window(
    theme: str | None = None,
    language: str | None = None,
    topic: str | None = None,
    assignments: Sequence[str] = (),
    scheduler: "SchedulerAddress | None" = None,
    file: Path | None = None,
) -> int:
    """Open the window. Nothing heavier than Qt is imported before the window is visible.

    Importing makes next to no garbage, and looking for it takes a tenth of the start; the window collects its own
    (`gui.window.garbage`).
    """
    gc.disable()
    from gui.window.display import require_display

    require_display()
    from gui.plain_imports import use_plain_imports

    use_plain_imports()
    from gui.window.app import run_window

    return run_window(
        theme=theme, language=language, topic=topic, assignments=assignments, scheduler=scheduler, file=file
    )


def build_cli(language: str | None = None) -> "typer.Typer":
    """The subcommands, with their help in the current language. `language` is the one chosen by `--lang`, if any.

    Each command imports what it needs when it runs, so that the window and the others start fast.
    """
    import typer

    from core.commands.parser import REST, Command, CommandWithRest, Group
    from core.contracts.text import tr
    from core.engine.addresses import DEFAULT_PORT, parse_address, target_of

    cli = typer.Typer(
        name="tilescope",
        cls=Group,
        help=str(
            tr("Tilescope shows what the kernels of large language models do. Without a command, it opens the window.")
        ),
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    topic_argument = typer.Argument(metavar="TOPIC", help=str(tr("A topic, e.g. flash-attention.")))
    assignments = typer.Option(
        "--set", metavar="NAME=VALUE", help=str(tr("Set a parameter of the topic; can be repeated."))
    )
    device_option = typer.Option(metavar="DEVICE", help=str(tr("auto, cpu, cuda, or the address of a scheduler.")))
    insecure_option = typer.Option("--insecure", help=str(tr("Connect to a scheduler without encryption.")))
    json_option = typer.Option("--json", help=str(tr("Print one JSON object to stdout.")))
    theme_option = typer.Option(metavar="THEME", help=str(tr("dark or light.")))
    out_option = typer.Option(metavar="DIR", help=str(tr("The folder for the pictures; created if missing.")))
    size_option = typer.Option(metavar="WxH", help=str(tr("Size of the picture in pixels.")))

    @cli.callback(invoke_without_command=True)
    def window(
        context: typer.Context,
        theme: Annotated[str | None, theme_option] = None,
        topic: Annotated[str | None, typer.Option(metavar="TOPIC", help=str(tr("The page to open first.")))] = None,
        set_: Annotated[list[str] | None, assignments] = None,
        fallback_gallery: Annotated[
            Path | None,
            typer.Option(metavar="DIR", help=str(tr("Without a display, save pictures of the pages to DIR instead."))),
        ] = None,
        scheduler_address: Annotated[
            str | None,
            typer.Option(
                "--scheduler",
                metavar="ADDRESS",
                help=str(tr("Run on the workers of this scheduler, not on this machine.")),
            ),
        ] = None,
        insecure: Annotated[bool, insecure_option] = False,
        lang: Annotated[  # taken out before the parser is built: see core.commands.language_option
            str | None,
            typer.Option(
                metavar="CODE",
                help=str(
                    tr("Language of the window and of all output: en or zh. The default is the system's language.")
                ),
            ),
        ] = None,
    ) -> None:
        if context.invoked_subcommand is not None:
            return
        if fallback_gallery is not None:
            from gui.window.display import why_no_display

            reason = why_no_display()
            if reason is not None:
                hint = tr("Saving pictures of the pages to {folder} instead.", folder=str(fallback_gallery))
                print(f"{reason} {hint}", file=sys.stderr)
                screenshot("all", out=fallback_gallery, recorded=True)
                return
        address = None if scheduler_address is None else parse_address(scheduler_address, insecure=insecure)
        raise typer.Exit(open_window(theme, language, topic, set_ or [], address))

    @cli.command(cls=Command, help=str(tr("Run the experiment of a topic, and print its numbers and claims.")))
    def run(
        topic: Annotated[str, topic_argument],
        set_: Annotated[list[str] | None, assignments] = None,
        device: Annotated[str, device_option] = "auto",
        insecure: Annotated[bool, insecure_option] = False,
        save: Annotated[
            Path | None, typer.Option(metavar="FILE", help=str(tr("Save the run as a file that opens anywhere.")))
        ] = None,
        machine: Annotated[
            str, typer.Option(metavar="NAME", help=str(tr("The name of this machine, for the saved run.")))
        ] = "",
        json: Annotated[bool, json_option] = False,
    ) -> None:
        from core.commands.run import run_topic

        target = target_of(device, insecure=insecure)
        raise typer.Exit(run_topic(topic, set_ or [], device=target, as_json=json, save=save, machine=machine))

    run_file = typer.Argument(metavar="FILE", help=str(tr("A saved run (.tilescope).")))

    @cli.command(
        "open",
        cls=Command,
        help=str(tr("Open a saved run in the window. The name of the file alone, without a command, does the same.")),
    )
    def open_(context: typer.Context, file: Annotated[Path, run_file]) -> None:
        from core.paths import expanded

        chosen = context.parent.params if context.parent is not None else {}
        raise typer.Exit(open_window(chosen.get("theme"), language, file=expanded(file).absolute()))

    @cli.command(cls=Command, help=str(tr("Print the numbers and claims of a saved run, and where it was made.")))
    def show(
        file: Annotated[Path, run_file],
        json: Annotated[bool, json_option] = False,
    ) -> None:
        from core.commands.show import show_file

        raise typer.Exit(show_file(file, as_json=json))

    @cli.command(
        cls=Command,
        help=str(
            tr("Run a topic and save its page as PNG, in both themes unless --theme names one. Needs no display.")
        ),
    )
    def screenshot(
        topic: Annotated[
            str, typer.Argument(metavar="TOPIC", help=str(tr("A topic, the home page (home), or all of them (all).")))
        ],
        out: Annotated[Path, out_option],
        set_: Annotated[list[str] | None, assignments] = None,
        theme: Annotated[str | None, theme_option] = None,
        size: Annotated[str, size_option] = "1600x1000",
        recorded: Annotated[
            bool,
            typer.Option(
                "--recorded", help=str(tr("Show the recorded runs that come with the program where they fit: faster."))
            ),
        ] = False,
        device: Annotated[str, device_option] = "auto",
        insecure: Annotated[bool, insecure_option] = False,
    ) -> None:
        from gui.plain_imports import use_plain_imports

        use_plain_imports()
        from gui.window.gallery import save_pages

        target = target_of(device, insecure=insecure)
        for path in save_pages(topic, set_ or [], out=out, theme=theme, size=size, device=target, recorded=recorded):
            print(path)

    @cli.command(
        cls=Command,
        help=str(tr("Save a demo as PNGs, as an animated GIF and as one HTML slide show. Needs no display.")),
    )
    def demo(
        name: Annotated[
            str,
            typer.Argument(
                metavar="DEMO", help=str(tr("The name of a demo that comes with the program, or a .toml file."))
            ),
        ],
        out: Annotated[Path, out_option],
        theme: Annotated[str | None, theme_option] = None,
        size: Annotated[str, size_option] = "1600x1000",
        fresh: Annotated[
            bool,
            typer.Option(
                "--fresh", help=str(tr("Run everything here; else recorded runs that come with the program are shown."))
            ),
        ] = False,
        trust: Annotated[
            bool,
            typer.Option("--trust", help=str(tr("Also run the user's own files that the demo names: they are code."))),
        ] = False,
        device: Annotated[str, device_option] = "auto",
        insecure: Annotated[bool, insecure_option] = False,
    ) -> None:
        from gui.plain_imports import use_plain_imports

        use_plain_imports()
        from gui.window.gallery import save_demo

        target = target_of(device, insecure=insecure)
        pictures = save_demo(
            name, out=out, theme=theme, size=size, device=target, recorded=not fresh, trusts_files=trust
        )
        for path in pictures:
            print(path)

    @cli.command(cls=Command, help=str(tr("Test the claims. The exit code is 1 if a verdict is not the expected one.")))
    def verify(
        topics: Annotated[
            list[str] | None, typer.Argument(metavar="TOPIC", help=str(tr("The topics to verify; all by default.")))
        ] = None,
        device: Annotated[str, device_option] = "auto",
        insecure: Annotated[bool, insecure_option] = False,
        json: Annotated[bool, json_option] = False,
    ) -> None:
        from core.commands.verify import verify_topics

        raise typer.Exit(verify_topics(topics or [], device=target_of(device, insecure=insecure), as_json=json))

    gpu_help = tr(
        "The GPU that the file finds where there is none, such as h100: a virtual CUDA device in host memory."
    )

    @cli.command(
        cls=CommandWithRest,
        help=str(
            tr(
                "Trace every Triton kernel that functions launch. The exit code is 1 on a fault, such as an access out "
                "of bounds, and 0 on remarks only."
            )
        ),
    )
    def trace(
        context: typer.Context,
        targets: Annotated[
            list[str],
            typer.Argument(
                metavar="FILE.py::FUNCTION...",
                help=str(
                    tr("Functions that launch kernels, or scripts: FILE.py. A script's own command line follows --.")
                ),
            ),
        ],
        addresses_only: Annotated[
            bool,
            typer.Option("--addresses-only", help=str(tr("Compute addresses only and skip the arithmetic: faster."))),
        ] = False,
        gpu: Annotated[str, typer.Option(metavar="GPU", help=str(gpu_help))] = "",
        device: Annotated[str, device_option] = "auto",
        insecure: Annotated[bool, insecure_option] = False,
        launches: Annotated[
            bool, typer.Option("--launches", help=str(tr("Also print the lines and tensors of each launch.")))
        ] = False,
        export: Annotated[
            Path | None,
            typer.Option(metavar="FILE", help=str(tr("Write the trace, on which `trace` reports again."))),
        ] = None,
        html: Annotated[
            Path | None, typer.Option(metavar="FILE", help=str(tr("Write the report as one self-contained page.")))
        ] = None,
        traceback: Annotated[
            bool, typer.Option("--traceback", help=str(tr("Where your code fails, also print its stack.")))
        ] = False,
        config: Annotated[
            int,
            typer.Option(
                metavar="N",
                help=str(tr("Run configuration N of autotuned kernels, counted from 1. 0: their own choice.")),
            ),
        ] = 0,
        configs: Annotated[
            bool,
            typer.Option(
                "--configs", help=str(tr("List all configurations of autotuned kernels, each traced and compiled."))
            ),
        ] = False,
        time_limit: Annotated[
            int | None,
            typer.Option(
                metavar="SECONDS",
                help=str(
                    tr(
                        "Stop the script after this time and report the launches so far: 300 s by default. 0: no "
                        "limit. Counting and checking the launches comes after it."
                    )
                ),
            ),
        ] = None,
        json: Annotated[bool, json_option] = False,
    ) -> None:
        from core.commands.trace import Choices, Outputs, trace_targets

        raise typer.Exit(
            trace_targets(
                targets,
                Choices(addresses_only, gpu, context.meta[REST], config, configs, time_limit),
                device=target_of(device, insecure=insecure),
                outputs=Outputs(as_json=json, with_launches=launches, export=export, html=html, with_stack=traceback),
            )
        )

    @cli.command(
        cls=Command,
        help=str(
            tr(
                "Check every Triton kernel that a function, a script or a test file launches: one finding per line. "
                "The exit code is 1 on a fault, and 0 on remarks only."
            )
        ),
    )
    def check(
        target: Annotated[
            str,
            typer.Argument(
                metavar="FILE.py::FUNCTION", help=str(tr("A function that launches kernels, or a script: FILE.py."))
            ),
        ] = "",
        arguments: Annotated[
            list[str] | None,
            typer.Argument(metavar="ARGUMENTS", help=str(tr("The command line of a script or of pytest, after --."))),
        ] = None,
        pytest: Annotated[
            str,
            typer.Option(
                metavar="FILE", help=str(tr("Run this test file with pytest instead, and check what it launches."))
            ),
        ] = "",
        gpu: Annotated[str, typer.Option(metavar="GPU", help=str(gpu_help))] = "",
        device: Annotated[str, device_option] = "auto",
        insecure: Annotated[bool, insecure_option] = False,
        prove: Annotated[
            bool,
            typer.Option(
                "--prove",
                help=str(tr("Also say for each kernel what holds for all sizes: a proof, or a counterexample.")),
            ),
        ] = False,
        configs: Annotated[
            bool,
            typer.Option(
                "--configs",
                help=str(tr("Also compare what all configurations of autotuned kernels make of the inputs.")),
            ),
        ] = False,
        time_limit: Annotated[
            int,
            typer.Option(
                metavar="SECONDS",
                help=str(
                    tr(
                        "Stop the script after this time and report what was found until then. 0, the default: no "
                        "limit. Proofs and other checks of the launches come after it."
                    )
                ),
            ),
        ] = 0,
        junit: Annotated[
            Path | None, typer.Option(metavar="FILE", help=str(tr("Write the findings as JUnit XML.")))
        ] = None,
        sarif: Annotated[
            Path | None, typer.Option(metavar="FILE", help=str(tr("Write the findings as SARIF 2.1.0.")))
        ] = None,
        json: Annotated[bool, json_option] = False,
    ) -> None:
        from core.commands.check import Written, check_target

        where = target_of(device, insecure=insecure)
        command_line = [target, *(arguments or [])] if target else []
        written = Written(json, junit, sarif)
        raise typer.Exit(
            check_target(
                command_line,
                tests=pytest,
                device=where,
                gpu=gpu,
                written=written,
                proves=prove,
                time_limit_s=time_limit,
                tries_configs=configs,
            )
        )

    @cli.command(
        cls=Command,
        help=str(
            tr(
                "Compare implementations of kernels over a sweep: errors, times, bytes, compiled code. The exit code "
                "is 1 if something is slower than a baseline beyond noise, or wrong."
            )
        ),
    )
    def bench(
        families: Annotated[
            list[str] | None,
            typer.Argument(
                metavar="FAMILY",
                help=str(
                    tr("Families, or FILE.py[::FUNCTIONS] with implementations of your own; all families by default.")
                ),
            ),
        ] = None,
        set_: Annotated[
            list[str] | None,
            typer.Option(
                "--set", metavar="NAME=VALUE", help=str(tr("Set a parameter of the comparison; can be repeated."))
            ),
        ] = None,
        sweep: Annotated[
            list[str] | None,
            typer.Option(metavar="NAME=A,B,C", help=str(tr("Sweep a parameter; twice for two, 'none' for one point."))),
        ] = None,
        gpu: Annotated[
            str,
            typer.Option(
                metavar="GPU",
                help=str(tr("Tile and compile for this GPU, which a file of yours finds where there is none.")),
            ),
        ] = "",
        device: Annotated[str, device_option] = "auto",
        insecure: Annotated[bool, insecure_option] = False,
        dry_run: Annotated[
            bool,
            typer.Option("--dry-run", help=str(tr("Only trace and compile, at the sizes of a GPU; time nothing."))),
        ] = False,
        record: Annotated[Path | None, typer.Option(metavar="FILE", help=str(tr("Write a recording as JSON.")))] = None,
        check: Annotated[
            Path | None, typer.Option(metavar="BASELINE", help=str(tr("Compare with this recording.")))
        ] = None,
        csv: Annotated[Path | None, typer.Option(metavar="FILE", help=str(tr("Write the numbers as CSV.")))] = None,
        json: Annotated[bool, json_option] = False,
    ) -> None:
        from core.commands.bench import Options
        from core.commands.bench import bench as run_bench

        options = Options(set_ or [], sweep or [], dry_run, record, check, csv, json, gpu)
        raise typer.Exit(run_bench(families or [], options, device=target_of(device, insecure=insecure)))

    credentials_option = typer.Option(
        metavar="DIR", help=str(tr("The folder of the credentials; by default one in the user's configuration."))
    )

    @cli.command(cls=Command, help=str(tr("Make the credentials that a scheduler, its workers and the window share.")))
    def credentials(folder: Annotated[Path | None, credentials_option] = None) -> None:
        from core.commands.scheduling import make_credentials

        make_credentials(folder)

    @cli.command(cls=Command, help=str(tr("Start a scheduler, for the workers of several machines.")))
    def scheduler(
        host: Annotated[str, typer.Option(metavar="HOST", help=str(tr("The address to listen at.")))] = "0.0.0.0",
        port: Annotated[int, typer.Option(metavar="PORT", help=str(tr("The port to listen at.")))] = DEFAULT_PORT,
        folder: Annotated[Path | None, credentials_option] = None,
        insecure: Annotated[bool, insecure_option] = False,
    ) -> None:
        from core.commands.scheduling import run_scheduler

        run_scheduler(host, port, folder, insecure=insecure)

    @cli.command(cls=Command, help=str(tr("Start a worker of a scheduler on this machine.")))
    def worker(
        address: Annotated[
            str, typer.Argument(metavar="ADDRESS", help=str(tr("The scheduler's address, e.g. tls://host:8786.")))
        ],
        folder: Annotated[Path | None, credentials_option] = None,
        insecure: Annotated[bool, insecure_option] = False,
    ) -> None:
        from core.commands.scheduling import run_worker

        run_worker(parse_address(address, insecure=insecure), folder)

    @cli.command(
        cls=Command,
        help=str(tr("Put Tilescope into the menu of applications and open saved runs with a double click. On Linux.")),
    )
    def install_desktop(
        remove: Annotated[bool, typer.Option("--remove", help=str(tr("Undo this.")))] = False,
    ) -> None:
        from core.commands.install_desktop import install

        install(remove=remove)

    @cli.command(cls=Command, help=str(tr("Check the installation: what works, what is missing and how to fix it.")))
    def doctor(json: Annotated[bool, json_option] = False) -> None:
        from core.commands.doctor import examine
        from gui.window.display import why_no_display

        raise typer.Exit(examine(as_json=json, display_problem=why_no_display()))

    return cli


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse and delegate, in the language of `--lang` or of the system.

    Bad input becomes one sentence on stderr and exit code 2; a run that fails, one sentence and exit code 1.
    """
    from core import language
    from core.commands.language_option import take_language
    from core.contracts.errors import RunFailed, TilescopeError
    from core.contracts.text import tr

    with language.using(language.of_system()):
        try:
            chosen, arguments = take_language(sys.argv[1:] if arguments is None else arguments)
            if chosen is not None:
                language.use(chosen)
            if not arguments:
                return open_window(language=chosen)
            code: int = build_cli(chosen)(arguments, standalone_mode=False) or 0
            if sys.stdout is not None:
                sys.stdout.flush()  # here, what cannot be written still becomes a sentence
            return code
        except RunFailed as error:
            print(error.sentence, file=sys.stderr)
            return RUN_FAILED
        except TilescopeError as error:
            print(error.sentence, file=sys.stderr)
            return BAD_INPUT
        except KeyboardInterrupt:
            print(tr("Interrupted."), file=sys.stderr)
            return INTERRUPTED
        except Exception as error:
            if not hasattr(error, "format_message"):
                raise
            # An error of the parser, such as an unknown option. Some versions of typer bundle click and others import
            # it; the error classes of both have this method.
            from core.commands.parser import worded
            from core.installation import command

            problem = worded(error.format_message())
            print(tr("{problem} See {command}.", problem=problem, command=command("--help")), file=sys.stderr)
            return BAD_INPUT


def start() -> int:
    """What `python main.py` runs, and the command `tilescope` of an installed Tilescope.

    There, core, gui and kernels lie in the package `tilescope`, and nothing else finds them under these names. In the
    processes of Tilescope, the folder of this file comes first; they pass their paths on to those that they start.
    """
    folder = str(Path(__file__).resolve().parent)
    sys.path[:] = [folder, *(path for path in sys.path if path != folder)]
    from core.commands.output import check_output

    check_output()
    return main()


if __name__ == "__main__":
    sys.exit(start())
