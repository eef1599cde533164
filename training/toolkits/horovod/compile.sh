#!/bin/sh
# Compiles Horovod's libraries for TensorFlow: compile.sh SITE PREFIX SUFFIX RUNPATH
#
# SITE: the folder of packages, with horovod's sources and tensorflow in it. PREFIX: has Open MPI's include/ and lib/.
# SUFFIX: how the libraries' names end for this Python. RUNPATH: leads from them to Open MPI's. Needs g++.
set -e
cd "$1/horovod"
build() {
    out=$1
    shift
    g++ -shared -fPIC -std=c++11 -O2 -w -include stdexcept -D_GLIBCXX_USE_CXX11_ABI=0 -DOMPI_SKIP_MPICXX "$@" -o "$out"
}
mpi="-L$2/lib -l:libmpi.so.40"
build "common/mpi_lib$3" -I"$2/include" common/common.cc common/mpi_message.cc common/operations.cc common/timeline.cc \
    $mpi -Wl,-rpath,"$4"
build "tensorflow/mpi_lib$3" -I"$2/include" -I../tensorflow/include -I../tensorflow/include/external/nsync/public \
    tensorflow/mpi_ops.cc -L../tensorflow -ltensorflow_framework $mpi -Wl,-rpath,"$4"
