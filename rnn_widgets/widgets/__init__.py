"""The live lab: a network whose sliders, figures and tables are driven in the browser."""
