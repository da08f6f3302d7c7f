//! Work on items by all cores, in blocks, with results in the order of items.

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Items that a thread takes at a time.
const BLOCK: usize = 32;

/// Calls `work` for every item below `items`, with memory made by `scratch` for each thread, and gives what it gave.
///
/// The calling thread works too, and tells `heard` now and then how many items have been taken.
pub(super) fn for_items<S, R: Send>(
    items: usize,
    threads: usize,
    scratch: impl Fn() -> S + Sync,
    work: impl Fn(&mut S, usize) -> R + Sync,
    heard: &mut dyn FnMut(u64),
) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let take = || -> Option<Range<usize>> {
        let first = next.fetch_add(BLOCK, Ordering::Relaxed);
        (first < items).then(|| first..(first + BLOCK).min(items))
    };
    let run = |heard: &mut dyn FnMut(u64)| {
        let (mut scratch, mut done) = (scratch(), Vec::new());
        while let Some(block) = take() {
            heard(block.start as u64);
            done.push((block.start, block.map(|item| work(&mut scratch, item)).collect::<Vec<R>>()));
        }
        done
    };
    let mut blocks = std::thread::scope(|scope| {
        let workers: Vec<_> = (1..threads).map(|_| scope.spawn(|| run(&mut |_| {}))).collect();
        let mut blocks = run(heard);
        for worker in workers {
            match worker.join() {
                Ok(mut done) => blocks.append(&mut done),
                // A bug: go on as if there were no threads.
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        blocks
    });
    blocks.sort_unstable_by_key(|(first, _)| *first);
    blocks.into_iter().flat_map(|(_, results)| results).collect()
}
