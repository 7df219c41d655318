"""Regression and classification: one model of independent rows for every group.

Any estimator of scikit-learn, or that behaves like one. What happens over time is ``forecast``'s.
"""
