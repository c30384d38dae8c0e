# Imports what a server needs, once, and is forked for each of its sessions. The handler starts it, and
# speaks with it as package process says (ForkServer). Nothing here may start a thread, and nothing of a
# caller may come into this process: a child reads its environment itself.
import atexit
import builtins
import ctypes
import gc
import importlib
import json
import os
import signal
import socket
import sys
import weakref

PR_SET_PDEATHSIG = 1
LANDLOCK_RESTRICT_SELF = 446
MARK = "MCPFUNC_CHILD"
DEVICES = "/dev/null", "/dev/random", "/dev/urandom", "/dev/zero"  # processes that have them open share nothing

libc = ctypes.CDLL(None, use_errno=True)
libc.getenv.restype = ctypes.c_void_p
mark = libc.getenv(MARK.encode())  # where the kernel shows it
me = os.getpid()


class Reads(type(os.environ)):
    """Notes which variables are read: a caller for whom one of them differs cannot be served from here."""

    names = set()

    def __getitem__(self, key):
        if isinstance(key, (str, bytes)):
            Reads.names.add(os.fsdecode(key))
        return super().__getitem__(key)

    def __iter__(self):
        Reads.names.add("*")
        return super().__iter__()


class Writes(type(os.environ)):
    """Ends a process that sets what imports have read, which without a fork it would have set before. The start
    script sets PYTHONPATH and PATH to the same in both."""

    def __setitem__(self, key, value):
        if key not in ("PYTHONPATH", "PATH") and self.get(key) != value and not Reads.names.isdisjoint((key, "*")):
            os.write(2, b"cannot be forked: the server sets %s, which what it imports has read\n" % os.fsencode(key))
            os._exit(1)
        super().__setitem__(key, value)


class Watch:
    """Notes which modules do what a child could find missing, or shares with its siblings, for packing."""

    events = {
        "_thread.start_new_thread": "thread", "_thread.start_joinable_thread": "thread", "_thread.start_new": "thread",
        "open": "file", "socket.__new__": "file", "tempfile.mkdtemp": "temporary", "tempfile.mkstemp": "temporary",
        "subprocess.Popen": "process", "os.fork": "process", "os.posix_spawn": "process", "os.system": "process",
    }

    def __init__(self):
        self.modules = {}  # by kind
        self.on = False
        self.urandom = os.urandom
        os.urandom = self.random
        sys.addaudithook(self.audit)

    def audit(self, event, args):
        kind = self.on and self.events.get(event)
        if kind:
            self.note(kind)

    def random(self, size):
        if self.on:
            self.note("random")
        return self.urandom(size)

    def note(self, kind):
        names = []
        frame = sys._getframe(2)
        while frame:
            name = frame.f_globals.get("__name__", "?")
            if not name.startswith(("importlib", "_frozen", "mcpfunc")):
                names.append(name)
            frame = frame.f_back
        if not names:
            return  # the import itself
        if kind == "random" and names[0] == "multiprocessing.process":
            return  # every process gets a key of its own: see become
        foreign = [n for n in names if n.partition(".")[0] not in sys.stdlib_module_names]
        known = self.modules.setdefault(kind, [])
        name = (foreign or names)[0]
        if name not in known:
            known.append(name)

    def blame(self, kind):
        return ", ".join(self.modules.get(kind, ["imports"])[-3:])


class Nobody:
    """Watches nothing."""

    on = False
    modules = {}

    def blame(self, kind):
        return "imports"


class Generators:
    """Knows which generators of random numbers imports have made without a seed, which no two children may share.
    (That of the module random is seeded by itself after a fork.)"""

    def __init__(self):
        import random  # after Watch, whose os.urandom it takes

        self.cls, self.seed, self.unseeded = random.Random, random.Random.seed, {}

        def seed(generator, a=None, *args, **kwargs):
            self.unseeded[id(generator)] = weakref.ref(generator) if a is None else lambda: None
            return self.seed(generator, a, *args, **kwargs)

        self.cls.seed = seed

    def stop(self):
        self.cls.seed = self.seed

    def seed_again(self):
        for ref in self.unseeded.values():
            generator = ref()
            if generator is not None:
                self.seed(generator)
        numpy = sys.modules.get("numpy.random")
        if numpy:
            numpy.seed()


