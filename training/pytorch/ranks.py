"""Has the ranks of a PyTorch job find one another, add up, and fit a line together. No data, a few seconds.

    python ranks.py [--steps 200]

The rank is ``AZ_BATCHAI_TASK_INDEX``, the place to meet ``AZ_BATCHAI_PYTORCH_INIT_METHOD``; RANKS says how many there
are. Each rank has points of its own; only all of them together tell the line. Runs on PyTorch 1.0 and later.

Lines to read results from (standard output of each rank):

    sum of ranks: 3 of 2 ranks
    y = 2.999 x + 0.501, weights differ by 0
"""

import argparse
import os

import torch
import torch.distributed


def largest_difference(parameters):
    """Give by how much any rank's parameters differ from the first rank's; every rank gets the same figure."""
    mine = torch.cat([parameter.detach().reshape(-1) for parameter in parameters])
    first = mine.clone()
    torch.distributed.broadcast(first, 0)
    difference = (mine - first).abs().max().reshape(1)
    torch.distributed.all_reduce(difference, torch.distributed.ReduceOp.MAX)
    return difference.item()


def fit(rank, ranks, steps):
    """Fit y = 3 x + 0.5, of which rank r knows the points with x between r and r + 1."""
    torch.manual_seed(1)
    x = (torch.arange(64).float() / 64 + rank) / ranks
    y = 3 * x + 0.5
    slope, offset = torch.zeros(1, requires_grad=True), torch.zeros(1, requires_grad=True)
    optimizer = torch.optim.SGD([slope, offset], lr=0.5)
    for _ in range(steps):
        optimizer.zero_grad()
        ((slope * x + offset - y) ** 2).mean().backward()
        for parameter in (slope, offset):
            torch.distributed.all_reduce(parameter.grad)
            parameter.grad /= ranks
        optimizer.step()
    return slope, offset


def main():
    """Read the command line, meet the others, and compute."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--ranks", type=int, required=True)
    parser.add_argument("--steps", type=int, default=200)
    options = parser.parse_args()
    rank = int(os.environ["AZ_BATCHAI_TASK_INDEX"])
    torch.set_num_threads(1)
    torch.distributed.init_process_group(
        "gloo",
        init_method=os.environ["AZ_BATCHAI_PYTORCH_INIT_METHOD"],
        rank=rank,
        world_size=options.ranks,
    )
    total = torch.ones(1) * (rank + 1)
    torch.distributed.all_reduce(total)
    print("sum of ranks: %d of %d ranks" % (total.item(), options.ranks))
    slope, offset = fit(rank, options.ranks, options.steps)
    difference = largest_difference([slope, offset])
    print("y = %.3f x + %.3f, weights differ by %g" % (slope.item(), offset.item(), difference))
    torch.distributed.barrier()


if __name__ == "__main__":
    main()
