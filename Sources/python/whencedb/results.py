"""Results: Arrow tables that lie where they were received, and what a notebook shows of them."""

from __future__ import annotations

import difflib
import html
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from .errors import NoColumn

if TYPE_CHECKING:
    import pandas
    import polars

_SHOWN_ROWS = 10


class Result:
    """A table that came from the server.

    `known_at` is the pin of the read, in microseconds: given as `known_at` it gives the same rows again. The table never
    changes. DuckDB, polars, pandas and others also take a result as it is (`__arrow_c_stream__`).
    """

    def __init__(self, table: pa.Table, known_at: int | None, name: str) -> None:
        self._table = table
        self.known_at = known_at
        self._name = name

    def to_arrow(self) -> pa.Table:
        """The table, without copying."""
        return self._table

    def to_pandas(self, **options: Any) -> pandas.DataFrame:
        """As a frame of pandas; `options` are those of `pyarrow.Table.to_pandas`."""
        return self._table.to_pandas(**options)

    def to_polars(self) -> polars.DataFrame:
        """As a frame of polars, which takes the columns without copying where it can."""
        import polars

        return polars.from_arrow(self._table)  # type: ignore[return-value]

    @property
    def schema(self) -> pa.Schema:
        return self._table.schema

    @property
    def columns(self) -> list[str]:
        return list(self._table.column_names)

    def __getitem__(self, name: str) -> pa.ChunkedArray:
        if name not in self._table.column_names:
            raise no_column(name, self._table.column_names, f"the {self._name}")
        return self._table.column(name)

    def __len__(self) -> int:
        return int(self._table.num_rows)

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        return self._table.__arrow_c_stream__(requested_schema)

    def _title(self) -> str:
        pin = "" if self.known_at is None else f", known_at={self.known_at}"
        return f"{self._name}: {len(self):,} rows, {len(self.columns)} columns{pin}"

    def __repr__(self) -> str:
        head = self._table.slice(0, _SHOWN_ROWS)
        cells = [self.columns, *([_shown(value) for value in row] for row in _rows(head))]
        if not self.columns:
            return f"<{self._title()}>"
        widths = [min(24, max(len(row[i]) for row in cells)) for i in range(len(self.columns))]
        lines = ["  ".join(cell[:width].ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]
        if len(self) > _SHOWN_ROWS:
            lines.append("…")
        return "\n".join([f"<{self._title()}>", *lines])

    def _repr_html_(self) -> str:
        return html_table(self._title(), self.columns, _rows(self._table.slice(0, _SHOWN_ROWS)), len(self) > _SHOWN_ROWS)


def no_column(name: str, names: list[str], place: str) -> NoColumn:
    near = difflib.get_close_matches(str(name), names, 1)
    hint = f"did you mean '{near[0]}'?" if near else f"the columns are {', '.join(names) or 'none'}"
    return NoColumn(f"there is no column '{name}'", place=place, hint=hint)


def _rows(table: pa.Table) -> list[tuple[Any, ...]]:
    columns = [column.to_pylist() for column in table.columns]
    return list(zip(*columns, strict=True))


def _shown(value: Any) -> str:
    if value is None:
        return "–"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def html_table(title: str, columns: list[str], rows: list[tuple[Any, ...]], more: bool) -> str:
    """A small table for a notebook. Everything that was stored is escaped."""
    head = "".join(f"<th>{html.escape(name)}</th>" for name in columns)
    body = "".join("<tr>" + "".join(f"<td>{html.escape(_shown(cell)[:200])}</td>" for cell in row) + "</tr>" for row in rows)
    dots = f'<tr><td colspan="{max(1, len(columns))}">…</td></tr>' if more else ""
    return f"<p>{html.escape(title)}</p><table><thead><tr>{head}</tr></thead><tbody>{body}{dots}</tbody></table>"
