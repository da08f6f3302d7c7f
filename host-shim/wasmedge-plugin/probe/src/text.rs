//! A GGML model through the functions that upstream's plugin has for it.

use serde_json::{Value, json};

use crate::abi::{self, Errno};

/// Room for an answer or an embedding as JSON.
const ANSWER_BYTES: usize = 1 << 20;
/// Room for a token: none is a longer piece of text.
const TOKEN_BYTES: usize = 4096;
/// The errno that ends streaming.
const END_OF_SEQUENCE: u32 = 100;

fn open(name: &str, prompt: &str, metadata: &str) -> Result<u32, Errno> {
    let context = abi::context(abi::load_with_config(name, metadata)?)?;
    abi::set_input(context, 0, &[prompt.len() as u32], abi::U8, prompt.as_bytes())?;
    Ok(context)
}

fn output(context: u32, index: u32) -> Result<String, Errno> {
    let mut buffer = vec![0; ANSWER_BYTES];
    let written = abi::get_output(context, index, &mut buffer)?;
    Ok(String::from_utf8_lossy(&buffer[..written as usize]).into_owned())
}

/// Output 0 as text, and output 1, which is JSON.
pub(crate) fn whole(name: &str, prompt: &str, metadata: &str) -> anyhow::Result<()> {
    let context = open(name, prompt, metadata)?;
    abi::compute(context)?;
    let counts: Value = serde_json::from_str(&output(context, 1)?)?;
    println!("{}", json!({ "text": output(context, 0)?, "metadata": counts }));
    Ok(())
}

/// Tokens until the end of the sequence.
pub(crate) fn streamed(name: &str, prompt: &str, metadata: &str) -> anyhow::Result<()> {
    let context = open(name, prompt, metadata)?;
    let mut pieces = Vec::new();
    let mut text = Vec::new();
    let mut buffer = vec![0; TOKEN_BYTES];
    loop {
        match abi::compute_single(context) {
            Ok(()) => {}
            Err(Errno(END_OF_SEQUENCE)) => break,
            Err(errno) => return Err(errno.into()),
        }
        let written = abi::get_output_single(context, 0, &mut buffer)? as usize;
        text.extend_from_slice(&buffer[..written]);
        pieces.push(written);
    }
    abi::fini_single(context)?;
    println!("{}", json!({ "text": String::from_utf8_lossy(&text), "pieces": pieces }));
    Ok(())
}
