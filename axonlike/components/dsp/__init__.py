"""Processing of sampled signals. Needs numpy and scipy: ``pip install "axonlike[signals]"``."""

from typing import TYPE_CHECKING

from axonlike.late import loaded_late

if TYPE_CHECKING:
    from axonlike.components.dsp.averaging import Average, MaxHold, MinHold
    from axonlike.components.dsp.block import Block
    from axonlike.components.dsp.calibrate import Calibrate
    from axonlike.components.dsp.channels import ChannelSelect, ChannelSplit
    from axonlike.components.dsp.convert import Convert
    from axonlike.components.dsp.demodulate import AMDemodulate, FMDemodulate, FrequencyShift
    from axonlike.components.dsp.epochs import Epoch, EventEpochs, Missed, Stack
    from axonlike.components.dsp.filters import Butterworth, Notch, SosFilter
    from axonlike.components.dsp.filtfilt import OverlapFiltfilt, overlap_for
    from axonlike.components.dsp.monitor import StreamMonitor, StreamReport
    from axonlike.components.dsp.rechunk import Rechunk
    from axonlike.components.dsp.reference import Rereference
    from axonlike.components.dsp.resample import Decimate, Resample
    from axonlike.components.dsp.ring import Ring
    from axonlike.components.dsp.spectrum import FFT
    from axonlike.components.dsp.spikes import ThresholdSpikes
    from axonlike.components.dsp.sweep import SweepStep, SweepStitch, plan_sweep
    from axonlike.components.dsp.timefreq import TimeFreq
    from axonlike.components.dsp.triggers import AnalogTrigger, DigitalTrigger

__getattr__ = loaded_late(
    __name__,
    {
        "averaging": "Average MaxHold MinHold",
        "block": "Block",
        "calibrate": "Calibrate",
        "channels": "ChannelSelect ChannelSplit",
        "convert": "Convert",
        "demodulate": "AMDemodulate FMDemodulate FrequencyShift",
        "epochs": "Epoch EventEpochs Missed Stack",
        "filters": "Butterworth Notch SosFilter",
        "filtfilt": "OverlapFiltfilt overlap_for",
        "monitor": "StreamMonitor StreamReport",
        "rechunk": "Rechunk",
        "reference": "Rereference",
        "resample": "Decimate Resample",
        "ring": "Ring",
        "spectrum": "FFT",
        "spikes": "ThresholdSpikes",
        "sweep": "SweepStep SweepStitch plan_sweep",
        "timefreq": "TimeFreq",
        "triggers": "AnalogTrigger DigitalTrigger",
    },
)

__all__ = [
    "AMDemodulate",
    "AnalogTrigger",
    "Average",
    "Block",
    "Butterworth",
    "Calibrate",
    "ChannelSelect",
    "ChannelSplit",
    "Convert",
    "Decimate",
    "DigitalTrigger",
    "Epoch",
    "EventEpochs",
    "FFT",
    "FMDemodulate",
    "FrequencyShift",
    "MaxHold",
    "MinHold",
    "Missed",
    "Notch",
    "OverlapFiltfilt",
    "Rechunk",
    "Rereference",
    "Resample",
    "Ring",
    "SosFilter",
    "Stack",
    "StreamMonitor",
    "StreamReport",
    "SweepStep",
    "SweepStitch",
    "ThresholdSpikes",
    "TimeFreq",
    "overlap_for",
    "plan_sweep",
]
