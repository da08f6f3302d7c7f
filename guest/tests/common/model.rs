//! A small model by core's public encoders: deterministic, with structure enough for every source to answer.

use endcap_core::ItemIx;
use endcap_core::format::{
    CatalogueBuilder, DataSummary, ItemRecord, Manifest, Parameters, Question, RankerWeights, Rankings,
    encode_neighbors, encode_ranker, encode_rankings, encode_sample, encode_sessions, section, write_model,
};
use endcap_core::inference::{HIDDEN, RankerInput, RankerOutput, RankerScope, RankerSpec};
use endcap_core::knn::SessionIndex;

/// Items of [`small`]: ids `i0` to `i49`; `i49` is out of stock.
pub const SMALL_ITEMS: u32 = 50;

/// 50 items, 200 sessions of three neighbouring items each.
pub fn small() -> Vec<u8> {
    build(SMALL_ITEMS, 200, 3)
}

/// [`small`] with a ranker that no engine can load.
pub fn with_broken_ranker() -> Vec<u8> {
    write(SMALL_ITEMS, 200, 3, ranked(false), &[(section::RANKER_ONNX, b"not ONNX".to_vec())])
}

/// [`small`] with a learned ranker, which puts what is less popular first; within visits, and built in only.
pub fn with_learned_ranker() -> Vec<u8> {
    let weights = RankerWeights {
        hidden: &[0.0; 2 * HIDDEN],
        hidden_bias: &[0.0; HIDDEN],
        direct: &[10.0, 0.0],
        out: &[0.0; HIDDEN],
        bias: -3.0,
    };
    write(SMALL_ITEMS, 200, 3, ranked(true), &[(section::RANKER, encode_ranker(weights))])
}

fn ranked(learned: bool) -> Parameters {
    let name = || "x".to_owned();
    let ranker = RankerSpec {
        inputs: vec![RankerInput::Features { name: name(), columns: vec!["popularity_rank".to_owned()] }],
        output: RankerOutput { index: 0, name: name(), columns: 1, column: 0 },
        independent_rows: true,
        log_odds: learned,
        scope: if learned { RankerScope::Within } else { RankerScope::All },
    };
    Parameters { ranker: Some(ranker), ..Parameters::default() }
}

/// A model of `items` items and `sessions` sessions of `length` items that lie beside each other.
pub fn build(items: u32, sessions: u32, length: u32) -> Vec<u8> {
    write(items, sessions, length, Parameters::default(), &[])
}

/// [`small`] with questions about which items lie beside each other; `turned`, with its items in the opposite order under the
/// same ids; `wrong`, having learned that items far from each other belong together.
pub fn with_questions(turned: bool, wrong: bool) -> Vec<u8> {
    let beside = |item: u32| {
        let mut targets = [(item + 1) % SMALL_ITEMS, (item + SMALL_ITEMS - 1) % SMALL_ITEMS];
        targets.sort_unstable();
        targets
    };
    let questions: Vec<([u32; 1], [u32; 2])> = (0..SMALL_ITEMS).map(|item| ([item], beside(item))).collect();
    let sample =
        encode_sample(questions.iter().map(|(history, targets)| Question { history, earlier: 0, targets }));
    let shape = Shape { by: if wrong { 17 } else { 1 }, turned };
    write_shaped(SMALL_ITEMS, 200, 3, shape, Parameters::default(), &[(section::SAMPLE, sample)])
}

/// How a model's items lie.
#[derive(Clone, Copy)]
struct Shape {
    /// How far what belongs together lies from each other.
    by: u32,
    /// Whether the last item has the first id.
    turned: bool,
}

fn write(
    items: u32,
    sessions: u32,
    length: u32,
    parameters: Parameters,
    more: &[(&'static str, Vec<u8>)],
) -> Vec<u8> {
    write_shaped(items, sessions, length, Shape { by: 1, turned: false }, parameters, more)
}

fn write_shaped(
    items: u32,
    sessions: u32,
    length: u32,
    Shape { by, turned }: Shape,
    parameters: Parameters,
    more: &[(&'static str, Vec<u8>)],
) -> Vec<u8> {
    let mut catalogue = CatalogueBuilder::new();
    for item in 0..items {
        catalogue.push(&ItemRecord {
            id: format!("i{}", if turned { items - 1 - item } else { item }),
            name: format!("Item \"{item}\""),
            category: format!("c{}", item % 7),
            price: if item == 1 { f32::NAN } else { item as f32 + 0.5 },
            out_of_stock: item + 1 == items,
            first_seen: 1_700_000_000 + i64::from(item),
            last_seen: 1_710_000_000,
        });
    }
    let mut bodies = vec![
        (section::ITEMS, catalogue.finish()),
        (section::SESSIONS, encode_index(items, sessions, length, by)),
        (section::TOGETHER, encode_neighbors(&rows(items, by))),
        (section::RANKINGS, encode_lists(items)),
    ];
    bodies.extend_from_slice(more);
    let manifest = Manifest {
        format_version: 1,
        name: "test".to_owned(),
        created: "2026-01-01T00:00:00Z".to_owned(),
        generator: "tests".to_owned(),
        sections: Vec::new(),
        data: DataSummary { items: items.into(), sessions: sessions.into(), ..DataSummary::default() },
        parameters,
        card: Default::default(),
    };
    write_model(manifest, &bodies).expect("the manifest is plain JSON")
}

fn encode_index(items: u32, sessions: u32, length: u32, by: u32) -> Vec<u8> {
    let mut session_offsets = vec![0];
    let mut session_items: Vec<ItemIx> = Vec::new();
    let mut lists: Vec<Vec<u32>> = vec![Vec::new(); items as usize];
    for session in 0..sessions {
        let start = session.wrapping_mul(2_654_435_761) % items;
        for step in 0..length {
            let item = (start + step * by) % items;
            session_items.push(item);
            lists[item as usize].push(session + 1);
        }
        session_offsets.push(session_items.len() as u32);
    }
    let mut posting_offsets = vec![0];
    let mut postings = Vec::new();
    for list in &lists {
        postings.extend(list.iter().rev());
        postings.push(0);
        posting_offsets.push(postings.len() as u32);
    }
    encode_sessions(SessionIndex {
        session_offsets: &session_offsets,
        session_items: &session_items,
        posting_offsets: &posting_offsets,
        postings: &postings,
        idf: &vec![1.0; items as usize],
    })
}

/// Each item goes with the two before and after it.
fn rows(items: u32, by: u32) -> Vec<Vec<(ItemIx, f32)>> {
    let near = |item: u32, steps: u32| (item + steps * by) % items;
    (0..items)
        .map(|item| {
            let steps = [(1, 0.9), (items - 1, 0.8), (2, 0.5), (items - 2, 0.4)];
            steps.iter().map(|&(steps, score)| (near(item, steps), score)).collect()
        })
        .collect()
}

fn encode_lists(items: u32) -> Vec<u8> {
    let order: Vec<ItemIx> = (0..items).collect();
    let newest: Vec<ItemIx> = (0..items).rev().collect();
    let values: Vec<f32> = (0..items).map(|at| 1.0 / (at + 1) as f32).collect();
    encode_rankings(Rankings {
        popular: (&order, &values),
        trending: (&order, &values),
        latest: (&newest, &values),
    })
}
