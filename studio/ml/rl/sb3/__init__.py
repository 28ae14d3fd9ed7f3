"""Agents of Stable-Baselines3 behind the door of `learner.py`, and its saved agents, opened without running anything.

    settings    SB3Settings: the algorithm, its usual knobs, further keyword arguments as JSON
    handover    Handover: a function in a thread of its own that moves only while somebody waits for it
    streams     Streams: the global random streams, borrowed for that time and given back
    venv        our Worlds as the vectorised environment of Stable-Baselines3
    listening   where its learning hands back: after each vector step and each gradient step
    policies    what its networks say about an observation; frozen copies that act
    learner     SB3Learner
    archive     open_zip: a saved agent; space and rebuilt make its networks anew from their weights

Only `venv`, `listening` and `learner` need the package, which is optional; nothing here is imported before it is used.
"""
