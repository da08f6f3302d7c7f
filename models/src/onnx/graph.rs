//! Builds an ONNX graph node by node.

use super::proto::{
    Attribute, Dimension, Element, Graph, Node, Size, Tensor, TensorShape, TensorType, Type, ValueInfo,
};

/// A value of the graph, by its name.
#[derive(Debug, Clone)]
pub(crate) struct Value(String);

/// A graph under construction. Values are named after what made them, `Add.12`, so that an engine's message can be
/// found here.
#[derive(Debug, Default)]
pub(crate) struct GraphBuilder {
    graph: Graph,
}

impl GraphBuilder {
    /// An input; a dimension is a number or a name.
    pub(crate) fn input(&mut self, name: &str, element: Element, dims: Vec<Size>) -> Value {
        self.graph.input.push(value_info(name, element, dims));
        Value(name.to_owned())
    }

    /// A constant of single precision.
    pub(crate) fn floats(&mut self, name: &str, dims: &[usize], elements: &[f32]) -> Value {
        debug_assert_eq!(dims.iter().product::<usize>(), elements.len());
        let raw_data = elements.iter().flat_map(|element| element.to_le_bytes()).collect();
        self.constant(name, dims, Element::Float, raw_data)
    }

    /// A constant list of 64-bit integers.
    pub(crate) fn ints(&mut self, name: &str, elements: &[i64]) -> Value {
        let raw_data = elements.iter().flat_map(|element| element.to_le_bytes()).collect();
        self.constant(name, &[elements.len()], Element::Int64, raw_data)
    }

    fn constant(&mut self, name: &str, dims: &[usize], element: Element, raw_data: Vec<u8>) -> Value {
        let data_type = element as i32;
        let dims = dims.iter().map(|&size| size as i64).collect();
        self.graph.initializer.push(Tensor { dims, data_type, name: name.to_owned(), raw_data });
        Value(name.to_owned())
    }

    /// A node with one output.
    pub(crate) fn op(&mut self, op_type: &str, inputs: &[&Value], attribute: Vec<Attribute>) -> Value {
        let name = format!("{op_type}.{}", self.graph.node.len());
        self.graph.node.push(Node {
            input: inputs.iter().map(|value| value.0.clone()).collect(),
            output: vec![name.clone()],
            name: name.clone(),
            op_type: op_type.to_owned(),
            attribute,
        });
        Value(name)
    }

    /// Ends the graph, which is called `title`, and gives the file: `value` becomes its output, under `name`, of single
    /// precision. The same graph gives the same bytes.
    pub(crate) fn finish(mut self, title: &str, name: &str, value: &Value, dims: Vec<Size>) -> Vec<u8> {
        self.graph.node.push(Node {
            input: vec![value.0.clone()],
            output: vec![name.to_owned()],
            name: name.to_owned(),
            op_type: "Identity".to_owned(),
            attribute: Vec::new(),
        });
        self.graph.output.push(value_info(name, Element::Float, dims));
        self.graph.name = title.to_owned();
        super::file(self.graph)
    }
}

fn value_info(name: &str, element: Element, dims: Vec<Size>) -> ValueInfo {
    let elem_type = element as i32;
    let dim = dims.into_iter().map(|size| Dimension { value: Some(size) }).collect();
    let tensor_type = TensorType { elem_type, shape: Some(TensorShape { dim }) };
    ValueInfo { name: name.to_owned(), r#type: Some(Type { tensor_type: Some(tensor_type) }) }
}
