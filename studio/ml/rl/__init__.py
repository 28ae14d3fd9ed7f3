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

Every choice takes one draw of the agent's own stream and every uncertain step one of the world's; nothing else draws.
Everything a person can put right raises a subclass of `errors.RLError`.
"""
