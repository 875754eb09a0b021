//! Scales, and perhaps zero points, that lie apart from the elements they belong to.

/// One scale for each group of `rows` by `columns` elements; at the edges groups are cut off. The
/// element is `(stored - zero) * scale`.
#[derive(Debug, Clone, PartialEq)]
pub struct Groups {
    /// `[rows of groups, groups a row]`.
    pub scales: Vec<f32>,
    /// As many; none where zero is zero.
    pub zeros: Option<Vec<u8>>,
    pub rows: usize,
    pub columns: usize,
}

impl Groups {
    /// How many groups a matrix `[rows, columns]` has.
    pub fn count(&self, rows: usize, columns: usize) -> usize {
        rows.div_ceil(self.rows) * columns.div_ceil(self.columns)
    }

    /// Turns stored numbers to elements: whole rows of `columns` from the row `first` on.
    pub fn apply(&self, first: usize, columns: usize, values: &mut [f32]) {
        let groups_a_row = columns.div_ceil(self.columns);
        for (row, values) in values.chunks_exact_mut(columns).enumerate() {
            let start = (first + row) / self.rows * groups_a_row;
            for (group, values) in values.chunks_mut(self.columns).enumerate() {
                let scale = self.scales[start + group];
                let zero = self.zeros.as_ref().map_or(0.0, |zeros| f32::from(zeros[start + group]));
                for value in values {
                    *value = (*value - zero) * scale;
                }
            }
        }
    }
}
