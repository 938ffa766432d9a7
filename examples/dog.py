#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A user's class: one dog, taught by two processes."""
import posh


class Dog:
    def __init__(self, name):
        self.name = name
        self.tricks = []

    def learn(self, trick):
        """Runs inside the dog's monitor: one trick at a time."""
        if trick not in self.tricks:
            self.tricks.append(trick)

    def __repr__(self):
        return f"{self.name}, who can {', '.join(sorted(self.tricks))}"


posh.allow_sharing(Dog)


def teach(dog, *tricks):
    for trick in tricks:
        dog.learn(trick)


def main():
    rex = posh.share(Dog("Rex"))
    print("isinstance(rex, Dog):", isinstance(rex, Dog))
    pids = [
        posh.forkcall(teach, rex, "sit", "roll", "sit"),
        posh.forkcall(teach, rex, "sit", "fetch"),
    ]
    statuses = posh.waitall(pids)
    rex.name = "Rex the wise"
    print(rex)

    private = posh.unshare(rex)
    private.learn("speak")
    print("a private copy:", private)
    right = sorted(rex.tricks) == ["fetch", "roll", "sit"]
    return any(statuses.values()) or not right


if __name__ == "__main__":
    posh.exit(main())
