"""Gaussian processes by hand, float64 on the CPU. The rooms, from the bottom:

    kernel, stationary, oscillating, dot_product, processes   covariance functions and how they combine
    grammar       kernels as text, both ways: parse("1.2*RBF(0.4) + Periodic(1)*Linear"), str(kernel), KERNELS, usage
    mean, model   mean functions; Model(kernel, noise, mean) and Data.of(x, y, noise): plain values
    formula       prior, joint, conditional as they stand in the book
    factor        Cholesky with its jitter told
    exact         Posterior.of(model, data): predict, at, evidence, gradient, leave_one_out
    dragging      Dragging.of(model, data, index, grid).move(x, y): the same for one moving point, in well under a frame
    descent, objective, fitting                               hyper-parameters: fit(model, data) yields every evaluation
    starting, landscape, uncertainty, nuts                    where to begin, the hills, Laplace and samples
    search        search(data): structures by BIC, a growing tree
    samples       posterior_samples and Pathwise: the same seed is the same function, however the points move
    calculus, components                                      slopes, integrals; a sum of kernels taken apart
    sparse        SGPR to 10^5 points; spread chooses inducing points
    translation, stochastic                                   SVGP through GPyTorch (optional) to 10^6: train
    classification, student                                   labels (Classifier) and heavy tails (StudentPosterior)
    datasets      what statsmodels and scikit-learn carry
    threads       one BLAS thread for answers that must not wait

`fit` takes any of the posteriors: condition=Posterior.of, Classifier.of, or a partial of SparsePosterior.of (inducing)
or StudentPosterior.of (degrees).

Points are [n, d] throughout; `model.points` makes them from anything like an array. Everything a person can put right
raises a subclass of `errors.GPError`.
"""
