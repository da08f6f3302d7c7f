//! Cases on all cores.

/// Gives every core a run of the cases, with the number of its first, and what each made of it, in the order of cases.
///
/// # Panics
/// Where `work` does.
pub(crate) fn on_all_cores<C: Sync, T: Send>(cases: &[C], work: impl Fn(usize, &[C]) -> T + Sync) -> Vec<T> {
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let share = cases.len().div_ceil(threads).max(1);
    let work = &work;
    std::thread::scope(|scope| {
        let chunks = (0..).step_by(share).zip(cases.chunks(share));
        let workers: Vec<_> = chunks.map(|(first, cases)| scope.spawn(move || work(first, cases))).collect();
        workers
            .into_iter()
            .map(|worker| worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    })
}
