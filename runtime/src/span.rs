//! Where the rows of a tensor are in the arena.

use core::ops::Range;

use crate::format;
use crate::life::spend;
use crate::mem::View;
use crate::model::{Node, checked_type};
use crate::{Error, Model};

/// The rows of a tensor, or scratch memory, as bytes of the arena.
pub(crate) struct Span<'m> {
    pub(crate) start: usize,
    pub(crate) row_bytes: usize,
    pub(crate) n_rows: usize,
    /// Empty if rows follow each other.
    table: View<'m, u16>,
}

impl<'m> Span<'m> {
    /// No bytes.
    pub(crate) const NONE: Span<'m> = Span { start: 0, row_bytes: 0, n_rows: 0, table: View::EMPTY };

    pub(crate) fn tensor(model: &Model<'m>, id: u16) -> Result<Span<'m>, Error> {
        let mut span = Span::NONE;
        span.set(model, id)?;
        Ok(span)
    }

    /// Makes it the rows of a tensor: where many are looked at, without copies of what is returned.
    #[inline(never)]
    pub(crate) fn set(&mut self, model: &Model<'m>, id: u16) -> Result<(), Error> {
        let record = model.record(id as usize)?;
        let ty = checked_type(&record);
        self.table = match record.period {
            0 => View::EMPTY,
            _ => model.row_table(&record).ok_or(Error::TensorPlace)?,
        };
        self.row_bytes = ty.shape.row_len() * ty.dtype.bytes();
        (self.start, self.n_rows) = (record.offset as usize, ty.shape.rows());
        Ok(())
    }

    pub(crate) fn scratch(node: &Node) -> Span<'m> {
        let step = node.record();
        let table = View::EMPTY;
        Span { start: step.scratch_offset as usize, row_bytes: step.scratch_bytes as usize, n_rows: 1, table }
    }

    #[inline(always)]
    pub(crate) fn is_contiguous(&self) -> bool {
        self.table.len() == 0
    }

    /// First byte of row `y`.
    #[inline(always)]
    pub(crate) fn row(&self, y: usize) -> usize {
        let behind = match y.checked_rem(self.table.len()) {
            Some(i) => self.table.at(i) as usize * format::ROW_UNIT_BYTES,
            None => y * self.row_bytes,
        };
        self.start + behind
    }

    /// The bytes of rows that follow each other: of all, or of one.
    pub(crate) fn bytes(&self, rows: Range<usize>) -> Range<usize> {
        let start = self.row(rows.start);
        start..start + rows.len() * self.row_bytes
    }

    /// The same of a tensor that is contiguous, in fewer instructions.
    #[inline(always)]
    pub(crate) fn in_one_piece(&self, rows: &Range<usize>) -> Range<usize> {
        self.start + rows.start * self.row_bytes..self.start + rows.end * self.row_bytes
    }

    /// Bytes among which `rows` are.
    pub(crate) fn hull(&self, rows: Range<usize>) -> Range<usize> {
        if self.is_contiguous() && !rows.is_empty() {
            return self.in_one_piece(&rows);
        }
        let (start, end) = rows.fold((usize::MAX, 0), |(start, end), y| {
            let row = self.bytes(y..y + 1);
            (row.start.min(start), row.end.max(end))
        });
        start..end
    }

    /// Whether `bytes` touches any of `rows`.
    pub(crate) fn is_hit(
        &self,
        rows: Range<usize>,
        bytes: &Range<usize>,
        budget: &mut u32,
    ) -> Result<bool, Error> {
        if self.is_contiguous() {
            return Ok(!rows.is_empty() && overlap(&self.in_one_piece(&rows), bytes));
        }
        spend(budget, rows.len())?;
        // A division for all rows, not for each.
        let mut i = rows.start.checked_rem(self.table.len()).unwrap_or(0);
        for _ in rows {
            let start = self.start + self.table.at(i) as usize * format::ROW_UNIT_BYTES;
            if overlap(&(start..start + self.row_bytes), bytes) {
                return Ok(true);
            }
            i = if i + 1 == self.table.len() { 0 } else { i + 1 };
        }
        Ok(false)
    }
}

/// Whether two ranges have something in common.
pub(crate) fn overlap(a: &Range<usize>, b: &Range<usize>) -> bool {
    a.start < b.end && b.start < a.end
}
