#!/usr/bin/env python3
"""The kit beside PyTorch: training and prediction speed and peak memory, in turn on one machine, as ratios.

    pip install torch torchvision pretrainedmodels efficientnet-pytorch six munch tqdm
    make build && Benchmarks/compare.py [--size 224] [--batch 8] [--threads 2] [--rounds 3]

Each measurement is a process of its own, PyTorch (eager, channels_last, compiled) and the kit alternating; the ratio is that of the
medians, against PyTorch's best mode. Speeds are images a second, higher is better; memory is the process's peak, lower is better.
"""
import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time

BACKBONES = ["resnet34", "se_resnext50_32x4d", "efficientnet-b3"]
MODES = ["eager", "channels_last", "compiled"]


def model(name):
    import torch

    if name == "resnet34":
        import torchvision

        net = torchvision.models.resnet34()
        net.fc = torch.nn.Linear(512, 6)
    elif name == "se_resnext50_32x4d":
        import pretrainedmodels

        net = pretrainedmodels.se_resnext50_32x4d(pretrained=None)
        net.avg_pool = torch.nn.AdaptiveAvgPool2d(1)
        net.last_linear = torch.nn.Linear(2048, 6)
    else:
        from efficientnet_pytorch import EfficientNet

        net = EfficientNet.from_name("efficientnet-b3", num_classes=6)
    return net


def measure_pytorch(name, mode, size, batch, threads, seconds):
    import torch

    torch.set_num_threads(threads)
    net = model(name)
    x = torch.rand(batch, 3, size, size)
    target = (torch.rand(batch, 6) < 0.3).float()
    if mode == "channels_last":
        net, x = net.to(memory_format=torch.channels_last), x.to(memory_format=torch.channels_last)
    run = torch.compile(net) if mode == "compiled" else net
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-4)

    def step():
        optimizer.zero_grad()
        torch.nn.functional.binary_cross_entropy_with_logits(run(x), target).backward()
        optimizer.step()

    def predict():
        with torch.no_grad():
            run(x)

    def rate(body):
        body()
        begun, count = time.monotonic(), 0
        while count == 0 or time.monotonic() - begun < seconds:
            body()
            count += 1
        return count * batch / (time.monotonic() - begun)

    net.train()
    train = rate(step)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    net.eval()
    return {"train_images_per_second": train, "predict_images_per_second": rate(predict), "peak_memory_bytes": memory}


def in_process(command):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        print(f"{' '.join(command)}: {done.stderr.strip().splitlines()[-1:]}", file=sys.stderr)
        return None
    return json.loads(done.stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--backbone", choices=BACKBONES, action="append")
    parser.add_argument("--mode", choices=MODES, action="append")
    parser.add_argument("--repro", default=os.path.join(os.path.dirname(__file__), "../.build/release/repro"))
    parser.add_argument("--pytorch", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    sizes = [options.size, options.batch, options.threads]
    if options.pytorch:
        print(json.dumps(measure_pytorch(*options.pytorch, *sizes, options.seconds)))
        return

    print(f"{options.size} px, batch {options.batch}, {options.threads} threads; medians of {options.rounds} rounds")
    print(f"{'backbone':20} {'figure':26} {'repro':>12} {'PyTorch':>12} {'mode':14} ratio")
    for backbone in options.backbone or BACKBONES:
        kit, peers = [], {mode: [] for mode in options.mode or MODES}
        for _ in range(options.rounds):
            found = in_process([options.repro, "bench", "--json", "--backbone", backbone, "--size", str(options.size),
                                "--batch", str(options.batch), "--threads", str(options.threads)])
            kit.append(found[0])
            for mode in peers:
                found = in_process([sys.executable, __file__, "--pytorch", backbone, mode, "--size", str(options.size),
                                    "--batch", str(options.batch), "--threads", str(options.threads),
                                    "--seconds", str(options.seconds)])
                if found:
                    peers[mode].append(found)
        for figure in ["train_images_per_second", "predict_images_per_second", "peak_memory_bytes"]:
            ours = statistics.median(run[figure] for run in kit)
            theirs = {mode: statistics.median(run[figure] for run in runs) for mode, runs in peers.items() if runs}
            best = (min if figure == "peak_memory_bytes" else max)(theirs, key=theirs.get)
            unit = 1e6 if figure == "peak_memory_bytes" else 1
            print(f"{backbone:20} {figure:26} {ours / unit:12.2f} {theirs[best] / unit:12.2f} {best:14} "
                  f"{ours / theirs[best]:.2f}", flush=True)


if __name__ == "__main__":
    main()
