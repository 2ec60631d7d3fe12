from axonlike import Pipeline
from axonlike.components.ui import TextBox, Ticker

Pipeline(TextBox("to all:", hint="what is to be said", limit_chars=200), Ticker(height=90)).run()
