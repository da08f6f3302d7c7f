//! GGML on a small model: vectors against the same model in plain Rust, texts, streaming, and every wrong call.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests are tests")]

mod ggml_support;

use endcap_nn::{
    ArgumentError, Category, Device, Encoding, Key, Limits, NnError, Registry, Tensor, TensorType,
};
use ggml_support::bert::Bert;
use ggml_support::gguf::Value;
use ggml_support::llama::{Llama, SMALL, SPECIALS};
use ggml_support::{
    context, engine, load, load_with, set_metadata, set_text, set_tokens, stream, text, vector,
};

const EMBED: &str = r#"{"embedding": true}"#;
/// Greedy, so that a text is the same each time.
const GREEDY: &str = r#"{"temp": 0, "n-predict": 24}"#;

fn small() -> (Llama, Vec<u8>) {
    let llama = Llama::random(SMALL, 11);
    let bytes = llama.gguf().bytes();
    (llama, bytes)
}

fn items(items: &[i32]) -> (Vec<i32>, String) {
    let tokens = items.iter().map(|item| item + SPECIALS as i32).collect();
    (tokens, items.iter().map(|item| format!("<i{item}>")).collect())
}

#[track_caller]
fn assert_close(found: &[f32], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len());
    for (index, (found, expected)) in found.iter().zip(expected).enumerate() {
        let difference = (f64::from(*found) - expected).abs();
        assert!(difference <= tolerance, "at {index}: {found}, {expected} expected");
    }
}

#[test]
fn a_vector_is_the_models() {
    let (llama, bytes) = small();
    let mut context = context(&bytes, EMBED);
    for history in [&[7][..], &[1, 2, 3, 2, 1], &(0..200).map(|n| n * 7 % 300).collect::<Vec<_>>()] {
        let (tokens, _) = items(history);
        set_tokens(&mut context, &tokens).unwrap();
        context.compute().unwrap();
        assert_close(&vector(&context), &llama.embed(&tokens), 1e-4);
    }
}

