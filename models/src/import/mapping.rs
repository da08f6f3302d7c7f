//! Which column of a file is which field.

use std::collections::BTreeMap;
use std::path::Path;

use super::ImportError;
use super::field::{Field, simplify};

/// The columns that a user named, from `--map`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ColumnMap {
    columns: BTreeMap<Field, String>,
}

impl ColumnMap {
    /// Reads `field=column` pairs, separated by commas; more than one text is joined. `field=` alone means
    /// that no column is the field, even where one would be recognised.
    ///
    /// # Errors
    /// [`ImportError::Map`] for an unknown field, a field given twice, or a part without `=`.
    pub fn parse<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<Self, ImportError> {
        let mut columns = BTreeMap::new();
        for part in texts.into_iter().flat_map(|text| text.split(',')).filter(|part| !part.trim().is_empty())
        {
            let error = |reason| ImportError::Map {
                text: part.to_owned(),
                reason,
                fields: Field::ALL.map(Field::word).join(", "),
            };
            let (word, column) = part.split_once('=').ok_or_else(|| error("has no ="))?;
            let field = Field::parse(word.trim()).ok_or_else(|| error("is no field"))?;
            if columns.insert(field, column.trim().to_owned()).is_some() {
                return Err(error("is given twice"));
            }
        }
        Ok(Self { columns })
    }
}

/// What kind of log the header tells of; it decides the rules that apply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// UCI Online Retail and Online Retail II: invoices of a gift wholesaler.
    OnlineRetail,
    /// Anything else.
    Generic,
}

impl Profile {
    /// The word used in reports.
    pub fn word(self) -> &'static str {
        match self {
            Self::OnlineRetail => "online-retail",
            Self::Generic => "generic",
        }
    }
}

/// The columns of one file by field.
#[derive(Debug, Clone)]
pub(super) struct Mapping {
    pub(super) profile: Profile,
    /// Indices into `columns`, by `Field as usize`.
    pub(super) index: [Option<usize>; Field::ALL.len()],
    columns: Vec<String>,
}

/// What a mapping is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    Events,
    Catalogue,
}

impl Mapping {
    /// Maps `columns`, the header of `path`. What `named` gives comes first, then what is recognised.
    pub(super) fn resolve(
        path: &Path,
        columns: Vec<String>,
        named: &ColumnMap,
        purpose: Purpose,
    ) -> Result<Self, ImportError> {
        let simple: Vec<String> = columns.iter().map(|c| simplify(c)).collect();
        let mut index = [None; Field::ALL.len()];
        for field in Field::ALL {
            index[field as usize] = match named.columns.get(&field) {
                Some(column) if column.is_empty() => None,
                Some(column) => find_named(path, field, column, &columns, purpose)?,
                None => find_recognised(path, field, &columns, &simple, purpose)?,
            };
        }
        let mapping = Self { profile: profile(&simple), index, columns };
        mapping.check(path, purpose)?;
        Ok(mapping)
    }

    pub(super) fn has(&self, field: Field) -> bool {
        self.index[field as usize].is_some()
    }

    /// Column name by field, for the report.
    pub(super) fn names(&self) -> BTreeMap<String, String> {
        let name =
            |field: Field| Some((field.to_string(), self.columns.get(self.index[field as usize]?)?.clone()));
        Field::ALL.into_iter().filter_map(name).collect()
    }

    fn check(&self, path: &Path, purpose: Purpose) -> Result<(), ImportError> {
        let mut missing = Vec::new();
        if !self.has(Field::Item) {
            missing.push("item");
        }
        if purpose == Purpose::Events && !self.has(Field::Time) {
            missing.push("time");
        }
        if purpose == Purpose::Events && !self.has(Field::User) && !self.has(Field::Session) {
            missing.push("user or session");
        }
        if missing.is_empty() {
            return Ok(());
        }
        // The example uses the file's own columns, so that its form is plain even where its guess is wrong.
        let column = |i: usize| self.columns.get(i).map_or("COLUMN", String::as_str);
        let example = match purpose {
            Purpose::Events => format!("user={},item={},time={}", column(0), column(1), column(2)),
            Purpose::Catalogue => format!("item={},name={}", column(0), column(1)),
        };
        let (missing, found) = (missing.join(", "), list(&self.columns));
        Err(ImportError::Columns { path: path.to_owned(), missing, found, example })
    }
}

fn profile(simple: &[String]) -> Profile {
    let has = |names: &[&str]| simple.iter().any(|column| names.contains(&column.as_str()));
    let retail = has(&["invoice", "invoiceno"])
        && has(&["stockcode"])
        && has(&["quantity"])
        && has(&["invoicedate"])
        && has(&["price", "unitprice"]);
    if retail { Profile::OnlineRetail } else { Profile::Generic }
}

fn find_named(
    path: &Path,
    field: Field,
    column: &str,
    columns: &[String],
    purpose: Purpose,
) -> Result<Option<usize>, ImportError> {
    let exact = |c: &String| c == column;
    let loose = |c: &String| c.eq_ignore_ascii_case(column);
    match columns.iter().position(exact).or_else(|| columns.iter().position(loose)) {
        Some(index) => unique(path, field, index, columns).map(Some),
        // One --map serves the logs and the catalogue, which need not share columns.
        None if purpose == Purpose::Catalogue => Ok(None),
        None => Err(ImportError::NoSuchColumn {
            path: path.to_owned(),
            field,
            column: column.to_owned(),
            found: list(columns),
        }),
    }
}

fn find_recognised(
    path: &Path,
    field: Field,
    columns: &[String],
    simple: &[String],
    purpose: Purpose,
) -> Result<Option<usize>, ImportError> {
    let bare_id: &[&str] = if purpose == Purpose::Catalogue && field == Field::Item { &["id"] } else { &[] };
    let known = field.aliases().iter().chain(bare_id);
    let index = known.filter_map(|alias| simple.iter().position(|column| column == alias)).next();
    index.map(|index| unique(path, field, index, columns)).transpose()
}

fn unique(path: &Path, field: Field, index: usize, columns: &[String]) -> Result<usize, ImportError> {
    let same = |c: &&String| c.eq_ignore_ascii_case(&columns[index]);
    if columns.iter().filter(same).count() > 1 {
        let column = columns[index].clone();
        return Err(ImportError::DuplicateColumn { path: path.to_owned(), field, column });
    }
    Ok(index)
}

fn list(columns: &[String]) -> String {
    /// Columns named in a message; a binary file read as CSV may have thousands.
    const SHOWN: usize = 40;
    let short = |c: &String| c.chars().filter(|c| !c.is_control()).take(40).collect::<String>();
    let mut text = columns.iter().take(SHOWN).map(short).collect::<Vec<_>>().join(", ");
    if columns.len() > SHOWN {
        text.push_str(", …");
    }
    text
}
