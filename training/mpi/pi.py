"""Computes pi with MPI: each process adds up its part of an integral, MPI adds up the parts.

    mpirun ... python3 pi.py [--intervals N]

Needs Python 2.7 or 3 and Open MPI's library, and no package: MPI is called through ctypes.

Lines to read results from (standard output):

    pi = 3.14159265358979
    processes: 4 on 2 nodes
"""

import argparse
import ctypes
import ctypes.util
import os
import socket
import sys
import time

WIDTH = 512  # bytes of the name of a node


def load_library():
    """Open Open MPI's library: by its names, then beside the mpirun that is found first."""
    names = ["libmpi.so.40", "libmpi.so.20", "libmpi.so.12", "libmpi.so.1", "libmpi.so"]
    for folder in os.environ.get("PATH", "").split(os.pathsep):
        if os.path.exists(os.path.join(folder, "mpirun")):
            names += [os.path.join(os.path.dirname(folder), "lib", name) for name in names[:5]]
            break
    names.append(ctypes.util.find_library("mpi") or "libmpi.so")
    for name in names:
        try:
            return ctypes.CDLL(name, mode=ctypes.RTLD_GLOBAL)
        except OSError:
            continue
    raise SystemExit("error: Open MPI's library (libmpi.so) is not here")


class Mpi:
    """The few functions of MPI that are needed; Open MPI's constants are addresses of its own objects."""

    def __init__(self):
        self.library = load_library()
        self.check(self.library.MPI_Init(None, None), "MPI_Init")
        self.world = self.address("ompi_mpi_comm_world")
        self.rank = self.number(self.library.MPI_Comm_rank)
        self.size = self.number(self.library.MPI_Comm_size)

    def address(self, name):
        return ctypes.c_void_p(ctypes.addressof(ctypes.c_char.in_dll(self.library, name)))

    @staticmethod
    def check(code, what):
        if code:
            raise SystemExit("error: %s ended with %d" % (what, code))

    def number(self, function):
        value = ctypes.c_int()
        self.check(function(self.world, ctypes.byref(value)), "MPI")
        return value.value

    def total(self, part):
        """Add up a number of each process; all get the sum."""
        mine, result = ctypes.c_double(part), ctypes.c_double()
        code = self.library.MPI_Allreduce(
            ctypes.byref(mine),
            ctypes.byref(result),
            1,
            self.address("ompi_mpi_double"),
            self.address("ompi_mpi_op_sum"),
            self.world,
        )
        self.check(code, "MPI_Allreduce")
        return result.value

    def gather(self, text):
        """Give the first process a text of each."""
        mine = ctypes.create_string_buffer(text.encode("utf-8")[: WIDTH - 1], WIDTH)
        result = ctypes.create_string_buffer(WIDTH * self.size)
        kind = self.address("ompi_mpi_char")
        code = self.library.MPI_Gather(mine, WIDTH, kind, result, WIDTH, kind, 0, self.world)
        self.check(code, "MPI_Gather")
        parts = [result.raw[start : start + WIDTH] for start in range(0, WIDTH * self.size, WIDTH)]
        return [part.split(b"\0", 1)[0].decode("utf-8") for part in parts]

    def finish(self):
        self.check(self.library.MPI_Finalize(), "MPI_Finalize")


def part_of_pi(rank, size, intervals):
    """Add up this process's part of the integral of 4 / (1 + x * x) from 0 to 1."""
    step = 1.0 / intervals
    return step * sum(4.0 / (1.0 + ((i + 0.5) * step) ** 2) for i in range(rank, intervals, size))


def main():
    parser = argparse.ArgumentParser(description="Compute pi with MPI.")
    parser.add_argument("--intervals", type=int, default=1000000, help="of the integral (default 1000000)")
    options = parser.parse_args()
    if options.intervals < 1:
        parser.error("--intervals must be at least 1")
    started = time.time()
    mpi = Mpi()
    value = mpi.total(part_of_pi(mpi.rank, mpi.size, options.intervals))
    # A node is known by its name, or where all have this machine's, by its own temporary folder.
    nodes = mpi.gather("%s %s" % (socket.gethostname(), os.environ.get("AZ_BATCHAI_JOB_TEMP", "")))
    if mpi.rank == 0:
        for number, node in enumerate(nodes):
            print("process %d on %s" % (number, node.split(" ")[0]))
        print("pi = %.14f" % value)
        print("processes: %d on %d nodes, in %.2f s" % (mpi.size, len(set(nodes)), time.time() - started))
        sys.stdout.flush()
    mpi.finish()


if __name__ == "__main__":
    main()
