"""Errors as a command shows them: one paragraph, one JSON document, one exit code."""

from __future__ import annotations

import errno
from dataclasses import dataclass, replace

from rich.text import Text

from orchestrator.cli import INTERRUPTED
from orchestrator.cli.clock import since_start
from orchestrator.cli.options import CommonOptions
from orchestrator.cli.output import Output
from orchestrator.core.errors import HookError, OrchestratorError, RunCancelledError
from orchestrator.core.events import HEALING_HOOK
from orchestrator.core.masking import masked, masked_fields

NO_EXIT = "raise an exception there that says why, instead of ending the program"
BUG = "run it again with -v for the traceback, and report it"


@dataclass(frozen=True)
class Failure:
    """An error as it is shown: ``kind`` is the class of the exception."""

    kind: str
    message: str
    to_fix: str | None
    exit_code: int
    status: str = "failed"


def failure_of(error: BaseException) -> Failure:
    """Turn any exception into what is shown of it."""
    if isinstance(error, KeyboardInterrupt):
        message = f"Interrupted after {since_start():.1f} s; run the same command again."
        return Failure("KeyboardInterrupt", message, None, INTERRUPTED, "interrupted")
    cause = _real(error)
    notes = [*getattr(error, "__notes__", ()), *(getattr(cause, "__notes__", ()) if cause is not error else ())]
    where = f" ({'; '.join(notes)})" if notes else ""
    if isinstance(cause, OrchestratorError):
        lines = cause.message.split("\n", 1)
        lines[0] = f"{lines[0][:-1]}{where}:" if lines[0].endswith(":") else f"{lines[0]}{where}"
        status = "cancelled" if isinstance(cause, RunCancelledError) else "failed"
        return Failure(type(cause).__name__, "\n".join(lines), cause.to_fix, cause.exit_code, status)
    if isinstance(cause, SystemExit):
        return Failure(
            "SystemExit", f"Something called sys.exit({cause.code!r}){where} and ended the program.", NO_EXIT, 1
        )
    message = str(cause).strip() or "no reason given"
    return Failure(type(cause).__name__, f"Unexpected {type(cause).__name__}: {message}{where}", BUG, 1)


def report_error(error: BaseException, output: Output, options: CommonOptions) -> int:
    """Write a failure to standard error, and as the JSON document where one is wanted; return the exit code.

    Commands in its advice get the ``options`` that this one was given.
    """
    failure = failure_of(error)
    if failure.to_fix is not None:
        failure = replace(failure, to_fix=options.same_workspace(failure.to_fix))
    failure = masked_fields(failure)
    if output.verbosity and not isinstance(error, KeyboardInterrupt):
        from rich.traceback import Traceback  # brings a syntax highlighter along

        trace = Traceback.extract(type(error), error, error.__traceback__)
        for stack in trace.stacks:
            stack.exc_value = masked(stack.exc_value)
        output.errors.print(Traceback(trace))
    output.errors.print(paragraph(failure), soft_wrap=not output.errors.is_terminal)
    output.write_json(document(failure), ok=False)
    return failure.exit_code


def report_unwritten(error: OSError | None, output: Output, code: int) -> int:
    """Return a command's exit code; where its result could not be written, say so, and return that of a failure."""
    if error is None:
        return code
    output.errors.print(paragraph(unwritten_failure(error)), soft_wrap=not output.errors.is_terminal)
    return 1


def unwritten_failure(error: OSError) -> Failure:
    """Turn an error of writing to standard output into what is shown of it."""
    full = error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
    message = f"Standard output cannot be written: {error.strerror or error}."
    return Failure(
        "OSError", message, "free space there, or write elsewhere" if full else "let it be written elsewhere", 1
    )


def paragraph(failure: Failure) -> Text:
    """Return a failure as text for people."""
    label = "Error: " if failure.status == "failed" else ""
    text = Text.assemble((label, "bold red"), failure.message)
    if failure.to_fix is not None:
        text.append("\nTo fix: ", "bold").append(failure.to_fix)
    return text


def document(failure: Failure) -> dict[str, object]:
    """Return a failure as the JSON document of a command."""
    error = {"type": failure.kind, "message": failure.message, "to_fix": failure.to_fix}
    return {"status": failure.status, "error": error, "exit_code": failure.exit_code}


def _real(error: BaseException) -> BaseException:
    """Return what healing itself raised, without the hook that it ran in: nobody who runs a simulation set that up."""
    healing = isinstance(error, HookError) and error.hook_name == HEALING_HOOK
    return error.__cause__ if healing and error.__cause__ is not None else error
