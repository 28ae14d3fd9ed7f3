"""Agents with networks, as loops that are advanced one bounded step at a time. The rooms, from the bottom:

    settings       dataclasses of knobs; read without torch
    networks       perceptrons, convolutions, one-hot states; parameters as one vector
    plain          perceptrons evaluated by numpy, for a few rows
    distributions  over actions, for networks to learn by
    base           DeepLearner: worlds, streams, one thread, last good weights, keeping and looking
    normalise      running moments of observations and rewards
    rollout        steps of parallel worlds, GAE advantages
    actor_critic   policy and critic; Actor collects, ActorPolicy is frozen
    onpolicy       collecting, then an update: what PPO and A2C share
    ppo, a2c       the agents on policy
    replay         transitions in a ring, n-step sums; prioritised draws by error
    offpolicy      when to collect and when to learn: what DQN and SAC share
    dqn, sac       the agents off policy
    saliency       what in an observation an agent goes by
"""
