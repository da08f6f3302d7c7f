//! Writes ONNX files, operator set 17: the messages, and a builder of graphs. What they compute is said where it is known:
//! [`crate::encoder`], [`crate::ranker`].

mod graph;
mod proto;

use prost::Message;

pub(crate) use graph::{GraphBuilder, Value};
pub(crate) use proto::{Attribute, Element, Size};
use proto::{Graph, IR_VERSION, Model, OPSET, OperatorSet};

/// The bytes of a file with this graph; the same graph gives the same bytes.
fn file(graph: Graph) -> Vec<u8> {
    let model = Model {
        ir_version: IR_VERSION,
        producer_name: "endcap".to_owned(),
        graph: Some(graph),
        opset_import: vec![OperatorSet { domain: String::new(), version: OPSET }],
    };
    model.encode_to_vec()
}
