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
    from axonlike.components.devices.brainamp import (
        MARKER,
        BrainAmp,
        BrainAmpStatistics,
        MonitoringStarted,
        MonitoringStopped,
    )
    from axonlike.components.devices.descriptor_source import DeviceGap, DeviceLost, DeviceOpened, DeviceUnavailable
    from axonlike.components.devices.emotiv import Emotiv, EmotivBattery, EmotivStatistics
    from axonlike.components.devices.lsl import LSLGap, LSLInlet, LSLLost, LSLMarker, LSLOpened, LSLOutlet, LSLTimes
    from axonlike.components.devices.openbci import (
        BoardAnswered,
        BoardReady,
        BoardSilent,
        OpenBCI,
        OpenBCIStatistics,
        TestSignal,
    )
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
        "brainamp": "BrainAmp BrainAmpStatistics MARKER MonitoringStarted MonitoringStopped",
        "descriptor_source": "DeviceGap DeviceLost DeviceOpened DeviceUnavailable",
        "emotiv": "Emotiv EmotivBattery EmotivStatistics",
        "lsl": "LSLGap LSLInlet LSLLost LSLMarker LSLOpened LSLOutlet LSLTimes",
        "openbci": "BoardAnswered BoardReady BoardSilent OpenBCI OpenBCIStatistics TestSignal",
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
    "BoardAnswered",
    "BoardReady",
    "BoardSilent",
    "BrainAmp",
    "BrainAmpStatistics",
    "DeviceGap",
    "DeviceLost",
    "DeviceOpened",
    "DeviceUnavailable",
    "Emotiv",
    "EmotivBattery",
    "EmotivStatistics",
    "LSLGap",
    "LSLInlet",
    "LSLLost",
    "LSLMarker",
    "LSLOpened",
    "LSLOutlet",
    "LSLTimes",
    "MARKER",
    "MonitoringStarted",
    "MonitoringStopped",
    "Noise",
    "OpenBCI",
    "OpenBCIStatistics",
    "RadioConnected",
    "RadioDisconnected",
    "SerialLines",
    "SerialLost",
    "SerialOpened",
    "SerialPort",
    "SerialStatistics",
    "SerialUnavailable",
    "TestSignal",
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