def resources():
    """Returns what children would share: open files by number, and memory by address, that is written to."""
    found = {}
    for name in os.listdir("/proc/self/fd"):
        try:
            found[name] = os.readlink("/proc/self/fd/" + name)
        except OSError:
            pass  # the listing's own
    with open("/proc/self/maps") as maps:
        for line in maps:
            address, rights, *_ = line.split()
            if rights[1] == "w" and rights[3] == "s":
                found[address] = line.split(None, 5)[-1].strip()
    return found


def prepare(plan, watch):
    """Does what all children would, and returns what is wrong with that, or None."""
    sys.argv = [plan["script"]] + plan["args"]
    with open(plan["modules"], encoding="utf-8") as f:
        modules = f.read().split()
    before, here = resources(), os.getcwd()
    main = sys.modules["__main__"].__dict__
    main.clear()
    main.update(__name__="__main__", __file__=plan["script"], __builtins__=builtins, __doc__=None, __package__=None, __spec__=None, __loader__=None)
    os.environ.__class__ = Reads
    watch.on = True
    start = {"__name__": "mcpfunc_prepare", "__file__": plan["script"], "__builtins__": builtins}
    exec(compile(source(plan["script"]), plan["script"], "exec"), start)
    Reads.names -= {"PYTHONPATH", "PATH"}  # which the script sets, in every process
    variables = dict(os.environb)
    for name in modules:
        try:
            if name == "*":
                Reads.names.add(name)  # found when it was packed
            else:
                importlib.import_module(name)
        except Exception:
            pass  # it is imported again, and may fail again, where it is needed
    watch.on = False
    os.environ.__class__ = Reads.__base__
    changed = {name: os.environb.get(name) for name in variables.keys() | os.environb.keys() if variables.get(name) != os.environb.get(name)}
    Reads.names.update(map(os.fsdecode, changed))
    if "process" in watch.modules:
        Reads.names.add("*")  # it has got all of them
    return problem(watch, before, here), changed


def problem(watch, before, here):
    if len(os.listdir("/proc/self/task")) > 1:
        return "%s: a thread, started by an import" % watch.blame("thread")
    now = resources()
    for it in now:
        if before.get(it) != now[it] and now[it] not in DEVICES:
            if "-" in it:
                return "an import shares memory with the processes that it forks: %s" % now[it]
            return "%s: left open by an import: %s" % (watch.blame("file"), now[it])
    if signal.getsignal(signal.SIGCHLD) is not signal.SIG_DFL:
        return "an import handles the end of processes (SIGCHLD)"
    if any(signal.getitimer(t)[0] for t in (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF)):
        return "an import sets a timer"
    try:
        os.waitpid(-1, os.WNOHANG)
        return "%s: a process, started by an import" % watch.blame("process")
    except ChildProcessError:
        pass
    if "temporary" in watch.modules:
        return "%s: a temporary file, made by an import" % watch.blame("temporary")
    if os.getcwd() != here:
        return "an import changes the working directory"
    return None


def source(path):
    with open(path, "rb") as f:
        return f.read()


def serve(control, ruleset, kept):
    """Forks until the handler is gone. It returns in a child, with its environment."""
    while True:
        message, fds, _, _ = socket.recv_fds(control, 256, 4)
        if not message:
            os._exit(0)
        words = message.decode().split()
        if words[0] == "reap":
            pid, status = int(words[1]), 0
            try:
                status = os.waitpid(pid, 0)[1]
            except ChildProcessError:
                pass  # code of an import has taken its status
            control.send(b"reaped %d %d" % (pid, status))
            continue
        talk = fds[0]
        try:
            if len(os.listdir("/proc/self/task")) > 1:
                raise RuntimeError("the fork server has a thread")
            pid = os.fork()
        except Exception as e:
            os.write(talk, b"error %s\n" % str(e).replace("\n", " ").encode())
        else:
            if pid == 0:
                control.detach()
                return begin(fds, ruleset, kept)
        for fd in fds:
            os.close(fd)


