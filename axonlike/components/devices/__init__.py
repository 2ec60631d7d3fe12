"""Components: devices. Those of sampled signals need numpy (the extra "signals")."""

from typing import TYPE_CHECKING

from axonlike.components.devices.serial import (
    SerialLines,
    SerialLost,
    SerialOpened,
    SerialPort,
    SerialStatistics,
    SerialUnavailable,
)
from axonlike.late import loaded_late

if TYPE_CHECKING:
    from axonlike.components.devices.audio import (
        AudioGap,
        AudioIn,
        AudioLost,
        AudioOpened,
        AudioOut,
        AudioStalled,
        AudioStatistics,
        AudioUnavailable,
        AudioUnderrun,
    )
    from axonlike.components.devices.brainamp import BrainAmp
    from axonlike.components.devices.emotiv import Emotiv
    from axonlike.components.devices.lsl import LSLGap, LSLInlet, LSLLost, LSLMarker, LSLOpened, LSLOutlet, LSLTimes
    from axonlike.components.devices.openbci import OpenBCI
    from axonlike.components.devices.player import ArrayPlayer
    from axonlike.components.devices.soundcard import AudioDevice, list_audio_devices
    from axonlike.components.devices.synthetic import Noise, Tone
    from axonlike.components.devices.video import (
        VideoGap,
        VideoIn,
        VideoLost,
        VideoOpened,
        VideoStatistics,
        VideoUnavailable,
    )
    from axonlike.components.devices.wsa4000.component import WSA4000, RadioConnected, RadioDisconnected

__getattr__ = loaded_late(
    __name__,
    {
        "audio": (
            "AudioGap AudioIn AudioLost AudioOpened AudioOut AudioStalled AudioStatistics "
            "AudioUnavailable AudioUnderrun"
        ),
        "brainamp": "BrainAmp",
        "emotiv": "Emotiv",
        "lsl": "LSLGap LSLInlet LSLLost LSLMarker LSLOpened LSLOutlet LSLTimes",
        "openbci": "OpenBCI",
        "player": "ArrayPlayer",
        "soundcard": "AudioDevice list_audio_devices",
        "synthetic": "Noise Tone",
        "video": "VideoGap VideoIn VideoLost VideoOpened VideoStatistics VideoUnavailable",
        "wsa4000.component": "RadioConnected RadioDisconnected WSA4000",
    },
)

__all__ = [
    "ArrayPlayer",
    "AudioDevice",
    "AudioGap",
    "AudioIn",
    "AudioLost",
    "AudioOpened",
    "AudioOut",
    "AudioStalled",
    "AudioStatistics",
    "AudioUnavailable",
    "AudioUnderrun",
    "BrainAmp",
    "Emotiv",
    "LSLGap",
    "LSLInlet",
    "LSLLost",
    "LSLMarker",
    "LSLOpened",
    "LSLOutlet",
    "LSLTimes",
    "Noise",
    "OpenBCI",
    "RadioConnected",
    "RadioDisconnected",
    "SerialLines",
    "SerialLost",
    "SerialOpened",
    "SerialPort",
    "SerialStatistics",
    "SerialUnavailable",
    "Tone",
    "VideoGap",
    "VideoIn",
    "VideoLost",
    "VideoOpened",
    "VideoStatistics",
    "VideoUnavailable",
    "WSA4000",
    "list_audio_devices",
]
