"""`longloom doctor`: what this machine has, and what is missing."""

import typer

from longloom.cli.console import print_table


def doctor() -> None:
    """Check Python, packages, disk, processors and write access; say what is missing."""
    from longloom.cli.machine_checks import check_machine

    checks = check_machine()
    rows = [("check", "", "found")]
    rows += [(check.name, "ok" if check.is_fine else "FAIL", check.finding) for check in checks]
    print_table(rows)
    failed = [check for check in checks if not check.is_fine]
    if not failed:
        print("\nNothing is missing. Try: longloom run tiny-cpu")
        return
    print("\nWhat to do:")
    for check in failed:
        print(f"  {check.name}: {check.advice}")
    raise typer.Exit(1)
