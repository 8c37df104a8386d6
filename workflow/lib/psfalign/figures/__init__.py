"""Figures of a result. They draw arrays; matplotlib is loaded where one is drawn."""
