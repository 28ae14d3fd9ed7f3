"""A hand that drags the length does not make torch count at every place it passes."""

from __future__ import annotations


def test_a_drag_is_counted_where_it_rests(anatomy_room):
    panel = anatomy_room(model="preset:distilbert", tokens=32)
    panel.stage.show_page("flops")
    counted = []
    panel.desk.counted.connect(counted.append)
    curves = list(panel.stage.flops.cost.item.listDataItems())
    for x in (2.0, 2.1, 2.2, 2.3):
        panel.stage.flops.cost.ruled.emit(x)
        assert panel.look.tokens == round(10**x), "the arithmetic follows at once"
    anatomy_room.quiet()
    assert [found.key[2] for found in counted] == [100, 200]
    assert panel.look.measured.metered.stacks["transformer.layer"] == panel.look.cost().total
    assert list(panel.stage.flops.cost.item.listDataItems()) == curves, "no curve is drawn anew"
    dot = next(item for item in curves if item.name() == "counted")
    assert dot.getOriginalDataset()[0].tolist() == [200]


def test_the_arithmetic_of_a_drag_is_quick(anatomy_room):
    import time

    panel = anatomy_room(model="preset:llama-70b", tokens=64)
    panel.stage.show_page("flops")
    begin = time.process_time()
    for i in range(20):
        panel.controls.set({"tokens": 1000 + i})
    took = (time.process_time() - begin) / 20
    anatomy_room.quiet()
    assert took < 0.1  # on an idle machine some 5 ms