#[test]
fn a_vector_is_the_models_also_in_parts() {
    let (llama, bytes) = small();
    let mut context = context(&bytes, r#"{"embedding": true, "ubatch-size": 16}"#);
    let tokens: Vec<i32> = (0..100).map(|n| n * 11 % 300).collect();
    set_tokens(&mut context, &tokens).unwrap();
    context.compute().unwrap();
    assert_close(&vector(&context), &llama.embed(&tokens), 1e-4);
}

fn mean(states: &[Vec<f64>]) -> Vec<f64> {
    let sum = |at: usize| states.iter().map(|state| state[at]).sum::<f64>();
    (0..states[0].len()).map(|at| sum(at) / states.len() as f64).collect()
}

#[test]
fn a_vector_may_be_of_all_tokens() {
    let (llama, bytes) = small();
    let tokens: Vec<i32> = (0..100).map(|n| n * 11 % 300).collect();
    let states = llama.states(&tokens);
    // Also in parts, where the states come a part at a time.
    for parts in [512, 16] {
        let metadata = |pooling| {
            format!(
                r#"{{"embedding": true, "ubatch-size": {parts}, "batch-size": 128, "pooling": "{pooling}"}}"#
            )
        };
        let mut context = context(&bytes, &metadata("mean"));
        set_tokens(&mut context, &tokens).unwrap();
        for (pooling, expected) in [
            ("mean", mean(&states)),
            ("auto", mean(&states)),
            ("cls", states[0].clone()),
            ("last", states[99].clone()),
        ] {
            set_metadata(&mut context, &metadata(pooling)).unwrap();
            for _ in 0..2 {
                context.compute().unwrap();
                assert_close(&vector(&context), &expected, 1e-4);
            }
        }
    }
}

#[test]
fn an_encoders_vector_is_the_models() {
    let bert = Bert::random(5);
    let mut gguf = bert.gguf();
    // A begin and an end are put around every text; a word of two pieces; one that is not known; capitals and accents.
    let text = "red  cups foo MUG \u{c9}";
    let tokens = [1, 3, 4, 5, 0, 6, 0, 2];
    let states = bert.states(&tokens);
    for (pooling, expected) in [(1, mean(&states)), (2, states[0].clone()), (3, states[7].clone())] {
        gguf.set("bert.pooling_type", Value::U32(pooling));
        let mut context = context(&gguf.bytes(), EMBED);
        set_text(&mut context, text).unwrap();
        context.compute().unwrap();
        assert_close(&vector(&context), &expected, 1e-3);
        set_tokens(&mut context, &tokens).unwrap();
        context.compute().unwrap();
        assert_close(&vector(&context), &expected, 1e-3);
    }
}

#[test]
fn an_encoder_has_no_positions_but_its_own_and_writes_no_text() {
    let bytes = Bert::random(5).gguf().bytes();
    let mut context = context(&bytes, r#"{"embedding": true, "ctx-size": 512, "ubatch-size": 8}"#);
    let long = vec![4; 48];
    set_tokens(&mut context, &long).unwrap();
    context.compute().unwrap();
    assert_close(&vector(&context), &mean(&Bert::random(5).states(&long)), 1e-3);
    set_tokens(&mut context, &[4; 49]).unwrap();
    assert_eq!(context.compute(), Err(NnError::PromptTooLong { tokens: 49, limit: 48 }));
    set_metadata(&mut context, r#"{"embedding": false}"#).unwrap();
    set_tokens(&mut context, &[4]).unwrap();
    assert!(context.compute().unwrap_err().to_string().contains("text from an encoder"));
    assert!(context.compute_single().unwrap_err().to_string().contains("text from an encoder"));
}

#[test]
fn a_context_of_gigabytes_is_refused() {
    let (_, bytes) = small();
    let metadata = r#"{"ctx-size": 32768, "batch-size": 32768, "ubatch-size": 32768}"#;
    let mut context = context(&bytes, metadata);
    set_tokens(&mut context, &[4]).unwrap();
    let error = context.compute().unwrap_err();
    assert_eq!(error.category(), Category::TooLarge, "{error}");
    set_metadata(&mut context, r#"{"ubatch-size": 512, "n-predict": 1}"#).unwrap();
    context.compute().unwrap();
}

#[test]
fn a_call_does_not_see_the_one_before() {
    let (_, bytes) = small();
    let mut context = context(&bytes, EMBED);
    let mut embed = |history: &[i32]| {
        set_tokens(&mut context, history).unwrap();
        context.compute().unwrap();
        vector(&context)
    };
    let first = embed(&[5, 6, 7]);
    embed(&[250; 90]);
    assert_eq!(embed(&[5, 6, 7]), first);
}

#[test]
fn text_and_token_ids_name_the_same_items() {
    let (_, bytes) = small();
    let mut context = context(&bytes, EMBED);
    let (tokens, prompt) = items(&[3, 141, 59]);
    set_tokens(&mut context, &tokens).unwrap();
    context.compute().unwrap();
    let by_tokens = vector(&context);
    set_text(&mut context, &prompt).unwrap();
    context.compute().unwrap();
    assert_eq!(vector(&context), by_tokens);
}

#[test]
fn the_json_is_the_vector_at_length_one() {
    let (_, bytes) = small();
    let mut context = context(&bytes, EMBED);
    set_tokens(&mut context, &[4, 5]).unwrap();
    context.compute().unwrap();
    let raw = vector(&context);
    let length = raw.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>().sqrt();
    let json: serde_json::Value = serde_json::from_str(&text(&context, 0)).unwrap();
    assert_eq!(json["n_embedding"], 64);
    let normed: Vec<f32> = serde_json::from_value(json["embedding"].clone()).unwrap();
    assert_close(&normed, &raw.iter().map(|value| f64::from(*value) / length).collect::<Vec<_>>(), 1e-6);
    let metadata: serde_json::Value = serde_json::from_str(&text(&context, 1)).unwrap();
    assert_eq!((&metadata["input_tokens"], &metadata["output_tokens"]), (&2.into(), &0.into()));
}

#[test]
fn a_model_without_tokenizer_takes_tokens_and_gives_vectors() {
    let llama = Llama::random(SMALL, 11);
    let mut context = context(&llama.gguf_without_text().bytes(), EMBED);
    set_tokens(&mut context, &[9, 8]).unwrap();
    context.compute().unwrap();
    assert_close(&vector(&context), &llama.embed(&[9, 8]), 1e-4);
    let error = set_text(&mut context, "<i1>").unwrap_err();
    assert_eq!(error.category(), Category::Unsupported, "{error}");
    set_metadata(&mut context, r#"{"embedding": false}"#).unwrap();
    let error = context.compute().unwrap_err();
    assert_eq!(error.category(), Category::Unsupported, "{error}");
}

#[test]
fn inputs_and_outputs_have_names() {
    let (_, bytes) = small();
    let graph = load(&bytes).unwrap();
    let names = |specs: &[endcap_nn::TensorSpec]| {
        specs.iter().map(|spec| spec.name.clone()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(names(graph.inputs()), "prompt metadata");
    assert_eq!(names(graph.outputs()), "text metadata embedding");
    let mut context = graph.context().unwrap();
    context.set_input(Key::Name("metadata"), Tensor::u8(EMBED.as_bytes()).view()).unwrap();
    context.set_input(Key::Name("prompt"), Tensor::i32(&[1], &[4]).view()).unwrap();
    context.compute().unwrap();
    assert_eq!(context.output(Key::Name("embedding")).unwrap().dimensions, [64]);
}

#[test]
fn a_text_repeats_and_streams() {
    let (_, bytes) = small();
    let mut context = context(&bytes, GREEDY);
    let (_, prompt) = items(&[10, 20, 30]);
    let mut compute = |prompt: &str| {
        set_text(&mut context, prompt).unwrap();
        context.compute().unwrap();
        text(&context, 0)
    };
    let once = compute(&prompt);
    assert!(!once.is_empty());
    assert_ne!(compute("<i1>"), once);
    assert_eq!(compute(&prompt), once);

    set_text(&mut context, &prompt).unwrap();
    let (pieces, end) = stream(&mut context);
    assert_eq!(pieces.concat(), once);
    assert_eq!(end, NnError::EndOfSequence);
    // The end stays one, until the stream is finished.
    assert_eq!(context.compute_single(), Err(NnError::EndOfSequence));
    context.finish_single().unwrap();
    assert_eq!(stream(&mut context).0.concat(), once);
}

#[test]
fn n_predict_counts_tokens() {
    let (_, bytes) = small();
    let mut context = context(&bytes, r#"{"temp": 0, "n-predict": 5}"#);
    set_text(&mut context, "<i10>").unwrap();
    context.compute().unwrap();
    assert_eq!(text(&context, 0).matches('<').count(), 5);
    let metadata: serde_json::Value = serde_json::from_str(&text(&context, 1)).unwrap();
    assert_eq!((&metadata["input_tokens"], &metadata["output_tokens"]), (&1.into(), &5.into()));
    set_metadata(&mut context, r#"{"n-predict": 0}"#).unwrap();
    context.compute().unwrap();
    assert_eq!(text(&context, 0), "");
}

#[test]
fn a_text_ends_at_the_stop_string() {
    let (_, bytes) = small();
    let mut context = context(&bytes, GREEDY);
    set_text(&mut context, "<i10>").unwrap();
    context.compute().unwrap();
    let whole = text(&context, 0);
    // The end of the fourth token and the begin of the fifth: it is found across tokens.
    let pieces: Vec<_> = whole.split_inclusive('>').collect();
    let stop = format!("{}<", &pieces[3][1..]);
    set_metadata(&mut context, &format!(r#"{{"reverse-prompt": "{stop}"}}"#)).unwrap();
    context.compute().unwrap();
    let stopped = text(&context, 0);
    let end = whole.find(&stop).unwrap() + stop.len();
    assert!(whole.starts_with(&stopped), "{stopped} is no begin of {whole}");
    assert!(stopped.len() >= end && stopped.len() < end + pieces[4].len(), "{stopped} in {whole}");
    assert_eq!(stream(&mut context).0.concat(), stopped);
}

#[test]
fn a_seed_repeats_and_another_does_not() {
    let (_, bytes) = small();
    let mut context = context(&bytes, r#"{"temp": 1.5, "top-p": 1.0, "n-predict": 24}"#);
    set_text(&mut context, "<i10>").unwrap();
    let mut draw = |seed: i32| {
        set_metadata(&mut context, &format!(r#"{{"seed": {seed}}}"#)).unwrap();
        context.compute().unwrap();
        text(&context, 0)
    };
    assert_eq!(draw(1), draw(1));
    assert_ne!(draw(1), draw(2));
    assert_ne!(draw(-1), draw(-1), "no seed, and 24 tokens are the same");
}

#[test]
fn a_full_context_ends_a_text_that_can_be_read() {
    let (_, bytes) = small();
    let mut context = context(&bytes, r#"{"temp": 0, "ctx-size": 256, "n-predict": -1}"#);
    set_tokens(&mut context, &[20; 250]).unwrap();
    assert_eq!(context.compute(), Err(NnError::ContextFull { limit: 256 }));
    // Six places, and one token that was drawn and not shown to the model.
    let whole = text(&context, 0);
    assert_eq!(whole.matches('<').count(), 7, "{whole}");
    let (pieces, end) = stream(&mut context);
    assert_eq!((pieces.concat(), end), (whole, NnError::ContextFull { limit: 256 }));
}

#[test]
fn a_prompt_that_does_not_fit_is_refused() {
    let (_, bytes) = small();
    let mut context = context(&bytes, r#"{"ctx-size": 256}"#);
    set_tokens(&mut context, &[20; 253]).unwrap();
    let too_long = |limit| NnError::PromptTooLong { tokens: 253, limit };
    assert_eq!(context.compute(), Err(too_long(256)));
    assert_eq!(context.compute_single(), Err(too_long(256)));
    set_metadata(&mut context, r#"{"embedding": true, "batch-size": 64}"#).unwrap();
    assert_eq!(context.compute(), Err(too_long(64)));
    // More bytes than the context could hold as tokens: not even counted.
    let error = set_text(&mut context, &"<i1>".repeat(10_000)).unwrap_err();
    assert_eq!(error.category(), Category::TooLarge, "{error}");
}

#[test]
fn a_long_prompt_goes_in_by_batches() {
    let (_, bytes) = small();
    let tokens: Vec<i32> = (0..200).map(|n| n * 13 % 300).collect();
    let run = |metadata: &str| {
        let mut context = context(&bytes, GREEDY);
        set_metadata(&mut context, metadata).unwrap();
        set_tokens(&mut context, &tokens).unwrap();
        context.compute().unwrap();
        text(&context, 0)
    };
    assert_eq!(run(r#"{"batch-size": 64, "ubatch-size": 16}"#), run("{}"));
}

#[test]
fn wrong_inputs_are_refused_and_change_nothing() {
    let (_, bytes) = small();
    let mut context = context(&bytes, EMBED);
    set_tokens(&mut context, &[4, 5]).unwrap();
    for (key, tensor, expected) in [
        (
            Key::Index(0),
            Tensor::i32(&[2], &[4, 303]),
            "input `prompt`: token 303 given, tokens below 303 expected",
        ),
        (
            Key::Index(0),
            Tensor::i32(&[1], &[-1]),
            "input `prompt`: token -1 given, tokens below 303 expected",
        ),
        (Key::Index(0), Tensor::f32(&[1], &[1.0]), "input `prompt`: f32 given, u8 (text) or i32"),
        (Key::Index(0), Tensor::u8(b"\xff"), "input `prompt`: text that is no UTF-8"),
        (Key::Index(1), Tensor::u8(b"\xff"), "metadata: no UTF-8"),
        (Key::Index(1), Tensor::u8(b"not json"), "metadata: no JSON object"),
        (Key::Index(1), Tensor::u8(br#"{"threads": "two"}"#), "metadata: `threads`: a string"),
        (Key::Index(2), Tensor::u8(b""), "no input `2`; the model has prompt, metadata"),
        (Key::Name("image"), Tensor::u8(b""), "no input `image`"),
    ] {
        let error = context.set_input(key, tensor.view()).unwrap_err();
        assert!(error.to_string().starts_with(expected), "{error}");
        assert_eq!(error.category(), Category::InvalidArgument);
    }
    context.compute().unwrap();
    assert_eq!(vector(&context).len(), 64);
}

/// SentencePiece falls back to bytes, of which this vocabulary has none: llama.cpp throws.
#[test]
fn text_beyond_the_vocabulary_is_an_error() {
    let (_, bytes) = small();
    let mut context = context(&bytes, EMBED);
    let error = set_text(&mut context, "<i1> socks").unwrap_err();
    assert_eq!(error.category(), Category::Runtime, "{error}");
    set_text(&mut context, "<i1>").unwrap();
    context.compute().unwrap();
}

#[test]
fn outputs_are_there_once_computed() {
    let (_, bytes) = small();
    let mut context = context(&bytes, EMBED);
    let not_computed = NnError::from(ArgumentError::NotComputed);
    for index in 0..3 {
        assert_eq!(context.output(Key::Index(index)), Err(not_computed.clone()));
    }
    assert_eq!(context.output_single(Key::Index(0)), Err(not_computed.clone()));
    let missing = ArgumentError::MissingInput { input: "prompt".to_owned() };
    assert_eq!(context.compute(), Err(missing.into()));
    assert_eq!(context.compute_single().unwrap_err().category(), Category::Unsupported);

    set_tokens(&mut context, &[4]).unwrap();
    context.compute().unwrap();
    assert_eq!(context.output(Key::Index(2)).unwrap().ty, TensorType::F32);
    let error = context.output(Key::Index(3)).unwrap_err();
    assert!(error.to_string().contains("text, metadata, embedding"), "{error}");
    // A new input: the old outputs are gone.
    set_tokens(&mut context, &[5]).unwrap();
    assert_eq!(context.output(Key::Index(2)), Err(not_computed.clone()));

    set_metadata(&mut context, r#"{"embedding": false, "n-predict": 1}"#).unwrap();
    context.compute().unwrap();
    assert_eq!(context.output(Key::Index(2)), Err(not_computed));
}

#[test]
fn wrong_parts_and_metadata_are_refused_at_loading() {
    let (_, bytes) = small();
    let parts = |parts: &[&[u8]]| engine().load(parts, Encoding::Ggml, Device::Cpu).unwrap_err();
    assert_eq!(parts(&[]).category(), Category::InvalidArgument);
    assert_eq!(parts(&[&bytes, b"{}", b"{}"]).category(), Category::InvalidArgument);
    assert_eq!(parts(&[&bytes, b"nonsense"]).category(), Category::InvalidArgument);
    assert_eq!(parts(&[&bytes, &[0xff]]).category(), Category::InvalidArgument);
    assert_eq!(parts(&[b"GGUF"]).category(), Category::InvalidEncoding);
    let limits = Limits { tokens: 300, ..Limits::default() };
    let engine = endcap_nn::Engine::new(limits, Registry::default());
    let error = engine.load(&[&bytes, br#"{"ctx-size": 512}"#], Encoding::Ggml, Device::Cpu).unwrap_err();
    assert_eq!(error.category(), Category::TooLarge, "{error}");
}

#[test]
fn a_gpu_that_is_not_there_is_an_error() {
    if cfg!(any(feature = "cuda", feature = "vulkan")) {
        println!("skipped: built with a GPU back-end");
        return;
    }
    let (_, bytes) = small();
    let error = engine().load(&[&bytes], Encoding::Ggml, Device::Gpu).unwrap_err();
    assert!(matches!(error, NnError::NoGpu { .. }), "{error}");
    let error = load_with(&bytes, r#"{"n-gpu-layers": 2}"#).unwrap_err();
    assert!(matches!(error, NnError::NoGpu { .. }), "{error}");
    load_with(&bytes, r#"{"n-gpu-layers": 0}"#).unwrap();
    let mut context = context(&bytes, "{}");
    let error = set_metadata(&mut context, r#"{"n-gpu-layers": 2}"#).unwrap_err();
    assert_eq!(error.category(), Category::Unsupported, "{error}");
}

#[test]
fn contexts_of_many_threads_give_the_same() {
    let (llama, bytes) = small();
    let graph = load_with(&bytes, EMBED).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let (graph, llama) = (&graph, &llama);
            scope.spawn(move || {
                for round in 0..20 {
                    let mut context = graph.context().unwrap();
                    let tokens: Vec<i32> = (0..1 + round).map(|n| (n * 31 + thread) % 300).collect();
                    set_tokens(&mut context, &tokens).unwrap();
                    context.compute().unwrap();
                    assert_close(&vector(&context), &llama.embed(&tokens), 1e-4);
                }
            });
        }
    });
}

#[test]
fn a_context_outlives_its_graph() {
    let (llama, bytes) = small();
    let graph = load_with(&bytes, EMBED).unwrap();
    let mut context = graph.context().unwrap();
    drop(graph);
    set_tokens(&mut context, &[4, 5]).unwrap();
    context.compute().unwrap();
    assert_close(&vector(&context), &llama.embed(&[4, 5]), 1e-4);
}
