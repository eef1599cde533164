"""Trains a small network on MNIST with Caffe2, in one process or in ranks that train together.

    python mnist.py DATA OUTPUT --ranks N [--epochs 3] [--samples 12000] [--batch 64]

DATA holds MNIST in CNTK's text form; ``digits.py`` lies beside this file. The rank is AZ_BATCHAI_TASK_INDEX; ranks meet
in AZ_BATCHAI_SHARED_JOB_TEMP. Each takes its part of every batch, and they average gradients. The first one reports,
saves the model to OUTPUT and checks it. Runs on the Caffe2 of PyTorch 1.0, Python 2.7 and 3, on the CPU.

Lines to read results from (standard output):

    Epoch 1 of 3: loss 0.512345 in 9.1 s
    Test error: 4.21 %
    trained by 2 ranks, weights differ by 0
"""

from __future__ import print_function

import argparse
import os
import sys
import time

import digits
import numpy
from caffe2.python import brew, core, model_helper, optimizer, workspace
from caffe2.python.predictor import mobile_exporter


def meet(rank, ranks):
    """Have the ranks find one another; the world is then the blob ``world``."""
    folder = os.path.join(os.environ["AZ_BATCHAI_SHARED_JOB_TEMP"], "caffe2")
    try:
        os.makedirs(folder)
    except OSError:  # another rank made it
        pass
    run("FileStoreHandlerCreate", [], ["store"], path=folder, prefix="ranks")
    run("CreateCommonWorld", ["store"], ["world"], size=ranks, rank=rank, engine="GLOO", name="world")


def run(operator, inputs, outputs, **arguments):
    """Run one operator."""
    workspace.RunOperatorOnce(core.CreateOperator(operator, inputs, outputs, **arguments))


def scores(model):
    """Two layers of 128 and 10."""
    hidden = brew.relu(model, brew.fc(model, "images", "hidden", 784, 128), "active")
    return brew.fc(model, hidden, "scores", 128, 10)


def prepare(options):
    """Make the net that trains, with equal weights in all ranks; gives it."""
    model = model_helper.ModelHelper("train")
    _, loss = model.net.SoftmaxWithLoss([scores(model), "labels"], ["softmax", "loss"])
    gradients = model.AddGradientOperators([loss])
    for name in [str(parameter) for parameter in model.params]:
        if options.ranks > 1:
            gradient = gradients[name]
            model.net.Allreduce(["world", gradient], gradient, engine="GLOO")
            model.net.Scale(gradient, gradient, scale=1.0 / options.ranks)
    optimizer.build_adam(model, base_learning_rate=0.001)
    workspace.FeedBlob("images", numpy.zeros((1, 784), numpy.float32))
    workspace.FeedBlob("labels", numpy.zeros(1, numpy.int32))
    numpy.random.seed(1)
    workspace.RunNetOnce(model.param_init_net)
    for parameter in model.params:
        shape = workspace.FetchBlob(parameter).shape
        if len(shape) == 2:
            values = numpy.random.randn(*shape) * (2.0 / shape[1]) ** 0.5
            workspace.FeedBlob(parameter, values.astype(numpy.float32))
    workspace.CreateNet(model.net)
    return model


def train(options, rank, model):
    """Train the net on this rank's part of every batch."""
    images, labels = digits.read_train(options.data, options.samples)
    labels = labels.astype(numpy.int32)
    part = options.batch // options.ranks
    order = numpy.random.RandomState(2)  # the same in every rank
    for epoch in range(1, options.epochs + 1):
        begun, losses = time.time(), []
        shuffled = order.permutation(len(labels))
        for start in range(0, len(labels) - options.batch + 1, options.batch):
            chosen = shuffled[start + rank * part : start + (rank + 1) * part]
            workspace.FeedBlob("images", images[chosen])
            workspace.FeedBlob("labels", labels[chosen])
            workspace.RunNet(model.net)
            losses.append(float(workspace.FetchBlob("loss")))
        seconds = time.time() - begun
        print("Epoch %d of %d: loss %.6f in %.1f s" % (epoch, options.epochs, numpy.mean(losses), seconds))
        sys.stdout.flush()


def largest_difference(model):
    """Give by how much, added up over ranks, weights differ from the first rank's."""
    mine = numpy.concatenate([workspace.FetchBlob(parameter).ravel() for parameter in model.params])
    workspace.FeedBlob("first", mine)
    run("Broadcast", ["world", "first"], ["first"], root=0, engine="GLOO")
    workspace.FeedBlob("difference", abs(mine - workspace.FetchBlob("first")).max().reshape(1))
    run("Allreduce", ["world", "difference"], ["difference"], engine="GLOO")
    return float(workspace.FetchBlob("difference")[0])


def check(options, trained):
    """Save the model and say how many test digits it reads wrongly."""
    model = model_helper.ModelHelper("read", init_params=False)
    answer = scores(model)
    model.net.AddExternalOutput(answer)
    start, predict = mobile_exporter.Export(workspace, model.net, trained.params)
    for name, net in (("init_net.pb", start), ("predict_net.pb", predict)):
        with open(os.path.join(options.output, name), "wb") as file:
            file.write(net.SerializeToString())
    images, labels = digits.read_test(options.data)
    workspace.FeedBlob("images", images)
    workspace.RunNetOnce(model.net)
    read = workspace.FetchBlob(str(answer)).argmax(1)
    print("Test error: %.2f %%" % (100.0 * (read != labels).mean()))


def main():
    """Read the command line, meet the others, train."""
    parser = argparse.ArgumentParser()
    parser.add_argument("data")
    parser.add_argument("output")
    parser.add_argument("--ranks", type=int, required=True)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--samples", type=int, default=12000)
    parser.add_argument("--batch", type=int, default=64)
    options = parser.parse_args()
    if options.batch < options.ranks:
        parser.error("--batch must be at least --ranks")
    workspace.GlobalInit(["caffe2", "--caffe2_log_level=2"])
    rank, difference = int(os.environ["AZ_BATCHAI_TASK_INDEX"]), 0.0
    if options.ranks > 1:
        meet(rank, options.ranks)
    model = prepare(options)
    train(options, rank, model)
    if options.ranks > 1:
        difference = largest_difference(model)
    if rank == 0:
        check(options, model)
    print("trained by %d ranks, weights differ by %g" % (options.ranks, difference))


if __name__ == "__main__":
    main()
