"""Reinforcement learning in finite worlds, written to be read. The rooms, from the bottom:

    model         Model(table, starts): what follows each action, as Gymnasium's P holds it; the same as arrays
    walk          Environment, the door to any world; Walk(model, seed) walks through a model
    grid          GridWorld, a frozen value that edits give anew; cliff(), frozen_lake(), windy()
    exploration   schedules over episodes; EpsilonGreedy, greedy(), Softmax
    agent         Agent(world, settings, seed).step() -> Transition with its Updates; checkpoint, resume
    td            Sarsa, QLearning, ExpectedSarsa, DoubleQ
    multistep     NStepSarsa, SarsaLambda, MonteCarlo
    dyna          DynaQ
    kinds         all agents by name: KINDS, agent_of
    planning      evaluate, value_iteration, policy_iteration, optimum: the ground truth
    lockstep      many seeds at once, each bit for bit the run of the agent with that seed
    experiment    the same world and seeds for on-policy and off-policy: trial, gaps
    offpolicy     importance sampling: one policy judged by the episodes of another

Behind one door, for tables, networks and agents of other libraries alike:

    learner       Learner, what every agent can do; episodes as seeds and actions; knobs, their settings
    tabular       TabularLearner, the agents above behind that door; deep, sb3: the others
    worlds        which world, what it is, copies of it
    learners      every agent by name: LEARNERS, make
    session       Session(plan).advance(): seeds in turn; change, edit, marks, rewind, branch, evaluate
    record, marks what is written down of a run, and the ways back
    store, agents checkpoints on the disk; agents as files that load as policies
    statistics    curves of seeds on one axis, bands; tensorboard: event files

Every choice of a tabular agent takes one draw of the agent's own stream and every uncertain step one of the world's; nothing else draws.
Everything a person can put right raises a subclass of `errors.RLError`.
"""
