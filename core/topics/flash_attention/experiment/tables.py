"""Traces as the tables and pictures that the page draws."""

from __future__ import annotations

import numpy as np

from core.contracts.result import Row
from core.topics.flash_attention.experiment.kernels import TENSOR_OF_ARGUMENT, Traced
from core.topics.flash_attention.model.paper import paper_model
from core.topics.flash_attention.params import FlashAttentionParams
from core.topics.flash_attention.payload import TENSORS
from core.trace.address_map import Band, address_map, bands_of
from core.trace.kernel_traffic import kernel_tables
from core.trace.traffic import traffic

_MAP_WIDTH, _MAP_HEIGHT = 1024, 512

Tables = dict[str, list[Row]]


def trace_tables(traced: Traced) -> Tables:
    """'traffic', 'lines' and 'sources' of one kernel."""
    return kernel_tables(traced.kernel, traced.launches, TENSOR_OF_ARGUMENT)


def address_map_of(traced: Traced) -> tuple[dict[str, np.ndarray], Tables]:
    """The arrays 'address.{kernel}.*' and the tables 'bands' and 'address_axes' of one kernel."""
    bands = sorted(bands_of(traced.launches, TENSOR_OF_ARGUMENT), key=_height_on_the_axis)
    drawn = address_map(traced.launches, bands, _MAP_WIDTH, _MAP_HEIGHT)
    arrays: dict[str, np.ndarray] = {
        f"address.{traced.kernel}.read": drawn.read,
        f"address.{traced.kernel}.write": drawn.write,
        f"address.{traced.kernel}.program_edges": drawn.program_edges,
    }
    tables: Tables = {
        "bands": [
            {
                "kernel": traced.kernel,
                "tensor": band.name,
                "first_byte": band.first_byte,
                "last_byte": band.last_byte,
            }
            for band in drawn.bands
        ],
        "address_axes": [{"kernel": traced.kernel, "accesses": drawn.accesses, "bytes": drawn.bytes}],
    }
    return arrays, tables


def moved_bytes(traced: Traced) -> int:
    """Bytes that all launches of a kernel read and wrote."""
    counts = [traffic(launch) for launch in traced.launches]
    return sum(count.read_bytes + count.written_bytes for count in counts)


def sweep_row(params: FlashAttentionParams, standard_bytes: int, flash_bytes: int) -> Row:
    """One line of 'sweep': one head of one sequence."""
    return {
        "seq_len": params.seq_len,
        "key_len": params.key_len,
        "standard_bytes": standard_bytes,
        "flash_bytes": flash_bytes,
    }


def paper_tables() -> Tables:
    """'paper' and 'paper_terms': the model of the paper's Figure 2, its alternatives and how it adds up."""
    model = paper_model()
    figures = [(figure, True) for figure in model.figures] + [(figure, False) for figure in model.alternatives]
    return {
        "paper": [
            {
                "kernel": figure.kernel,
                "quantity": figure.quantity,
                "unit": figure.unit,
                "published": figure.published,
                "modelled": figure.modelled,
                "deviation_percent": figure.deviation_percent,
                "assumptions": figure.assumptions,
                "headline": headline,
            }
            for figure, headline in figures
        ],
        "paper_terms": [
            {
                "kernel": term.kernel,
                "quantity": term.quantity,
                "phase": term.phase,
                "what": term.what,
                "count": term.count,
                "of": term.of,
                "amount": term.amount,
            }
            for term in model.terms
        ],
    }


def _height_on_the_axis(band: Band) -> int:
    return TENSORS.index(band.name)
