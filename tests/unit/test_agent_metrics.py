"""The page of metrics."""

from hypothesis import given
from hypothesis import strategies as st

from furiosa_npu.agent.metrics import Metric, render_metrics


def test_a_page_is_help_type_and_samples() -> None:
    """Compared whole; what is special in a label or a help text is escaped."""
    page = render_metrics(
        (
            Metric("a_cards", "gauge", "Cards.", (({"family": "warboy", "hwtype": ""}, 2), ({}, 1.5))),
            Metric("a_writes_total", "counter", 'Back\\slash and\nline "break".', (({"text": 'a"b\\c\nd'}, 0),)),
            Metric("a_empty_seconds", "gauge", "Nothing yet.", ()),
        )
    )
    assert page == (
        "# HELP a_cards Cards.\n"
        "# TYPE a_cards gauge\n"
        'a_cards{family="warboy",hwtype=""} 2\n'
        "a_cards 1.5\n"
        '# HELP a_writes_total Back\\\\slash and\\nline "break".\n'
        "# TYPE a_writes_total counter\n"
        'a_writes_total{text="a\\"b\\\\c\\nd"} 0\n'
        "# HELP a_empty_seconds Nothing yet.\n"
        "# TYPE a_empty_seconds gauge\n"
    )


@given(st.text(), st.floats(allow_nan=False, allow_infinity=False))
def test_a_sample_is_one_line_and_its_value_is_exact(text: str, value: float) -> None:
    """No text from a driver can forge a sample."""
    page = render_metrics((Metric("m", "gauge", "", (({"l": text}, value),)),))
    assert len(page.split("\n")) == 4
    assert float(page.split("\n")[2].rpartition(" ")[2]) == value