def begin(fds, ruleset, kept):
    """Keeps a child apart from all others, and returns the conversation in which it learns who it is."""
    if os.getsid(0) == me:
        os.setsid()  # as the fork server itself, where the app has a terminal
    else:
        os.setpgid(0, 0)
    if libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0 or os.getppid() != me:
        os._exit(1)
    for fd, to in zip(fds[1:], range(3)):
        os.dup2(fd, to)
    talk = os.dup(fds[0])
    if ruleset is not None and libc.syscall(ctypes.c_long(LANDLOCK_RESTRICT_SELF), ctypes.c_int(ruleset), ctypes.c_uint(0)) != 0:
        os.write(talk, b"error landlock: %s\n" % os.strerror(ctypes.get_errno()).encode())
        os._exit(1)
    os.dup2(talk, 3)
    first = 4
    for fd in kept + [os.sysconf("SC_OPEN_MAX")]:
        os.closerange(first, fd)
        first = fd + 1
    os.write(3, b"pid %d\n" % os.getpid())
    return 3


def become(talk, changed, generators):
    """Makes this process what the handler says."""
    with open(talk, "rb") as said:
        size = said.readline()
        if not size:
            os._exit(1)  # the handler has given up
        strings = said.read(int(size)).split(b"\0")[:-1]
        if mark:
            ctypes.memmove(mark, strings[0], len(strings[0]))
        os.environb.clear()
        os.environb.update(s.split(b"=", 1) for s in strings[1:] if b"=" in s[1:])
        for name, value in changed.items():
            if value is None:
                os.environb.pop(name, None)
            else:
                os.environb[name] = value
        generators.seed_again()
        processes = sys.modules.get("multiprocessing.process")
        if processes:
            processes.current_process().authkey = os.urandom(32)
        os.write(talk, b"ok\n")


def end(status):
    """Ends this process as the interpreter would, but does not take apart what it has imported: that would write to, and
    so copy, all that it shares. It returns where something is left of which that would be the end, such as a file."""
    threading = sys.modules.get("threading")
    if threading:
        threading._shutdown()
    atexit._run_exitfuncs()
    gc.collect()  # of what this process has made itself
    if any(hasattr(kind, "__del__") for kind in set(map(type, gc.get_objects()))):
        return
    try:
        for file in (sys.stdout, sys.stderr):
            if not file.closed:
                file.flush()
    except Exception:
        return
    os._exit(status & 0xFF)


def main(control):
    os.set_inheritable(control.fileno(), False)
    ruleset = None
    message, fds, _, _ = socket.recv_fds(control, 1 << 16, 1)
    if fds:
        ruleset = fds[0]
    plan = json.loads(message)
    code = compile(source(plan["script"]), plan["script"], "exec")
    watch = Watch() if plan["watch"] else Nobody()
    # What is freed leaves holes, which children then fill, each with a copy of the page: nothing is collected here.
    gc.disable()
    generators = Generators()
    wrong, changed = prepare(plan, watch)
    generators.stop()
    sys.stdout.flush()
    sys.stderr.flush()
    report = {"problem": wrong, "reads": sorted(Reads.names), "random": watch.modules.get("random", [])}
    control.send(json.dumps(report).encode())
    if wrong:
        os._exit(0)
    gc.freeze()
    kept = sorted(int(fd) for fd, to in resources().items() if to in DEVICES and int(fd) > 3)
    become(serve(control, ruleset, kept), changed, generators)
    gc.enable()
    if plan["watch"]:
        os.environ.__class__ = Writes
    try:
        exec(code, sys.modules["__main__"].__dict__)
        status = 0
    except SystemExit as e:
        status = 0 if e.code is None else e.code
    if type(status) is int:
        end(status)
    sys.exit(status)


main(control)
