//! Next item after a prefix of a session: a folder with `train_sessions`, and `valid` and `test` of prefixes with their
//! targets, each `.txt` or without ending, plain or `.gz`.
//!
//! A line of `train_sessions` is the items of a session, separated by spaces, oldest first; a line may begin with the
//! session's name and a tab. A line of the others is `item item ...<TAB>target`. Sessions come in order of time, so that the
//! number of the line stands for it. Without a file `valid`, its cases are every prefix of the last tenth of the training
//! sessions, which are then kept from training, for that split only.

use std::path::{Path, PathBuf};

use crate::evaluate::EvaluateError;
use crate::train::{LogBuilder, event_weight};

use super::lines::{bare, for_each, numbers};
use super::{Case, Split, Task};

/// Share of the sessions before validation, where it has no file.
const VALID_FROM: f64 = 0.9;

/// A question in the file's own ids.
struct Asked {
    prefix: Vec<String>,
    target: String,
}

pub(super) fn task(folder: &Path, split: Split) -> Result<Task, EvaluateError> {
    let mut sessions: Vec<Vec<String>> = Vec::new();
    for_each(&find(folder, "train_sessions"), |_, line| {
        let items = line.split_once('\t').map_or(line, |(_, items)| items);
        sessions.push(words(items));
        Ok(())
    })?;
    let file = find(folder, &split.to_string());
    let asked = if split == Split::Test || file.exists() { read(&file)? } else { hold_out(&mut sessions) };
    let mut builder = LogBuilder::new();
    let weight = event_weight("view").unwrap_or(1.0);
    for (number, items) in (1_i64..).zip(&sessions) {
        // Microseconds make an order within a session, and none between sessions.
        for (place, item) in (0_i64..).zip(items) {
            builder.push(None, Some(&number.to_string()), item, number * 1_000_000 + place, weight)?;
        }
    }
    let held_items = asked.iter().flat_map(|asked| asked.prefix.iter().chain([&asked.target]).cloned());
    let log = builder.finish(bare, held_items)?;
    let numbers = numbers(&log);
    let number = |item: &String| numbers.get(item.as_str()).copied();
    let cases = asked
        .iter()
        .map(|asked| Case {
            history: asked.prefix.iter().filter_map(number).collect(),
            targets: number(&asked.target).into_iter().collect(),
            last_basket: 1,
            earlier: 0,
        })
        .collect();
    Ok(Task { train: log, cases })
}

fn words(text: &str) -> Vec<String> {
    text.split_ascii_whitespace().map(str::to_owned).collect()
}

/// The file of a name, by the endings that there may be; the first where there is none.
fn find(folder: &Path, name: &str) -> PathBuf {
    let endings = [".txt.gz", ".txt", ".gz", ""];
    let mut files = endings.map(|ending| folder.join(format!("{name}{ending}"))).into_iter();
    let first = folder.join(format!("{name}.txt"));
    files.find(|file| file.is_file()).unwrap_or(first)
}

fn read(path: &Path) -> Result<Vec<Asked>, EvaluateError> {
    let mut asked = Vec::new();
    for_each(path, |number, line| {
        let parts = line.split_once('\t').map(|(prefix, target)| (words(prefix), target.trim()));
        let (prefix, target) = parts
            .filter(|(prefix, target)| !prefix.is_empty() && !target.is_empty())
            .ok_or_else(|| EvaluateError::Line {
                path: path.to_owned(),
                line: number,
                reason: "expected item ids separated by spaces, a tab, and the item that came next",
            })?;
        asked.push(Asked { prefix, target: target.to_owned() });
        Ok(())
    })?;
    Ok(asked)
}

/// Takes the last sessions out of training.
fn hold_out(sessions: &mut Vec<Vec<String>>) -> Vec<Asked> {
    let held = sessions.split_off((sessions.len() as f64 * VALID_FROM) as usize);
    held.iter()
        .flat_map(|items| {
            (1..items.len()).map(|at| Asked { prefix: items[..at].to_vec(), target: items[at].clone() })
        })
        .collect()
}
