"""How long the work takes, the published way and with the library; see RESULTS.md.

``make bench`` runs it. The published way is written here from the calls that the study's scripts
make, in their order: one clip at a time, captum, pytorch-grad-cam, shap, lime and Quantus, on a
network with functional ReLUs.
"""
