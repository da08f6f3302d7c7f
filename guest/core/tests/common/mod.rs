//! A small model built with the public encoders, and the same data for reference implementations.
#![allow(dead_code, unreachable_pub, reason = "every test binary uses its own part")]

use endcap_core::format::{
    Blend, Card, CatalogueBuilder, DataSummary, ItemRecord, KnnParameters, LinearParameters, Manifest,
    Parameters, Rankings, encode_linear, encode_neighbors, encode_rankings, encode_sessions, section,
    write_model,
};
use endcap_core::knn::SessionIndex;

/// Sessions (distinct items, in order of time) over `items` items, and the index arrays made from them.
#[derive(Debug, Clone)]
pub struct Shop {
    pub items: usize,
    pub sessions: Vec<Vec<u32>>,
    session_offsets: Vec<u32>,
    session_items: Vec<u32>,
    posting_offsets: Vec<u32>,
    postings: Vec<u32>,
    pub idf: Vec<f32>,
    /// Whether the file has a linear section too, which golden files of version 1 do not.
    pub linear: bool,
}

impl Shop {
    pub fn new(items: usize, sessions: Vec<Vec<u32>>, sample: usize) -> Self {
        let mut session_offsets = vec![0];
        let mut session_items = Vec::new();
        let mut lists = vec![Vec::new(); items];
        for (number, session) in sessions.iter().enumerate() {
            session_items.extend_from_slice(session);
            session_offsets.push(session_items.len() as u32);
            for &item in session {
                lists[item as usize].push(number as u32 + 1);
            }
        }
        let total = session_items.len().max(1) as f32;
        let idf = lists.iter().map(|list| (total / list.len().max(1) as f32).ln()).collect();
        let mut posting_offsets = vec![0];
        let mut postings = Vec::new();
        for list in &lists {
            postings.extend(list.iter().rev().take(sample));
            postings.push(0);
            posting_offsets.push(postings.len() as u32);
        }
        Self {
            items,
            sessions,
            session_offsets,
            session_items,
            posting_offsets,
            postings,
            idf,
            linear: false,
        }
    }

    /// Twelve items and eight sessions: the shop of the golden file. Never change it.
    pub fn golden() -> Self {
        let sessions = [
            &[0, 1, 2][..],
            &[1, 2, 3],
            &[4, 5],
            &[0, 2, 4, 6],
            &[7, 8, 9],
            &[1, 2],
            &[5, 6, 7, 10],
            &[0, 1, 11],
        ];
        Self::new(12, sessions.iter().map(|session| session.to_vec()).collect(), 1502)
    }

    pub fn index(&self) -> SessionIndex<'_> {
        SessionIndex {
            session_offsets: &self.session_offsets,
            session_items: &self.session_items,
            posting_offsets: &self.posting_offsets,
            postings: &self.postings,
            idf: &self.idf,
        }
    }

    /// Unnormalised co-occurrence counts, best first.
    fn rows(&self) -> Vec<Vec<(u32, f32)>> {
        let mut rows = Vec::new();
        for item in 0..self.items as u32 {
            let mut counts = vec![0.0_f32; self.items];
            for session in self.sessions.iter().filter(|session| session.contains(&item)) {
                for &other in session.iter().filter(|&&other| other != item) {
                    counts[other as usize] += 1.0;
                }
            }
            let mut row: Vec<(u32, f32)> = (0..self.items as u32)
                .map(|other| (other, counts[other as usize]))
                .filter(|pair| pair.1 > 0.0)
                .collect();
            row.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
            rows.push(row);
        }
        rows
    }

    pub fn manifest(&self) -> Manifest {
        let mut manifest = self.golden_manifest();
        if self.linear {
            manifest.parameters.linear = Some(LinearParameters::default());
            manifest.parameters.blend.linear = 1.0;
        }
        manifest
    }

    fn golden_manifest(&self) -> Manifest {
        Manifest {
            format_version: 0,
            name: "golden".into(),
            created: "2026-01-01T00:00:00Z".into(),
            generator: "endcap tests".into(),
            sections: Vec::new(),
            data: DataSummary {
                items: self.items as u64,
                sessions: self.sessions.len() as u64,
                users: 3,
                events: self.session_items.len() as u64,
                first_event: "2025-01-01T00:00:00Z".into(),
                last_event: "2025-12-31T00:00:00Z".into(),
                questions: 0,
            },
            parameters: Parameters {
                knn: KnnParameters { sample: 100, neighbors: 50, ..KnnParameters::default() },
                blend: Blend { knn: 1.0, together: 0.25, ..Blend::default() },
                ..Parameters::default()
            },
            card: Card { source: "made by hand".into(), licence: "Apache-2.0".into(), ..Card::default() },
        }
    }

    pub fn bodies(&self) -> Vec<(&'static str, Vec<u8>)> {
        let mut catalogue = CatalogueBuilder::new();
        for number in 0..self.items {
            catalogue.push(&ItemRecord {
                id: format!("sku-{number:02}"),
                name: format!("Item № {number}"),
                category: ["lamps", "cups", ""][number % 3].into(),
                price: if number % 4 == 3 { f32::NAN } else { number as f32 + 0.5 },
                out_of_stock: number == 9,
                first_seen: 1_735_689_600 + number as i64,
                last_seen: 1_767_139_200,
            });
        }
        let order: Vec<u32> = (0..self.items as u32).collect();
        let values: Vec<f32> = order.iter().map(|&at| 1.0 / (at + 1) as f32).collect();
        let reverse: Vec<u32> = order.iter().rev().copied().collect();
        let rankings =
            Rankings { popular: (&order, &values), trending: (&order, &values), latest: (&reverse, &values) };
        let mut bodies = vec![
            (section::ITEMS, catalogue.finish()),
            (section::SESSIONS, encode_sessions(self.index())),
            (section::TOGETHER, encode_neighbors(&self.rows())),
            (section::RANKINGS, encode_rankings(rankings)),
        ];
        if self.linear {
            let weigh = |(item, count): (u32, f32)| (item, count / 8.0 - 0.2);
            let rows: Vec<Vec<(u32, f32)>> =
                self.rows().into_iter().map(|row| row.into_iter().map(weigh).collect()).collect();
            bodies.push((section::LINEAR, encode_linear(&sorted(rows))));
        }
        bodies
    }

    pub fn file(&self) -> Vec<u8> {
        write_model(self.manifest(), &self.bodies()).expect("writes")
    }
}

/// Rows by rising item.
fn sorted(mut rows: Vec<Vec<(u32, f32)>>) -> Vec<Vec<(u32, f32)>> {
    for row in &mut rows {
        row.sort_unstable_by_key(|(item, _)| *item);
    }
    rows
}
