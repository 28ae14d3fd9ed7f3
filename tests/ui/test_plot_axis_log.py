"""Logarithmic axes name their powers of ten; pyqtgraph gives them no spacing."""

from __future__ import annotations


def test_a_logarithmic_axis_can_be_drawn(qtbot):
    from studio.ui.curves import Curves
    from studio.ui.theme import theme

    theme().apply("light")
    curves = Curves("step", "length", log_y=True)
    qtbot.addWidget(curves)
    curves.resize(300, 220)
    curves.set_series("a", [1, 2, 3], [0.01, 1.0, 100.0])
    curves.show()
    qtbot.waitExposed(curves)
    curves.refresh()
    assert not curves.grab().isNull()
    axis = curves.plot_item().getAxis("left")
    assert axis.logMode and axis.tickStrings([0.0, 2.0], 1.0, None) == ["1", "10²"]
