"""Events in recordings of any length: when a model hears what, in which band, and why.

``scan`` classifies the windows of a recording, ``detect`` makes events of their probabilities,
``explain_events`` finds the box in time and frequency in which each is heard, and ``write_events``
writes them for other programs.
"""

from .comparison import (
    Agreement,
    box_iou,
    event_agreement,
    matched_events,
    points_at,
    segment_agreement,
    time_iou,
)
from .detection import detect
from .event import Event
from .explained_event import ExplainedEvent
from .explaining import explain_events
from .folder import FolderScan, scan_files
from .formats import FORMATS, read_events, write_events
from .one_recording import (
    ScannedRecording,
    ScanSettings,
    scan_recording,
    write_recording,
)
from .scan_record import POOLINGS, Pooled, Scan
from .scanning import scan

__all__ = [
    "FORMATS",
    "POOLINGS",
    "Agreement",
    "Event",
    "ExplainedEvent",
    "FolderScan",
    "Pooled",
    "Scan",
    "ScanSettings",
    "ScannedRecording",
    "box_iou",
    "detect",
    "event_agreement",
    "explain_events",
    "matched_events",
    "points_at",
    "read_events",
    "scan",
    "scan_files",
    "scan_recording",
    "segment_agreement",
    "time_iou",
    "write_events",
    "write_recording",
]
