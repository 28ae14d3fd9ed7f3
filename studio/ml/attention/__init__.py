"""Attention in any transformer, seen truthfully. Nothing here touches the network. The rooms, from the bottom:

    errors        AttentionError and what a person can put right, in words
    values        plain values: Asked goes in; Site, Token, Reading, Guess, Scores come out
    folder        look(place): what a transformers folder holds, without reading a weight
    opening       open_folder(place) -> Subject: a model with its tokenizer or image processor, ready to be looked into
    subject       Subject: what every room above asks of a model; `public` and `own` are its two kinds
    reading, seeing                                 text, pictures and sound -> tensors; what every row and column is
    listening     the attention function that tells what it was given while the fast kernel computes; switches heads off
    sites, handed, heads                            where a network attends, and what comes after its layers
    capture       capture(subject, asked) -> Trace
    windows       windows(subject, asked): a text longer than the context, in pieces that overlap
    maps          head, row, column, crop, pooled, pyramid: any map of a Trace recomputed on demand, in bands
    mosaic        thumbnails(trace): all layers and heads, streamed
    statistics    of every head: entropy, sink, diagonal, previous token, induction, mean distance
    rollout       attention rollout, layer by layer; traced: one row of it for texts of any length
    relevancy     gradient x attention (Chefer): self, cross-attention, both towers of CLIP
    norms         || alpha v W^O ||: attention weighted by what it moves
    lens          what each layer would answer already (logit lens)
    ablation      heads switched off: their effect on the answer and on generation
    generation    Writing(subject, asked): token by token: maps that grow, probabilities, lens, bytes of the KV cache
    neuron        q * k of one pair of tokens, dimension by dimension

A map is float32 [T_q, T_k]; rows sum to 1 (to less where a model has a sink of its own); a cell that the mask forbids
is NaN, never 0. Whatever takes long is a generator of bounded steps: close it to stop. Everything a person can put
right raises a subclass of `errors.AttentionError`.

    subject = open_folder(Path("folder"))
    trace = capture(subject, Asked(text="A sentence"))
    site = trace.sites[0]
    weights = maps.head(trace, site.name, 0)        # rows: trace.rows(site).words, columns: trace.columns(site).words
"""
