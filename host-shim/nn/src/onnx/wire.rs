//! The first look at a model's bytes: what would decoding it cost?
//!
//! Two bytes of protobuf can stand for an empty node, which takes hundreds of bytes once decoded: a file of 100 MB
//! can ask for tens of gigabytes. Decoders bound the depth of a message and not its size. This walk over the wire
//! format adds up the decoded size without decoding, and refuses what is above the budget, too deep, or no ONNX.

use tract_onnx::pb;

use crate::{ArgumentError, NnError};

/// Messages within messages: a model without graphs in its nodes has six levels (model, graph, node, attribute,
/// tensor, segment). Those with such graphs are refused later, and by name; the decoder recurses before that.
const MAX_DEPTH: u32 = 32;

/// Growing vectors are doubled: what a repeated element may cost.
const GROWTH: u64 = 2;

/// The message types of ONNX.
#[derive(Debug, Clone, Copy)]
enum Message {
    Model,
    Graph,
    Node,
    Attribute,
    Tensor,
    SparseTensor,
    ValueInfo,
    Type,
    TensorType,
    Shape,
    Dimension,
    Annotation,
    /// Messages of two scalar fields: operator sets, string pairs, segments.
    Pair,
}

/// What a field holds.
enum Field {
    Message(Message),
    /// One string or byte string.
    Text,
    /// Numbers that take this many bytes each when decoded, and at least one on the wire.
    Varints(u64),
    /// Numbers that take as much room decoded as on the wire.
    Fixed,
    /// A scalar within its message, or a field that the decoder skips.
    Free,
    /// Refused, with the name of what it is.
    Refused(&'static str),
}

impl Message {
    fn field(self, number: u64) -> Field {
        use Field::{Fixed, Free, Refused, Text, Varints};
        match (self, number) {
            (Self::Model, 7) => Field::Message(Self::Graph),
            (Self::Model, 8 | 14) => Field::Message(Self::Pair),
            (Self::Model, 20) => Refused("training information"),
            (Self::Model, 25) => Refused("a function local to the model"),
            (Self::Model, 2 | 3 | 4 | 6) => Text,
            (Self::Graph, 1) => Field::Message(Self::Node),
            (Self::Graph, 5) => Field::Message(Self::Tensor),
            (Self::Graph, 11..=13) => Field::Message(Self::ValueInfo),
            (Self::Graph, 14) => Field::Message(Self::Annotation),
            (Self::Graph, 15) => Refused("a sparse initialiser"),
            (Self::Graph, 2 | 10) => Text,
            (Self::Node, 5) => Field::Message(Self::Attribute),
            (Self::Node, 1..=4 | 6 | 7) => Text,
            (Self::Attribute, 5 | 10) => Field::Message(Self::Tensor),
            (Self::Attribute, 6 | 11) => Field::Message(Self::Graph),
            (Self::Attribute, 15) => Field::Message(Self::Type),
            (Self::Attribute, 22 | 23) => Field::Message(Self::SparseTensor),
            (Self::Attribute, 7) => Fixed,
            (Self::Attribute, 8) => Varints(8),
            (Self::Attribute, 1 | 4 | 9 | 13 | 21) => Text,
            (Self::Tensor, 3 | 13) => Field::Message(Self::Pair),
            (Self::Tensor, 4 | 10) => Fixed,
            (Self::Tensor, 5) => Varints(4),
            (Self::Tensor, 1 | 7 | 11) => Varints(8),
            (Self::Tensor, 6 | 8 | 9 | 12) => Text,
            (Self::SparseTensor, 1 | 2) => Field::Message(Self::Tensor),
            (Self::SparseTensor, 3) => Varints(8),
            (Self::ValueInfo, 2) => Field::Message(Self::Type),
            (Self::ValueInfo, 1 | 3) => Text,
            (Self::Type, 1) => Field::Message(Self::TensorType),
            (Self::Type, 6) => Text,
            (Self::TensorType, 2) => Field::Message(Self::Shape),
            (Self::Shape, 1) => Field::Message(Self::Dimension),
            (Self::Dimension, 2 | 3) => Text,
            (Self::Annotation, 2) => Field::Message(Self::Pair),
            (Self::Annotation, 1) | (Self::Pair, 1 | 2) => Text,
            _ => Free,
        }
    }

