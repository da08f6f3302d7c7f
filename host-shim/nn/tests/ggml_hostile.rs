//! Damaged and hostile GGUF files: an error, and never the end of the process.
//!
//! The mutations run in a process of their own, so that an abort of llama.cpp's is a failed test with the mutation
//! that brought it about, and not the end of the test run.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests are tests")]

mod ggml_support;

use std::process::Command;

use endcap_nn::{Category, Device, Encoding, NnError};
use ggml_support::bert::Bert;
use ggml_support::gguf::{Gguf, Value};
use ggml_support::llama::{Llama, Sizes};
use ggml_support::{engine, load, set_metadata, set_text, set_tokens};

const TINY: Sizes = Sizes { layers: 1, width: 32, heads: 2, kv_heads: 1, ff: 32, items: 8 };

fn tiny() -> Gguf {
    Llama::random(TINY, 3).gguf()
}

/// A change to a sound file, and how the message of the refusal begins.
type Case = (&'static str, fn(&mut Gguf), &'static str);

#[rustfmt::skip]
const CASES: &[Case] = &[
    ("old version", |gguf| gguf.version = 1, "ggml: GGUF version 1; 2 and 3 are known"),
    ("big-endian", |gguf| gguf.version = 3_u32.swap_bytes(), "ggml: GGUF version 50331648"),
    ("foreign architecture", |gguf| gguf.set("general.architecture", text("mamba")), "ggml: architecture `mamba` is not supported"),
    ("no architecture", |gguf| gguf.remove("general.architecture"), "ggml: metadata key general.architecture is missing"),
    ("unknown key", |gguf| gguf.set("llama.attention.sliding_window", Value::U32(4)), "ggml: metadata key llama.attention.sliding_window is not supported"),
    ("experts", |gguf| gguf.set("llama.expert_count", Value::U32(8)), "ggml: a mixture of experts is not supported"),
    ("scores of pairs", |gguf| gguf.set("llama.pooling_type", Value::U32(4)), "ggml: a model that scores pairs"),
    ("unknown pooling", |gguf| gguf.set("llama.pooling_type", Value::U32(5)), "ggml: metadata key llama.pooling_type: none of 0 to 4"),
    ("not causal", |gguf| gguf.set("llama.attention.causal", Value::Bool(false)), "ggml: attention to later tokens"),
    ("in parts", |gguf| gguf.set("split.count", Value::Raw(2, vec![2, 0])), "ggml: a model in several files"),
    ("key twice", |gguf| gguf.values.push(gguf.values[0].clone()), "ggml: key `general.architecture` is there twice"),
    ("nested array", |gguf| gguf.set("x", Value::Raw(9, [9_u32.to_le_bytes(), [0; 4], [0; 4]].concat())), "ggml: metadata key x: an array of type 9"),
    ("unknown value type", |gguf| gguf.set("x", Value::Raw(13, vec![])), "ggml: metadata key x: unknown type 13"),
    ("no layers", |gguf| gguf.set("llama.block_count", Value::U32(0)), "ggml: metadata key llama.block_count: 0 is not in 1..=512"),
    ("too many layers", |gguf| gguf.set("llama.block_count", Value::U32(513)), "ggml: metadata key llama.block_count: 513"),
    ("a layer that is not there", |gguf| gguf.set("llama.block_count", Value::U32(2)), "ggml: tensor blk.1.attn_q.weight is missing"),
    ("no heads", |gguf| gguf.set("llama.attention.head_count", Value::U32(0)), "ggml: metadata key llama.attention.head_count: 0"),
    ("uneven heads", |gguf| gguf.set("llama.attention.head_count", Value::U32(3)), "ggml: metadata key llama.attention.head_count: 32 is no multiple of 3"),
    ("uneven sharing", |gguf| { gguf.set("llama.attention.head_count", Value::U32(4)); gguf.set("llama.attention.head_count_kv", Value::U32(3)); }, "ggml: metadata key llama.attention.head_count_kv: 4 heads do not share 3 evenly"),
    ("odd head", |gguf| { gguf.set("llama.attention.key_length", Value::U32(15)); }, "ggml: metadata key llama.attention.key_length: a head of 15"),
    ("values of another width", |gguf| gguf.set("llama.attention.value_length", Value::U32(8)), "ggml: metadata key llama.attention.value_length: 8, 16 expected"),
    ("part of a head turned", |gguf| gguf.set("llama.rope.dimension_count", Value::U32(8)), "ggml: metadata key llama.rope.dimension_count: 8, 16 expected"),
    ("width as text", |gguf| gguf.set("llama.embedding_length", text("32")), "ggml: metadata key llama.embedding_length: not one integer"),
    ("huge width", |gguf| gguf.set("llama.embedding_length", Value::U32(u32::MAX)), "ggml: metadata key llama.embedding_length: 4294967295"),
    ("epsilon is no number", |gguf| gguf.set("llama.attention.layer_norm_rms_epsilon", Value::F32(f32::NAN)), "ggml: metadata key llama.attention.layer_norm_rms_epsilon: NaN"),
    ("negative frequency", |gguf| gguf.set("llama.rope.freq_base", Value::F32(-1.0)), "ggml: metadata key llama.rope.freq_base: -1"),
    ("unknown scaling", |gguf| gguf.set("llama.rope.scaling.type", text("cubic")), "ggml: rope scaling cubic"),
    ("alignment 0", |gguf| gguf.set("general.alignment", Value::U32(0)), "ggml: metadata key general.alignment: 0"),
    ("alignment 48", |gguf| gguf.set("general.alignment", Value::U32(48)), "ggml: metadata key general.alignment: 48 is no power of two"),
    ("unknown tokenizer", |gguf| gguf.set("tokenizer.ggml.model", text("t5")), "ggml: tokenizer t5 is not supported"),
    ("no tokens", |gguf| gguf.remove("tokenizer.ggml.tokens"), "ggml: metadata key tokenizer.ggml.tokens is missing"),
    ("zero tokens", |gguf| gguf.set("tokenizer.ggml.tokens", Value::Texts(vec![])), "ggml: metadata key tokenizer.ggml.tokens: not an array"),
    ("token twice", |gguf| tokens(gguf)[4] = "<i0>".to_owned(), "ggml: token `<i0>` is there twice"),
    ("empty token", |gguf| tokens(gguf)[4].clear(), "ggml: metadata key tokenizer.ggml.tokens: token 4 is empty"),
    ("huge token", |gguf| tokens(gguf)[4] = "x".repeat(2000), "ggml: metadata key tokenizer.ggml.tokens: token 4 has 2000 bytes"),
    ("too few scores", |gguf| gguf.set("tokenizer.ggml.scores", Value::F32s(vec![0.0; 2])), "ggml: metadata key tokenizer.ggml.scores"),
    ("too few types", |gguf| gguf.set("tokenizer.ggml.token_type", Value::I32s(vec![1; 2])), "ggml: metadata key tokenizer.ggml.token_type: not a type"),
    ("byte that is none", |gguf| gguf.set("tokenizer.ggml.token_type", Value::I32s(vec![6; 11])), "ggml: metadata key tokenizer.ggml.token_type: token 0 is no byte"),
    ("splitter by regular expressions", |gguf| pairs(gguf, "deepseek-llm"), "ggml: pre-tokenizer deepseek-llm is not supported"),
    ("no splitter", |gguf| gguf.set("tokenizer.ggml.model", text("gpt2")), "ggml: pre-tokenizer default is not supported"),
    ("no merges", |gguf| { pairs(gguf, "gpt-2"); gguf.remove("tokenizer.ggml.merges"); }, "ggml: metadata key tokenizer.ggml.merges is missing"),
    ("one token less than rows", |gguf| { tokens(gguf).pop(); gguf.remove("tokenizer.ggml.scores"); gguf.remove("tokenizer.ggml.token_type"); }, "ggml: tensor token_embd.weight: sizes"),
    ("no begin to add", |gguf| few_tokens(gguf), "ggml: metadata key tokenizer.ggml.bos_token_id: the tokenizer adds token 1, and there are 1"),
    ("missing tensor", |gguf| drop(gguf.tensors.remove(0)), "ggml: tensor token_embd.weight is missing"),
    ("tensor twice", |gguf| gguf.tensors.push(gguf.tensors[0].clone()), "ggml: tensor `token_embd.weight` is there twice"),
    ("surplus tensor", |gguf| gguf.tensors.push(ggml_support::gguf::Tensor { name: "blk.9.attn_q.weight".to_owned(), ..gguf.tensors[0].clone() }), "ggml: tensor blk.9.attn_q.weight is not supported"),
    ("long name", |gguf| gguf.tensors[0].name = "x".repeat(64), "ggml: tensor xxxx"),
    ("wrong shape", |gguf| gguf.tensor("blk.0.attn_q.weight").sizes = vec![16, 64], "ggml: tensor blk.0.attn_q.weight: sizes [16, 64, 1, 1], [32, 32] expected"),
    ("no elements", |gguf| gguf.tensor("blk.0.attn_q.weight").sizes = vec![32, 0], "ggml: tensor blk.0.attn_q.weight: sizes [32, 0, 1, 1] are empty"),
    ("huge sizes", |gguf| gguf.tensor("blk.0.attn_q.weight").sizes = vec![1 << 40, 1 << 40], "ggml: tensor blk.0.attn_q.weight: sizes"),
    ("five axes", |gguf| gguf.tensor("blk.0.attn_q.weight").sizes = vec![32, 32, 1, 1, 1], "ggml: tensor blk.0.attn_q.weight: 5 axes"),
    ("integers as weights", |gguf| gguf.tensor("blk.0.attn_q.weight").ty = 26, "ggml: tensor blk.0.attn_q.weight: element type 26 is none of weights"),
    ("unknown element type", |gguf| gguf.tensor("blk.0.attn_q.weight").ty = 99, "ggml: tensor blk.0.attn_q.weight: element type 99"),
    ("rows in parts of blocks", |gguf| gguf.tensor("blk.0.attn_q.weight").ty = 12, "ggml: tensor blk.0.attn_q.weight: rows of 32 in blocks of 256"),
    ("norm in half precision", |gguf| { let norm = gguf.tensor("output_norm.weight"); norm.ty = 1; norm.data.truncate(64); }, "ggml: tensor output_norm.weight: not in single precision"),
];

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

