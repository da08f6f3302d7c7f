//! Handles: numbers that stand for what a guest owns.

use std::collections::HashMap;

/// Things by handle.
///
/// Handles count up and are not given again until 2^32 have been, and then not while one is in use: a guest that
/// keeps the handle of something gone gets an error and never somebody else's.
#[derive(Debug)]
pub(super) struct Table<T> {
    things: HashMap<u32, T>,
    next: u32,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self { things: HashMap::new(), next: 0 }
    }
}

impl<T> Table<T> {
    /// Takes a thing in. The engine's limits keep the table far below the number of handles.
    pub(super) fn insert(&mut self, thing: T) -> u32 {
        while self.things.contains_key(&self.next) {
            self.next = self.next.wrapping_add(1);
        }
        let handle = self.next;
        self.next = self.next.wrapping_add(1);
        self.things.insert(handle, thing);
        handle
    }

    pub(super) fn get(&self, handle: u32) -> Option<&T> {
        self.things.get(&handle)
    }

    pub(super) fn get_mut(&mut self, handle: u32) -> Option<&mut T> {
        self.things.get_mut(&handle)
    }

    pub(super) fn remove(&mut self, handle: u32) -> Option<T> {
        self.things.remove(&handle)
    }

    pub(super) fn retain(&mut self, keep: impl Fn(&T) -> bool) {
        self.things.retain(|_, thing| keep(thing));
    }

    pub(super) fn len(&self) -> usize {
        self.things.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handle_comes_once_also_around_the_end() {
        let mut table = Table { things: HashMap::new(), next: u32::MAX - 1 };
        let kept = table.insert('a');
        assert_eq!((kept, table.insert('b'), table.insert('c')), (u32::MAX - 1, u32::MAX, 0));
        table.remove(u32::MAX);
        table.next = u32::MAX - 1;
        assert_eq!(table.insert('d'), u32::MAX);
        assert_eq!(table.insert('e'), 1);
        assert_eq!(table.get(kept), Some(&'a'));
    }
}
