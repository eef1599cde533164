"""Trains a small convolutional network on MNIST with PyTorch, in one process or in ranks that train together.

    python mnist.py DATA OUTPUT [--ranks 1] [--epochs 2] [--samples 12000] [--batch 64] [--learning_rate 0.05]

DATA holds MNIST in CNTK's text form; ``digits.py`` lies beside this file. The rank is AZ_BATCHAI_TASK_INDEX and the
place to meet AZ_BATCHAI_PYTORCH_INIT_METHOD. Each rank takes its part of every batch and they add up gradients, so
any number of ranks learns what one process learns. The first one reports, saves the model to OUTPUT and checks it.
Runs on PyTorch 1.0 and later, Python 2.7 and 3; on a GPU where there is one.

Lines to read results from (standard output):

    PyTorch 1.0.0 on cpu
    Epoch 1 of 2: loss 0.512345 in 9.1 s
    Test error: 4.21 %
    trained by 2 ranks on cpu, weights differ by 0
"""

import argparse
import os
import time

import digits
import torch
import torch.distributed
from torch import nn
from torch.nn import functional


class Network(nn.Module):
    """Two convolutions with poolings, and two dense layers."""

    def __init__(self):
        super(Network, self).__init__()
        self.first = nn.Conv2d(1, 8, 5)
        self.second = nn.Conv2d(8, 16, 5)
        self.third = nn.Linear(256, 64)
        self.last = nn.Linear(64, 10)

    def forward(self, images):
        """Give the scores of (N, 784) images."""
        seen = functional.max_pool2d(torch.relu(self.first(images.reshape(-1, 1, 28, 28))), 2)
        seen = functional.max_pool2d(torch.relu(self.second(seen)), 2)
        return self.last(torch.relu(self.third(seen.reshape(-1, 256))))


def add_gradients(network):
    """Have every rank hold the sum of all ranks' gradients."""
    gradients = [parameter.grad for parameter in network.parameters()]
    together = torch.cat([gradient.reshape(-1) for gradient in gradients])
    torch.distributed.all_reduce(together)
    place = 0
    for gradient in gradients:
        gradient.copy_(together[place : place + gradient.numel()].reshape(gradient.shape))
        place += gradient.numel()


def largest_difference(network):
    """Give by how much any rank's weights differ from the first rank's."""
    mine = torch.cat([parameter.detach().reshape(-1) for parameter in network.parameters()])
    first = mine.clone()
    torch.distributed.broadcast(first, 0)
    difference = (mine - first).abs().max().reshape(1)
    torch.distributed.all_reduce(difference, torch.distributed.ReduceOp.MAX)
    return difference.item()


def train(options, rank, device):
    """Train; gives the network."""
    images, labels = (torch.from_numpy(part) for part in digits.read_train(options.data, options.samples))
    torch.manual_seed(1)
    network = Network().to(device)
    optimizer = torch.optim.SGD(network.parameters(), lr=options.learning_rate, momentum=0.9)
    for epoch in range(1, options.epochs + 1):
        begun, losses = time.time(), []
        order = torch.randperm(len(labels))  # the same on every rank
        for start in range(0, len(order) - options.batch + 1, options.batch):
            chosen = order[start : start + options.batch][rank :: options.ranks]
            optimizer.zero_grad()
            scores = network(images[chosen].to(device))
            loss = functional.cross_entropy(scores, labels[chosen].to(device), reduction="sum")
            (loss / options.batch).backward()
            if options.ranks > 1:
                add_gradients(network)
            optimizer.step()
            losses.append(loss.item() / len(chosen))
        mean = sum(losses) / len(losses)
        print("Epoch %d of %d: loss %.6f in %.1f s" % (epoch, options.epochs, mean, time.time() - begun))
    return network


def check(options, network, device):
    """Save the model and say how many test digits it reads wrongly."""
    torch.save(network.state_dict(), os.path.join(options.output, "model.pt"))
    images, labels = (torch.from_numpy(part) for part in digits.read_test(options.data))
    with torch.no_grad():
        read = torch.cat([network(part.to(device)).argmax(1).cpu() for part in images.split(1000)])
    print("Test error: %.2f %%" % (100 * (read != labels).float().mean().item()))


def main():
    """Read the command line, meet the others, train."""
    parser = argparse.ArgumentParser()
    parser.add_argument("data")
    parser.add_argument("output")
    parser.add_argument("--ranks", type=int, default=1)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--samples", type=int, default=12000)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--learning_rate", type=float, default=0.05)
    options = parser.parse_args()
    if options.batch < options.ranks:
        parser.error("--batch must be at least --ranks, so that each rank has a digit of it")
    rank = int(os.environ.get("AZ_BATCHAI_TASK_INDEX") or 0)
    device = torch.device("cuda" if torch.cuda.is_available() and options.ranks == 1 else "cpu")
    if rank == 0:
        print("PyTorch %s on %s" % (torch.__version__, device.type))
    difference = 0.0
    if options.ranks > 1:
        torch.set_num_threads(1)
        where = os.environ["AZ_BATCHAI_PYTORCH_INIT_METHOD"]
        torch.distributed.init_process_group(
            "gloo", init_method=where, rank=rank, world_size=options.ranks
        )
    network = train(options, rank, device)
    if options.ranks > 1:
        difference = largest_difference(network)
    if rank == 0:
        check(options, network, device)
    print("trained by %d ranks on %s, weights differ by %g" % (options.ranks, device.type, difference))
    if options.ranks > 1:
        torch.distributed.barrier()


if __name__ == "__main__":
    main()
