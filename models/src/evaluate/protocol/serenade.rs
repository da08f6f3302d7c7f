//! Serenade's example: next click for every prefix of every held-out session.
//!
//! Files `train`, `valid`, `test` hold `SessionId<TAB>ItemId<TAB>Time` with a header; time in seconds. Within a
//! session clicks are ordered by time, ties by their order in the file.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use crate::evaluate::EvaluateError;
use crate::train::{LogBuilder, event_weight};

use super::lines::{bare, for_each, numbers};
use super::{Case, Split, Task};

/// Clicks by session, in order of time.
type Sessions = Vec<(String, Vec<(i64, String)>)>;

pub(super) fn task(folder: &Path, split: Split) -> Result<Task, EvaluateError> {
    let train = read(&find(folder, "train"))?;
    let held_out = read(&find(folder, &split.to_string()))?;
    let mut builder = LogBuilder::new();
    let weight = event_weight("view").unwrap_or(1.0);
    for (session, clicks) in &train {
        for (time, item) in clicks {
            builder.push(None, Some(session), item, *time, weight)?;
        }
    }
    // Unknown items keep their place in a window of clicks, as in the published evaluation.
    let held_items = held_out.iter().flat_map(|(_, clicks)| clicks.iter().map(|(_, item)| item.clone()));
    let log = builder.finish(bare, held_items)?;
    let numbers = numbers(&log);
    let mut cases = Vec::new();
    for (_, clicks) in &held_out {
        let items: Vec<u32> =
            clicks.iter().filter_map(|(_, item)| numbers.get(item.as_str()).copied()).collect();
        cases.extend((1..items.len()).map(|at| Case {
            history: items[..at].to_vec(),
            targets: vec![items[at]],
            last_basket: 1,
            earlier: 0,
        }));
    }
    Ok(Task { train: log, cases })
}

/// `name.txt.gz`, else `name.txt`.
fn find(folder: &Path, name: &str) -> PathBuf {
    let gz = folder.join(format!("{name}.txt.gz"));
    if gz.exists() { gz } else { folder.join(format!("{name}.txt")) }
}

fn read(path: &Path) -> Result<Sessions, EvaluateError> {
    let mut at: HashMap<String, usize> = HashMap::new();
    let mut sessions: Sessions = Vec::new();
    for_each(path, |number, line| {
        if number == 1 {
            return Ok(());
        }
        let bad = |reason| EvaluateError::Line { path: path.to_owned(), line: number, reason };
        let mut fields = line.split('\t');
        let (Some(session), Some(item), Some(time), None) =
            (fields.next(), fields.next(), fields.next(), fields.next())
        else {
            return Err(bad("expected SessionId, ItemId and Time, separated by tabs"));
        };
        let seconds: f64 = time.parse().map_err(|_| bad("Time is not a number of seconds"))?;
        let slot = *at.entry(session.to_owned()).or_insert_with(|| {
            sessions.push((session.to_owned(), Vec::new()));
            sessions.len() - 1
        });
        sessions[slot].1.push(((seconds * 1e6) as i64, item.to_owned()));
        Ok(())
    })?;
    for (_, clicks) in &mut sessions {
        clicks.sort_by_key(|(time, _)| *time);
    }
    Ok(sessions)
}
