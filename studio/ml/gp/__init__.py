"""Gaussian processes by hand, float64 on the CPU. The rooms, from the bottom:

    kernel, stationary, oscillating, dot_product, processes   covariance functions and how they combine
    grammar       kernels as text, both ways: parse("1.2*RBF(0.4) + Periodic(1)*Linear"), str(kernel), KERNELS, usage
    mean, model   mean functions; Model(kernel, noise, mean) and Data.of(x, y, noise): plain values
    formula       prior, joint, conditional as they stand in the book
    factor        Cholesky with its jitter told
    exact         Posterior.of(model, data): predict, at, evidence, gradient, leave_one_out
    dragging      Dragging.of(model, data, index, grid).move(x, y): the same for one moving point, in well under a frame
    threads       one BLAS thread for answers that must not wait

Points are [n, d] throughout; `model.points` makes them from anything like an array. Everything a person can put right
raises a subclass of `errors.GPError`.
"""
