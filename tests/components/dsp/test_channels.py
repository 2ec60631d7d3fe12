"""ChannelSelect and ChannelSplit: the right columns with their names, scale and index."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from axonlike import Graphline, Pipeline
from axonlike.components.dsp.channels import ChannelSelect, ChannelSplit
from axonlike.components.util import Collect
from axonlike.demand import is_live
from axonlike.errors import ComponentError, UsageError
from axonlike.streams.chunk import Chunk, StreamInfo
from axonlike.streamtype import StreamMismatch, StreamType
from axonlike.testing import Feeder, Probe, check_component, run_virtual

NAMES = ("C3", "C4", "Cz", "Oz", "EMG")
INFO = StreamInfo(
    kind="analog", dtype=np.dtype(np.int16), shape=(5,), sample_rate_hz=1000.0, name="EEG", channel_names=NAMES,
    scale=(1.0, 2.0, 3.0, 4.0, 5.0), offset=0.5,
)  # fmt: skip


def chunk(rows: int = 3, index: int = 0, info: StreamInfo = INFO) -> Chunk:
    data = np.arange(rows * 5, dtype=np.int16).reshape(rows, 5) + np.int16(100)
    return Chunk(data, info, index, 77)


@given(st.lists(st.integers(-5, 4) | st.sampled_from(NAMES), min_size=1, max_size=8))
def test_the_columns_are_those_that_were_named_in_that_order(channels: list[int | str]) -> None:
    sent = chunk(4, 10)
    (found,) = ChannelSelect(channels=channels).feed(sent)
    places = [NAMES.index(each) if isinstance(each, str) else each % 5 for each in channels]
    np.testing.assert_array_equal(found.data, sent.data[:, places])
    assert found.info.channel_names == tuple(NAMES[place] for place in places)
    assert found.info.scale == tuple(place + 1.0 for place in places)
    assert found.info.offset == 0.5
    assert (found.index, found.time_ns, found.info.shape) == (10, 77, (len(places),))


@given(cuts=st.lists(st.integers(0, 5000), max_size=6), channels=st.sampled_from([[0, 3, 1], [1, 2], ["EMG"]]))
def test_the_cutting_into_chunks_does_not_matter(cuts: list[int], channels: list[int | str]) -> None:
    values = np.random.default_rng(7).integers(-1000, 1000, (sum(cuts), 5)).astype(np.int16)
    whole = ChannelSelect(channels=channels).feed(Chunk(values, INFO))[0]
    select, split = ChannelSelect(channels=channels), ChannelSplit({"some": channels})
    end = 0
    for rows in cuts:
        chunk = Chunk(values[end : end + rows], INFO, end)
        for found in (*select.feed(chunk), split.feed(chunk)["some"]):
            assert found.index == end
            np.testing.assert_array_equal(found.data, whole.data[end : end + rows])
        end += rows


@pytest.mark.parametrize("channels", [[0], [1, 2, 3], [4, 3], [0, 2, 4], [4, 2, 0], "Cz", [-1]])
def test_channels_in_equal_steps_are_not_copied(channels: Any) -> None:
    sent = chunk()
    (found,) = ChannelSelect(channels=channels).feed(sent)
    assert np.shares_memory(found.data, sent.data)


def test_a_stream_without_names_has_channels_by_number() -> None:
    info = INFO.replace(channel_names=())
    (found,) = ChannelSelect(channels=[3, 1]).feed(chunk(info=info))
    assert found.info.channel_names == ()
    with pytest.raises(StreamMismatch, match=r"no channel 'C3' .channels: 5 without names"):
        ChannelSelect(channels="C3").feed(chunk(info=info))


def test_a_map_keeps_its_bins() -> None:
    info = StreamInfo(kind="map", dtype=np.dtype(np.float32), shape=(3, 4))
    data = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    (found,) = ChannelSelect(channels=[2, 0]).feed(Chunk(data, info))
    np.testing.assert_array_equal(found.data, data[:, [2, 0]])
    assert found.info.shape == (2, 4)


def test_the_streams_that_follow_have_one_info_as_long_as_the_source_has() -> None:
    select = ChannelSelect(channels=[1])
    one, two = select.feed(chunk()) + select.feed(chunk(index=3))
    assert one.info is two.info
    (three,) = select.feed(chunk(index=6, info=INFO.replace(units="uV")))
    assert three.info.units == "uV"


@pytest.mark.parametrize("channel", [5, -6, "C5"])
def test_a_channel_that_is_not_there_is_told_with_those_that_are(channel: int | str) -> None:
    with pytest.raises(StreamMismatch, match=r"the stream EEG has no channel .*\(channels: C3, C4, Cz, Oz, EMG\)"):
        ChannelSelect(channels=[0, channel]).feed(chunk())
    with pytest.raises(ComponentError, match="has no channel"):
        run_virtual(Pipeline(Feeder([chunk()]), ChannelSelect(channels=channel), Probe()))


@pytest.mark.parametrize("channels", [[], None, [None], [1.5], [True], {}])
def test_what_names_no_channels_is_refused(channels: Any) -> None:
    with pytest.raises(UsageError, match="channels are their numbers"):
        ChannelSelect(channels=channels)
    with pytest.raises(UsageError, match="ChannelSplit: left: channels are"):
        ChannelSplit({"left": channels})


def test_channels_can_be_changed_and_a_wrong_one_leaves_them() -> None:
    select = ChannelSelect(channels=[0])
    select.change(channels=["C4"])  # before any stream
    (found,) = select.feed(chunk())
    assert found.info.channel_names == ("C4",)
    with pytest.raises(UsageError, match="no channel 9"):
        select.change(channels=9)
    assert select.channels == ("C4",)
    select.change(channels=["Cz", 0])
    (found,) = select.feed(chunk(index=3))
    assert found.info.channel_names == ("Cz", "C3")


def test_streams_without_channels_do_not_fit() -> None:
    video = StreamInfo(kind="video", dtype=np.dtype(np.uint8), shape=(4, 4, 3))
    with pytest.raises(StreamMismatch, match="kind video, wanted analog"):
        ChannelSelect(channels=0).feed(Chunk(video.empty(1), video))
    with pytest.raises(StreamMismatch, match="kind video, wanted analog"):
        ChannelSplit({"a": 0}).feed(Chunk(video.empty(1), video))
    source = Probe()
    source.specify("outbox", stream=StreamType(kind="iq"))
    with pytest.raises(StreamMismatch, match="kind iq"):
        Pipeline(source, ChannelSelect(channels=0))


# -- ChannelSplit


def test_each_group_comes_out_of_its_own_outbox_with_the_same_index() -> None:
    left, right = Collect(), Collect()
    split = ChannelSplit({"left": [0], "right": ["C4", 3]})
    run_virtual(
        Graphline(
            links="F -> S; S.left -> L; S.right -> R",
            F=Feeder([chunk(3, 0), chunk(2, 3), chunk(2, 9)]), S=split, L=left, R=right,
        )
    )  # fmt: skip
    assert [each.index for each in left.messages] == [each.index for each in right.messages] == [0, 3, 9]
    assert left.messages[0].info.channel_names == ("C3",)
    assert right.messages[0].info.channel_names == ("C4", "Oz")
    np.testing.assert_array_equal(right.messages[1].data, chunk(2).data[:, [1, 3]])


def test_a_group_that_nobody_takes_is_passed_over() -> None:
    left = Collect()
    split = ChannelSplit({"left": [0], "right": [1]})
    run_virtual(Graphline(links="F -> S; S.left -> L", F=Feeder([chunk()]), S=split, L=left))
    assert len(left.messages) == 1
    assert split.lost_at_sending()["unlinked"] == {}


def test_while_nobody_takes_anything_that_is_counted() -> None:
    split = ChannelSplit({"left": [0], "right": [1]})
    run_virtual(Pipeline(Feeder([chunk(), chunk(index=3)]), split))
    assert split.lost_at_sending()["unlinked"] == {"outbox": 2}


def test_the_outbox_has_what_came() -> None:
    whole, left, sent = Collect(), Collect(), chunk()
    split = ChannelSplit({"left": [0]})
    split.link((split, "left"), (left, "inbox"))
    run_virtual(Pipeline(Feeder([sent]), split, whole), left)
    assert whole.messages == [sent]
    assert len(left.messages) == 1


@pytest.mark.parametrize("taken", [(), ("left",), ("right",), ("left", "right"), ("outbox",)])
def test_one_group_that_is_taken_is_demand_enough(taken: tuple[str, ...]) -> None:
    split, live = ChannelSplit({"left": [0], "right": [1]}), []
    views = [Probe() for _ in taken]
    for name, view in zip(taken, views):
        split.link((split, name), (view, "inbox"))

    class Look(Probe):
        def main(self) -> Any:
            live.append(is_live(split))
            yield

    run_virtual(split, *views, Look(), until_s=1)
    assert live == [bool(taken)]


def test_it_takes_its_source_as_an_argument() -> None:
    source, left = Feeder([chunk()]), Collect()
    source.specify("outbox", type=Chunk)
    split = ChannelSplit({"left": [0]}, source)
    split.link((split, "left"), (left, "inbox"))
    run_virtual(source, split, left)
    assert len(left.messages) == 1


def test_without_a_scheduler_it_gives_all_groups() -> None:
    found = ChannelSplit({"left": [0], "all": range(5)}).feed(chunk(2, 4))
    assert {name: each.data.shape for name, each in found.items()} == {"left": (2, 1), "all": (2, 5)}
    assert found["left"].index == 4


@pytest.mark.parametrize(
    "groups", [{}, None, [0], {"signal": [0]}, {"status": [0]}, {"outbox": [0]}, {"": [0]}, {1: [0]}]
)
def test_groups_that_cannot_be_are_refused(groups: Any) -> None:
    with pytest.raises(UsageError, match="ChannelSplit"):
        ChannelSplit(groups)


def test_a_channel_that_is_not_there_names_the_group() -> None:
    with pytest.raises(StreamMismatch, match=r"ChannelSplit\.right: the stream EEG has no channel 7"):
        ChannelSplit({"left": 0, "right": 7}).feed(chunk())


def test_what_is_no_chunk_is_refused() -> None:
    with pytest.raises(UsageError, match="it takes chunks"):
        ChannelSplit({"left": 0}).feed("text")  # type: ignore[arg-type]


def test_they_conform() -> None:
    messages = [chunk(3, 3 * number) for number in range(9)]
    check_component(lambda: ChannelSelect(channels=["C4", 0]), messages=messages)
    check_component(lambda: ChannelSplit({"left": 0, "right": "C4"}), messages=messages)
