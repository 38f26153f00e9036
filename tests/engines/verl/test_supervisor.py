"""A command that must not outlive its starter: ends with it, however that ends."""

import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from longloom.engines.verl.launch import LOG_FILE, run_to_end
from longloom.engines.verl.reported import write_error
from longloom.errors import ConfigError, EngineError

_SLEEPER = (
    "import os, signal, sys\n"
    "open(sys.argv[1], 'w').write(str(os.getpid()))\n"
    "open(sys.argv[2]).read()\n"  # a pipe that nobody writes to
)


def is_alive(pid: int) -> bool:
    """Return whether a process runs; a zombie does not."""
    try:
        return "(zombie)" not in Path(f"/proc/{pid}/status").read_text().splitlines()[2]
    except OSError:
        return False


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="looks at /proc")
def test_a_killed_starter_takes_its_command_along(tmp_path: Path) -> None:
    """kill -9 of the starter: the supervisor's input closes, and it ends the command."""
    pid_file, pipe = tmp_path / "pid", tmp_path / "pipe"
    os.mkfifo(pipe)
    starter = (
        "import sys\n"
        "from pathlib import Path\n"
        "from longloom.engines.verl.launch import run_to_end\n"
        "run_to_end(sys.argv[1:], Path(sys.argv[4]).parent, environment={}, look=lambda: None)\n"
    )
    command = [sys.executable, "-c", _SLEEPER, str(pid_file), str(pipe)]
    started = subprocess.Popen(
        [sys.executable, "-c", starter, *command], stderr=subprocess.PIPE, start_new_session=True
    )
    pid = read_pid(pid_file, started)
    assert is_alive(pid)
    os.kill(started.pid, signal.SIGKILL)
    started.wait()
    started.stderr.close()
    wait_for_end(pid)


@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux to end the command")
def test_a_killed_supervisor_takes_its_command_along(tmp_path: Path) -> None:
    pid_file, pipe = tmp_path / "pid", tmp_path / "pipe"
    os.mkfifo(pipe)
    supervised = [sys.executable, "-m", "longloom.engines.verl.supervisor"]
    command = [sys.executable, "-c", _SLEEPER, str(pid_file), str(pipe)]
    with subprocess.Popen([*supervised, *command], stdin=subprocess.PIPE) as supervisor:
        pid = read_pid(pid_file, supervisor)
        os.kill(supervisor.pid, signal.SIGKILL)
    wait_for_end(pid)


@pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")
def test_what_a_command_leaves_running_ends_with_it(tmp_path: Path) -> None:
    pid_file, pipe = tmp_path / "pid", tmp_path / "pipe"
    os.mkfifo(pipe)
    leaver = (
        "import subprocess, sys\n"
        "subprocess.Popen([sys.executable, '-c', *sys.argv[1:]])\n"
        "while not open(sys.argv[2], 'a+').tell():\n"  # until the other has said who it is
        "    pass\n"
    )
    command = [sys.executable, "-c", leaver, _SLEEPER, str(pid_file), str(pipe)]
    run_to_end(command, tmp_path, environment={}, look=lambda: None)
    wait_for_end(int(pid_file.read_text()))


def read_pid(pid_file: Path, starter: subprocess.Popen[bytes]) -> int:
    """Return the process that the command runs in, once it has said so."""
    while not (pid_file.exists() and pid_file.read_text()):
        assert starter.poll() is None
    return int(pid_file.read_text())


def wait_for_end(pid: int) -> None:
    """Wait until a process has ended; it must within half a minute."""
    try:
        ended = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        assert select.select([ended], [], [], 30)[0], "the command outlived its starter"
    finally:
        os.close(ended)


def test_the_output_is_kept_and_looked_after(tmp_path: Path) -> None:
    looks = []
    run_to_end(
        [sys.executable, "-c", "import os; print('hello', os.environ['WHO'])"],
        tmp_path,
        environment={"WHO": "cluster"},
        look=lambda: looks.append(1),
    )
    assert (tmp_path / LOG_FILE).read_text() == "hello cluster\n"
    assert looks


def test_a_failure_names_its_last_errors_and_the_log(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=r"status 1: .*ValueError: the reason.*verl-output\.log"):
        run_to_end(
            [sys.executable, "-c", "raise ValueError('the reason')"],
            tmp_path,
            environment={},
            look=lambda: None,
        )


def test_an_error_that_was_written_down_is_raised_as_itself(tmp_path: Path) -> None:
    write_error(tmp_path, EngineError("of an earlier attempt"))
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from longloom.engines.verl.reported import write_error\n"
        "from longloom.errors import ConfigError\n"
        "write_error(Path(sys.argv[1]), ConfigError('too few questions'))\n"
        "sys.exit(1)\n"
    )
    with pytest.raises(ConfigError, match="too few questions"):
        run_to_end(
            [sys.executable, "-c", code, str(tmp_path)],
            tmp_path,
            environment={},
            look=lambda: None,
        )