    /// Bytes of the decoded message itself.
    fn size(self) -> u64 {
        let size = match self {
            Self::Model => size_of::<pb::ModelProto>(),
            Self::Graph => size_of::<pb::GraphProto>(),
            Self::Node => size_of::<pb::NodeProto>(),
            Self::Attribute => size_of::<pb::AttributeProto>(),
            Self::Tensor => size_of::<pb::TensorProto>(),
            Self::SparseTensor => size_of::<pb::SparseTensorProto>(),
            Self::ValueInfo => size_of::<pb::ValueInfoProto>(),
            Self::Type => size_of::<pb::TypeProto>(),
            Self::TensorType => size_of::<pb::type_proto::Tensor>(),
            Self::Shape => size_of::<pb::TensorShapeProto>(),
            Self::Dimension => size_of::<pb::tensor_shape_proto::Dimension>(),
            Self::Annotation => size_of::<pb::TensorAnnotation>(),
            Self::Pair => size_of::<pb::StringStringEntryProto>(),
        };
        size as u64
    }
}

/// Whether bytes, or the beginning of a file, read as an ONNX model: fields that a model has, one after another, up to
/// the graph.
pub(crate) fn looks_like(mut bytes: &[u8]) -> bool {
    while let Some((number, kind)) = tag(&mut bytes) {
        match (number, kind) {
            (7, Wire::Bytes) => return varint(&mut bytes).is_some(),
            (1 | 5, Wire::Varint) => {
                if varint(&mut bytes).is_none() {
                    return false;
                }
            }
            (2 | 3 | 4 | 6 | 8 | 14 | 20 | 25, Wire::Bytes) => {
                let length = varint(&mut bytes).and_then(|length| usize::try_from(length).ok());
                match length.and_then(|length| bytes.get(length..)) {
                    Some(rest) => bytes = rest,
                    None => return false,
                }
            }
            _ => return false,
        }
    }
    false
}

/// Refuses bytes that are no protobuf of the shape of ONNX, or whose decoded form takes more than `budget` bytes.
///
/// # Errors
/// [`NnError::Model`] with the offset of what is wrong, [`NnError::Limit`], [`NnError::Unsupported`] for parts of
/// ONNX that are not for inference here.
pub(crate) fn check(bytes: &[u8], budget: u64) -> Result<(), NnError> {
    if bytes.is_empty() {
        return Err(ArgumentError::Builders { found: 0, expected: "1, not empty," }.into());
    }
    let mut walk = Walk { start: bytes.as_ptr() as usize, cost: 0, budget };
    walk.message(Message::Model, bytes, 0)
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Wire {
    Varint,
    Eight,
    Bytes,
    Four,
}

struct Walk {
    /// Address of the first byte, from which offsets in messages count.
    start: usize,
    cost: u64,
    budget: u64,
}

impl Walk {
    fn message(&mut self, message: Message, mut bytes: &[u8], depth: u32) -> Result<(), NnError> {
        if depth > MAX_DEPTH {
            return Err(NnError::Limit {
                what: "depth of messages",
                found: depth.into(),
                limit: MAX_DEPTH.into(),
            });
        }
        self.add(message.size() * GROWTH)?;
        while !bytes.is_empty() {
            let at = bytes;
            let (number, wire) = tag(&mut bytes).ok_or_else(|| self.damaged(at))?;
            let content = match wire {
                Wire::Varint => {
                    varint(&mut bytes).ok_or_else(|| self.damaged(at))?;
                    None
                }
                Wire::Eight => {
                    take(&mut bytes, 8).ok_or_else(|| self.damaged(at))?;
                    None
                }
                Wire::Four => {
                    take(&mut bytes, 4).ok_or_else(|| self.damaged(at))?;
                    None
                }
                Wire::Bytes => {
                    let length = varint(&mut bytes).ok_or_else(|| self.damaged(at))?;
                    Some(take(&mut bytes, length).ok_or_else(|| self.damaged(at))?)
                }
            };
            match (message.field(number), content) {
                (Field::Message(child), Some(content)) => self.message(child, content, depth + 1)?,
                (Field::Text, Some(content)) => {
                    self.add(size_of::<String>() as u64 * GROWTH + content.len() as u64)?;
                }
                (Field::Varints(size), Some(content)) => {
                    self.add(count_varints(content) * size * GROWTH)?;
                }
                (Field::Fixed, Some(content)) => self.add(content.len() as u64 * GROWTH)?,
                // One number of a repeated field that is not packed.
                (Field::Varints(_) | Field::Fixed, None) => self.add(8 * GROWTH)?,
                (Field::Refused(what), _) => {
                    return Err(NnError::Unsupported { engine: "onnx", what: what.to_owned() });
                }
                // A scalar takes no room of its own, and where ONNX has none the decoder says so.
                (Field::Message(_) | Field::Text, None) | (Field::Free, _) => {}
            }
        }
        Ok(())
    }

    fn add(&mut self, bytes: u64) -> Result<(), NnError> {
        self.cost = self.cost.saturating_add(bytes);
        if self.cost > self.budget {
            return Err(NnError::Limit {
                what: "bytes of the decoded model",
                found: self.cost,
                limit: self.budget,
            });
        }
        Ok(())
    }

    fn damaged(&self, at: &[u8]) -> NnError {
        let offset = at.as_ptr() as usize - self.start;
        NnError::Model { engine: "onnx", reason: format!("truncated or no protobuf at byte {offset}") }
    }
}

fn tag(bytes: &mut &[u8]) -> Option<(u64, Wire)> {
    let tag = varint(bytes)?;
    let wire = match tag & 7 {
        0 => Wire::Varint,
        1 => Wire::Eight,
        2 => Wire::Bytes,
        5 => Wire::Four,
        // 3 and 4 are groups, which ONNX never had; 6 and 7 are nothing.
        _ => return None,
    };
    Some((tag >> 3, wire))
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

fn take<'a>(bytes: &mut &'a [u8], length: u64) -> Option<&'a [u8]> {
    let (taken, rest) = bytes.split_at_checked(usize::try_from(length).ok()?)?;
    *bytes = rest;
    Some(taken)
}

/// How many varints a packed field holds: every one ends with a byte below 0x80.
fn count_varints(bytes: &[u8]) -> u64 {
    bytes.iter().filter(|byte| **byte < 0x80).count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A field of bytes.
    fn field(number: u8, content: &[u8]) -> Vec<u8> {
        let mut bytes = vec![number << 3 | 2];
        let mut length = content.len();
        while length >= 0x80 {
            bytes.push(length as u8 | 0x80);
            length >>= 7;
        }
        bytes.push(length as u8);
        bytes.extend(content);
        bytes
    }

    fn error(bytes: &[u8]) -> String {
        check(bytes, 1 << 20).map_or_else(|error| error.to_string(), |()| "accepted".into())
    }

    #[test]
    fn many_empty_nodes_cost_what_they_decode_to() {
        let graph = [0x0a, 0].repeat(10_000);
        assert!(error(&field(7, &graph)).contains("bytes of the decoded model"));
        assert_eq!(error(&field(7, &[0x0a, 0].repeat(10))), "accepted");
    }

    #[test]
    fn deep_nesting_is_refused_before_anything_recurses_into_it() {
        // A graph in an attribute of a node of a graph, and so on.
        let mut graph = Vec::new();
        for _ in 0..200 {
            graph = field(1, &field(5, &field(6, &graph)));
        }
        assert_eq!(error(&field(7, &graph)), "depth of messages: 33 is more than the limit of 32");
    }

    #[test]
    fn truncation_names_the_byte() {
        assert_eq!(error(&[0x08, 0x07, 0x3a, 0x05, 0x0a]), "onnx: truncated or no protobuf at byte 2");
    }

    #[test]
    fn only_bytes_that_read_as_a_model_look_like_one() {
        assert!(looks_like(&[0x08, 0x07, 0x3a, 0x05]));
        for other in [&b"{\"a\": 1}"[..], b"GGUF\x03\0\0\0", b"\0asm\x01\0\0\0", b"", b"\x08", b"2:x"] {
            assert!(!looks_like(other), "{other:?}");
        }
    }
}