fn tokens(gguf: &mut Gguf) -> &mut Vec<String> {
    match gguf.values.iter_mut().find(|(key, _)| key == "tokenizer.ggml.tokens") {
        Some((_, Value::Texts(tokens))) => tokens,
        other => panic!("{other:?}"),
    }
}

/// Another tokenizer, by pairs of bytes.
fn pairs(gguf: &mut Gguf, splitter: &str) {
    gguf.set("tokenizer.ggml.model", text("gpt2"));
    gguf.set("tokenizer.ggml.pre", text(splitter));
    gguf.set("tokenizer.ggml.merges", Value::Texts(vec!["< i".to_owned()]));
}

fn few_tokens(gguf: &mut Gguf) {
    tokens(gguf).truncate(1);
    gguf.remove("tokenizer.ggml.scores");
    gguf.remove("tokenizer.ggml.token_type");
    gguf.remove("tokenizer.ggml.add_bos_token");
}

#[test]
fn what_llama_cpp_would_abort_over_is_refused_with_its_name() {
    let mut failures = Vec::new();
    for (name, change, expected) in CASES {
        let mut gguf = tiny();
        change(&mut gguf);
        match load(&gguf.bytes()) {
            Ok(_) => failures.push(format!("{name}: loaded")),
            Err(error) if !error.to_string().starts_with(expected) => {
                failures.push(format!("{name}: {error}"));
            }
            Err(error) => {
                let category = if error.to_string().contains("not supported") {
                    Category::Unsupported
                } else {
                    Category::InvalidEncoding
                };
                assert_eq!(error.category(), category, "{name}");
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[rustfmt::skip]
const ENCODER_CASES: &[Case] = &[
    ("causal", |gguf| gguf.set("bert.attention.causal", Value::Bool(true)), "ggml: an encoder with attention to earlier"),
    ("unknown key", |gguf| gguf.set("bert.rope.freq_base", Value::F32(1.0)), "ggml: metadata key bert.rope.freq_base is not supported"),
    ("shared heads", |gguf| gguf.set("bert.attention.head_count_kv", Value::U32(1)), "ggml: metadata key bert.attention.head_count_kv: 1, 2 expected"),
    ("uneven heads", |gguf| gguf.set("bert.attention.head_count", Value::U32(3)), "ggml: metadata key bert.attention.head_count: 32 is no multiple of 3"),
    ("no epsilon", |gguf| gguf.remove("bert.attention.layer_norm_epsilon"), "ggml: metadata key bert.attention.layer_norm_epsilon is missing"),
    ("no kinds", |gguf| gguf.remove("tokenizer.ggml.token_type_count"), "ggml: metadata key tokenizer.ggml.token_type_count is missing"),
    ("more positions than vectors", |gguf| gguf.set("bert.context_length", Value::U32(64)), "ggml: tensor position_embd.weight: sizes"),
    ("no separator", |gguf| gguf.remove("tokenizer.ggml.seperator_token_id"), "ggml: metadata key tokenizer.ggml.seperator_token_id: the tokenizer uses token 102"),
    ("no begin", |gguf| gguf.remove("tokenizer.ggml.bos_token_id"), "ggml: metadata key tokenizer.ggml.bos_token_id: the tokenizer adds token 101"),
    ("no unknown", |gguf| gguf.set("tokenizer.ggml.unknown_token_id", Value::U32(99)), "ggml: metadata key tokenizer.ggml.unknown_token_id: the tokenizer uses token 100"),
    ("a classifier", |gguf| gguf.tensors.push(ggml_support::gguf::Tensor { name: "cls.bias".to_owned(), ..gguf.tensors[3].clone() }), "ggml: tensor cls.bias is not supported"),
    ("a shift in half precision", |gguf| { let bias = gguf.tensor("blk.1.attn_q.bias"); bias.ty = 1; bias.data.truncate(64); }, "ggml: tensor blk.1.attn_q.bias: not in single precision"),
    ("kinds in half precision", |gguf| { let kinds = gguf.tensor("token_types.weight"); kinds.ty = 1; kinds.data.truncate(128); }, "ggml: tensor token_types.weight: not in single precision"),
];

#[test]
fn an_encoder_is_refused_as_well() {
    for (name, change, expected) in ENCODER_CASES {
        let mut gguf = Bert::random(3).gguf();
        change(&mut gguf);
        let error = load(&gguf.bytes()).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{name}: {error}");
    }
}

#[test]
fn lengths_and_counts_beyond_the_file_reserve_nothing() {
    let whole = tiny().bytes();
    // Number of tensors, number of keys, length of the first key.
    for at in [8, 16, 24] {
        for value in [u64::MAX, 1 << 62, 1 << 32, whole.len() as u64] {
            let mut bytes = whole.clone();
            bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
            let error = load(&bytes).unwrap_err();
            assert_eq!(error.category(), Category::InvalidEncoding, "{value} at {at}: {error}");
        }
    }
    // An array of 2^60 scores.
    let mut gguf = tiny();
    let array = [6_u32.to_le_bytes().to_vec(), (1_u64 << 60).to_le_bytes().to_vec()].concat();
    gguf.set("tokenizer.ggml.scores", Value::Raw(9, array));
    assert_eq!(load(&gguf.bytes()).unwrap_err().category(), Category::InvalidEncoding);
}

#[test]
fn no_beginning_of_a_file_loads() {
    let gguf = tiny();
    let whole = gguf.bytes();
    load(&whole).unwrap();
    let weights = (gguf.header_len()..whole.len()).step_by(97);
    for length in (0..gguf.header_len()).chain(weights).chain([whole.len() - 1]) {
        let result = engine().load(&[&whole[..length]], Encoding::Ggml, Device::Cpu);
        let error = result.err().unwrap_or_else(|| panic!("{length} of {} bytes loaded", whole.len()));
        assert!(matches!(error, NnError::Model { .. }), "{length}: {error}");
    }
}

/// Runs the ignored test `name` of this binary in a process of its own; its last line of output says what it was
/// about to do.
#[track_caller]
fn survives(name: &str) {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--ignored", "--nocapture", "--test-threads=1"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let last = said.lines().rfind(|line| line.starts_with("about to ")).unwrap_or("nothing");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {last}\n{errors}", output.status);
    assert_ne!(last, "nothing", "the child ran nothing: {said}");
}

/// Loads, and if that works computes: whatever it gives, the process goes on.
fn exercise(bytes: &[u8]) -> Result<(), NnError> {
    let mut context = load(bytes)?.context()?;
    set_metadata(&mut context, r#"{"ctx-size": 256, "n-predict": 4, "seed": 1, "embedding": true}"#)?;
    set_tokens(&mut context, &[3, 4, 5])?;
    // A broken weight is an error of the computation, and no reason not to go on.
    let embedded = context.compute();
    set_metadata(&mut context, r#"{"embedding": false}"#)?;
    let written = set_text(&mut context, "<i1><i2>").and_then(|()| context.compute());
    match written {
        // An encoder writes none.
        Err(NnError::Unsupported { .. }) => embedded,
        written => embedded.and(written),
    }
}

/// SplitMix64.
fn random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[test]
fn every_byte_of_the_header_may_be_wrong() {
    survives("child_flips_bytes");
}

#[test]
#[ignore = "run by every_byte_of_the_header_may_be_wrong"]
fn child_flips_bytes() {
    for gguf in [tiny(), Bert::random(3).gguf()] {
        let whole = gguf.bytes();
        let mut loaded = 0;
        for at in 0..gguf.header_len() {
            for mask in [0x01, 0x80, 0xff] {
                println!("about to flip {mask:#x} at {at}");
                let mut bytes = whole.clone();
                bytes[at] ^= mask;
                loaded += usize::from(exercise(&bytes).is_ok());
            }
        }
        // Names of items may be anything; most of the rest may not.
        assert!(loaded > 0 && loaded < gguf.header_len(), "{loaded} loaded");
    }
}

#[test]
fn fields_may_have_any_value() {
    survives("child_overwrites_fields");
}

#[test]
#[ignore = "run by fields_may_have_any_value"]
fn child_overwrites_fields() {
    const INTERESTING: [u64; 12] =
        [0, 1, 2, 7, 31, 255, 65_535, 0x7fff_ffff, 0xffff_ffff, 1 << 32, i64::MAX as u64, u64::MAX];
    let rounds = std::env::var("ENDCAP_FUZZ_ROUNDS").map_or(4000, |rounds| rounds.parse().unwrap());
    let sound = [tiny(), Bert::random(3).gguf()].map(|gguf| (gguf.bytes(), gguf.header_len()));
    let mut state = 1;
    for round in 0..rounds {
        let (whole, header) = &sound[round % 2];
        let mut bytes = whole.clone();
        println!("about to overwrite in round {round}");
        for _ in 0..1 + random(&mut state) % 2 {
            let at = random(&mut state) as usize % (header - 8);
            let value = INTERESTING[random(&mut state) as usize % INTERESTING.len()].to_le_bytes();
            let width = [1, 4, 8][random(&mut state) as usize % 3];
            bytes[at..at + width].copy_from_slice(&value[..width]);
        }
        let _ = exercise(&bytes);
    }
}

#[test]
fn a_long_text_does_not_exhaust_the_stack() {
    survives("child_tokenizes_long_texts");
}

#[test]
#[ignore = "run by a_long_text_does_not_exhaust_the_stack"]
fn child_tokenizes_long_texts() {
    const SPLITTERS: [&str; 13] = [
        "command-r",
        "dbrx",
        "falcon3",
        "gpt-2",
        "llama-bpe",
        "llama-v3",
        "llama3",
        "olmo",
        "qwen2",
        "refact",
        "smollm",
        "stablelm2",
        "starcoder",
    ];
    for splitter in SPLITTERS {
        let mut gguf = tiny();
        pairs(&mut gguf, splitter);
        let mut context = load(&gguf.bytes()).unwrap().context().unwrap();
        set_metadata(&mut context, r#"{"ctx-size": 4096}"#).unwrap();
        for part in ["a", "1", " ", "!", "\u{4e00}", "a1 !", "\n", "\u{301}"] {
            println!("about to split {part:?} by {splitter}");
            // 256 kB on the 2 MiB of a test's thread: a few bytes of stack for each would end the process. Not in
            // the vocabulary, or too many.
            let text = part.repeat((4096 * 64) / part.len());
            let _ = set_text(&mut context, &text);
        }
    }
}

#[test]
fn weights_may_be_anything() {
    survives("child_fills_weights");
}

#[test]
#[ignore = "run by weights_may_be_anything"]
fn child_fills_weights() {
    /// Numbers of the element types that may be weights, elements and bytes of a block.
    const TYPES: [(u32, usize, usize); 24] = [
        (0, 1, 4),
        (1, 1, 2),
        (30, 1, 2),
        (2, 32, 18),
        (3, 32, 20),
        (6, 32, 22),
        (7, 32, 24),
        (8, 32, 34),
        (10, 256, 84),
        (11, 256, 110),
        (12, 256, 144),
        (13, 256, 176),
        (14, 256, 210),
        (16, 256, 66),
        (17, 256, 74),
        (18, 256, 98),
        (19, 256, 50),
        (20, 32, 18),
        (21, 256, 110),
        (22, 256, 82),
        (23, 256, 136),
        (29, 256, 56),
        (34, 256, 54),
        (35, 256, 66),
    ];
    let sizes = Sizes { layers: 1, width: 256, heads: 2, kv_heads: 2, ff: 256, items: 13 };
    let sound = Llama::random(sizes, 1).gguf();
    let mut state = 9;
    for (ty, elements, bytes) in TYPES {
        println!("about to fill type {ty}");
        let mut gguf = sound.clone();
        for tensor in gguf.tensors.iter_mut().filter(|tensor| tensor.sizes.len() == 2) {
            let count = tensor.sizes.iter().product::<u64>() as usize;
            tensor.ty = ty;
            tensor.data = (0..count / elements * bytes).map(|_| random(&mut state) as u8).collect();
        }
        match exercise(&gguf.bytes()) {
            Ok(()) | Err(NnError::Compute { .. }) => {}
            Err(error) => panic!("type {ty}: {error}"),
        }
    }
    for value in [f32::NAN, f32::INFINITY, f32::MAX, f32::MIN_POSITIVE] {
        println!("about to fill with {value}");
        let mut gguf = tiny();
        for tensor in &mut gguf.tensors {
            tensor.data = value.to_le_bytes().repeat(tensor.data.len() / 4);
        }
        match exercise(&gguf.bytes()) {
            Ok(()) | Err(NnError::Compute { .. }) => {}
            Err(error) => panic!("{value}: {error}"),
        }
    }
}
