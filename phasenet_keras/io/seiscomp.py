"""SeisComP files of picks: what ObsPy's reader leaves out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

from phasenet_keras.io.channels import sensor_of

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

__all__ = ["loose_picks", "seiscomp_root", "with_origin_references"]

_SEISCOMP = re.compile(rb"<(?:\w+:)?seiscomp\b")


def seiscomp_root(content: bytes) -> Element | None:
    """Return what is in a SeisComP file; None for others, and a damaged one: ObsPy says of that."""
    from xml.etree import ElementTree

    if _SEISCOMP.search(content[:1000]):
        with suppress(ElementTree.ParseError):
            return ElementTree.fromstring(content)
    return None


def with_origin_references(root: Element) -> bytes:
    """Let events of a SeisComP file refer to their preferred origins: ObsPy asks references alone.

    An export without all origins may have no others.
    """
    from xml.etree import ElementTree

    for event in root.findall(".//{*}event"):
        preferred = event.find("{*}preferredOriginID")
        if preferred is None:
            continue
        tag = preferred.tag.replace("preferredOriginID", "originReference")
        if preferred.text not in {item.text for item in event.findall(tag)}:
            ElementTree.SubElement(event, tag).text = preferred.text
    return ElementTree.tostring(root)


def loose_picks(root: Element) -> Iterator[tuple[str, str, str, str, str, str, int, str]]:
    """Yield the picks that no event refers to, each as the values of an `Entry`: ObsPy has none."""
    of_events = {item.text for item in root.findall(".//{*}event/{*}originReference")}
    located = {
        item.text
        for origin in root.findall(".//{*}origin")
        if origin.get("publicID") in of_events
        for item in origin.findall("{*}arrival/{*}pickID")
    }
    for number, pick in enumerate(root.findall(".//{*}pick"), start=1):
        if pick.get("publicID") in located:
            continue
        seed = pick.find("{*}waveformID")
        codes = [
            "" if seed is None else seed.get(name, "").strip()
            for name in ("networkCode", "stationCode", "locationCode", "channelCode")
        ]
        phase = pick.findtext("{*}phaseHint", "").strip()
        if pick.findtext("{*}evaluationStatus") == "rejected":
            phase = f"{phase} rejected"
        rank = 2 * (pick.findtext("{*}evaluationMode") != "manual") + 1
        time = pick.findtext("{*}time/{*}value", "")
        sensor = sensor_of(".".join(codes))
        yield f"pick {number}", time, phase, codes[0], codes[1], "", rank, sensor
