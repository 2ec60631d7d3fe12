// The colours of the windows (axonlike/components/ui/theme.py, instrument.py) as far as a canvas needs them, and a font.

export const BACKGROUND = "#12151b";
export const CARD = "#191d25";
export const LINE = "#303744";
export const PLOT = "#101218";
export const GRID = "#242933";
export const FINE_GRID = "#1b1f27";
export const TEXT = "#e2e6ee";
export const DIM = "#858fa1";
export const TRACES = ["#5ebcff", "#ffb85c", "#48d6aa", "#f08ec4", "#eee06e", "#a89eff", "#ff8466"];
export const FAMILY = '"Noto Sans", "DejaVu Sans", system-ui, sans-serif';
