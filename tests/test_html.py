"""What a notebook shows of the records."""

from conftest import noise, small_classifier

import audiointerp as ai


def test_records_in_a_notebook():
    classifier = small_classifier()
    spectrogram = classifier.transform(noise(1.0))
    attribution = ai.GradCAM(classifier.network)(spectrogram.db, target=1)
    shown = classifier._repr_html_()
    assert "label0, label1, label2" in shown
    assert "1 s at 32000 Hz, normalised: peak" in shown
    assert "<td>1, 64, 101</td>" in spectrogram._repr_html_()
    assert "grid (" in attribution._repr_html_()
    assert f"{float(attribution.probs[0, 1]):.3f}" in attribution._repr_html_()


def test_labels_are_escaped_and_cut():
    labels = ["<script>", *(f"label{number}" for number in range(29))]
    shown = ai.Classifier(ai.Cnn6(30, base_channels=2), ai.LogMel(), labels)._repr_html_()
    assert "&lt;script&gt;" in shown
    assert "and 10 more" in shown
