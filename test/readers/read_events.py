"""Prints as JSON what TensorBoard's own reader makes of a run's events: read_events.py RUN."""

import hashlib
import json
import sys

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

# 0 keeps everything; by default, samples.
events = EventAccumulator(sys.argv[1], size_guidance={"scalars": 0, "images": 0})
events.Reload()
tags = events.Tags()
print(
    json.dumps(
        {
            "version": events.file_version,
            "scalars": {tag: [[e.step, e.value] for e in events.Scalars(tag)] for tag in tags["scalars"]},
            "images": {
                tag: [
                    [e.step, e.width, e.height, hashlib.sha256(e.encoded_image_string).hexdigest()]
                    for e in events.Images(tag)
                ]
                for tag in tags["images"]
            },
        }
    )
)
