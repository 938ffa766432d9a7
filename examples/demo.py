#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The main job: what POSH is for, on this machine.

Matrix multiplication by threads and by processes, producers and consumers on
a queue of one's own, and a worker that is killed while the others finish.
"""
import argparse
import os

import killed
import matrix
import prodcons

import posh


def main(argv=None):
    cores = max(2, os.cpu_count() or 2)
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("-n", "--size", type=int, default=200)
    parser.add_argument("-w", "--workers", type=int, default=min(cores, 8))
    parser.add_argument("-r", "--rounds", type=int, default=3)
    parser.add_argument("-s", "--silent", action="store_true")
    options = parser.parse_args(argv)
    size = [
        *("--size", str(options.size)),
        *("--workers", str(options.workers)),
        *("--rounds", str(options.rounds)),
    ]
    if options.silent:
        size.append("--silent")
    failed = 0
    for title, job, words in (
        ("Matrix multiplication", matrix.main, size),
        ("Producers and consumers", prodcons.main, []),
        ("A worker is killed", killed.main, []),
    ):
        if not options.silent:
            print(f"{title}\n{'-' * len(title)}", flush=True)
        failed += bool(job(words))
        if not options.silent:
            print(flush=True)
    print("all right" if not failed else f"{failed} jobs FAILED")
    return failed


if __name__ == "__main__":
    posh.exit(main())
