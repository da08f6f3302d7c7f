//! Aligned tables in plain text.

use std::fmt;

/// Spaces between columns.
const GAP: &str = "  ";

/// Where a column's texts stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    /// Text.
    Left,
    /// Numbers.
    Right,
}

/// A table, printed by [`fmt::Display`]: a title, a header, a rule and rows. Widths are counted in characters.
#[derive(Debug, Clone)]
pub struct Table {
    title: String,
    columns: Vec<(String, Align)>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table without rows. An empty `title` prints none; columns with empty names print no header.
    pub fn new(title: &str, columns: &[(&str, Align)]) -> Self {
        let columns = columns.iter().map(|(name, align)| ((*name).to_owned(), *align)).collect();
        Self { title: title.to_owned(), columns, rows: Vec::new() }
    }

    /// Adds a row. Missing cells are empty, and cells beyond the columns are not printed.
    pub fn row<S: Into<String>>(&mut self, cells: impl IntoIterator<Item = S>) -> &mut Self {
        self.rows.push(cells.into_iter().map(Into::into).collect());
        self
    }

    /// True where there are no rows.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    fn widths(&self) -> Vec<usize> {
        let width = |i: usize, name: &String| {
            let cells = self.rows.iter().filter_map(|row| row.get(i)).map(|cell| cell.chars().count());
            cells.max().unwrap_or(0).max(name.chars().count())
        };
        self.columns.iter().enumerate().map(|(i, (name, _))| width(i, name)).collect()
    }

    fn line<'a>(&'a self, widths: &[usize], cell: impl Fn(usize) -> &'a str) -> String {
        let cells =
            self.columns.iter().zip(widths).enumerate().map(|(i, ((_, align), &width))| match align {
                Align::Left => format!("{:<width$}", cell(i)),
                Align::Right => format!("{:>width$}", cell(i)),
            });
        cells.collect::<Vec<_>>().join(GAP).trim_end().to_owned()
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let widths = self.widths();
        if !self.title.is_empty() {
            writeln!(f, "{}", self.title)?;
        }
        if self.columns.iter().any(|(name, _)| !name.is_empty()) {
            writeln!(f, "{}", self.line(&widths, |i| &self.columns[i].0))?;
            let rules = widths.iter().map(|&width| "-".repeat(width));
            writeln!(f, "{}", rules.collect::<Vec<_>>().join(GAP))?;
        }
        for row in &self.rows {
            writeln!(f, "{}", self.line(&widths, |i| row.get(i).map_or("", String::as_str)))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_by_characters() {
        let mut table = Table::new("Rows", &[("reason", Align::Left), ("rows", Align::Right)]);
        table.row(["price ≤ 0", "7"]).row(["kept", "1,234"]);
        assert_eq!(
            table.to_string(),
            "Rows\nreason      rows\n---------  -----\nprice ≤ 0      7\nkept       1,234\n"
        );
    }

    #[test]
    fn short_rows_and_no_header() {
        let mut table = Table::new("", &[("", Align::Left), ("", Align::Left)]);
        table.row(["only"]);
        assert_eq!(table.to_string(), "only\n");
    }
}
