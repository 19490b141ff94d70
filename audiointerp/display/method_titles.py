"""The methods as papers write them, by their names."""

METHOD_TITLES = {
    "saliency": "Saliency",
    "gradcam": "Grad-CAM",
    "shap": "SHAP",
    "lime": "LIME",
    "random": "Random",
    "integrated_gradients": "Integrated gradients",
    "smoothgrad": "SmoothGrad",
    "gradient_shap": "GradientSHAP",
    "kernel_shap": "Kernel SHAP",
    "occlusion": "Occlusion",
    "guided_gradcam": "Guided Grad-CAM",
    "layercam": "LayerCAM",
    "rise": "RISE",
    "rise_logit": "Logit-RISE",
    "mask_gradient": "MaskGradient",
    "optimal": "Optimal mask",
}
"""A method of your own has none, and is shown by its name."""
