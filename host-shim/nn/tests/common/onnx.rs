//! A small writer of ONNX models, and the models of more than one test.

#![allow(dead_code, reason = "each test uses a part")]

use prost::Message;
use tract_onnx::pb::attribute_proto::AttributeType;
use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::tensor_shape_proto::{Dimension, dimension::Value};
use tract_onnx::pb::{
    AttributeProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto, TensorShapeProto,
    TypeProto, ValueInfoProto, type_proto,
};

/// A size of an input: fixed, or with a name and open.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Dim {
    Is(i64),
    Open(&'static str),
}

/// A model under construction.
#[derive(Debug, Clone, Default)]
pub(crate) struct Onnx(pub(crate) ModelProto);

impl Onnx {
    pub(crate) fn new() -> Self {
        Self::of_opset(17)
    }

    pub(crate) fn of_opset(version: i64) -> Self {
        Self(ModelProto {
            ir_version: 8,
            opset_import: vec![OperatorSetIdProto { domain: String::new(), version }],
            graph: Some(GraphProto { name: "g".into(), ..GraphProto::default() }),
            ..ModelProto::default()
        })
    }

    pub(crate) fn graph(&mut self) -> &mut GraphProto {
        self.0.graph.get_or_insert_with(GraphProto::default)
    }

    pub(crate) fn input(mut self, name: &str, ty: DataType, dims: &[Dim]) -> Self {
        self.graph().input.push(value(name, ty, dims));
        self
    }

    pub(crate) fn output(mut self, name: &str, ty: DataType, dims: &[Dim]) -> Self {
        self.graph().output.push(value(name, ty, dims));
        self
    }

    pub(crate) fn weights(mut self, name: &str, dims: &[i64], values: &[f32]) -> Self {
        let raw_data = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.graph().initializer.push(TensorProto {
            name: name.into(),
            dims: dims.to_vec(),
            data_type: DataType::Float as i32,
            raw_data,
            ..TensorProto::default()
        });
        self
    }

    pub(crate) fn integers(mut self, name: &str, dims: &[i64], values: &[i64]) -> Self {
        self.graph().initializer.push(TensorProto {
            name: name.into(),
            dims: dims.to_vec(),
            data_type: DataType::Int64 as i32,
            int64_data: values.to_vec(),
            ..TensorProto::default()
        });
        self
    }

    pub(crate) fn node(self, op_type: &str, inputs: &[&str], outputs: &[&str]) -> Self {
        self.node_with(op_type, inputs, outputs, vec![])
    }

    pub(crate) fn node_with(
        mut self,
        op_type: &str,
        inputs: &[&str],
        outputs: &[&str],
        attribute: Vec<AttributeProto>,
    ) -> Self {
        let count = self.graph().node.len();
        self.graph().node.push(NodeProto {
            op_type: op_type.into(),
            name: format!("{op_type}_{count}"),
            input: inputs.iter().map(ToString::to_string).collect(),
            output: outputs.iter().map(ToString::to_string).collect(),
            attribute,
            ..NodeProto::default()
        });
        self
    }

    /// Puts the last node into another domain.
    pub(crate) fn of_domain(mut self, domain: &str) -> Self {
        if let Some(node) = self.graph().node.last_mut() {
            node.domain = domain.into();
        }
        if self.0.opset_import.iter().all(|import| import.domain != domain) {
            self.0.opset_import.push(OperatorSetIdProto { domain: domain.into(), version: 3 });
        }
        self
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.0.encode_to_vec()
    }
}

pub(crate) fn value(name: &str, ty: DataType, dims: &[Dim]) -> ValueInfoProto {
    let dim = |dim: &Dim| Dimension {
        denotation: String::new(),
        value: Some(match dim {
            Dim::Is(size) => Value::DimValue(*size),
            Dim::Open(name) => Value::DimParam((*name).into()),
        }),
    };
    let shape = TensorShapeProto { dim: dims.iter().map(dim).collect() };
    let tensor = type_proto::Tensor { elem_type: ty as i32, shape: Some(shape) };
    let ty = TypeProto { denotation: String::new(), value: Some(type_proto::Value::TensorType(tensor)) };
    ValueInfoProto { name: name.into(), r#type: Some(ty), doc_string: String::new() }
}

pub(crate) fn int(name: &str, value: i64) -> AttributeProto {
    AttributeProto { name: name.into(), r#type: AttributeType::Int as i32, i: value, ..Default::default() }
}

pub(crate) fn ints(name: &str, values: &[i64]) -> AttributeProto {
    AttributeProto {
        name: name.into(),
        r#type: AttributeType::Ints as i32,
        ints: values.to_vec(),
        ..Default::default()
    }
}

pub(crate) fn floats(name: &str, values: &[f32]) -> AttributeProto {
    AttributeProto {
        name: name.into(),
        r#type: AttributeType::Floats as i32,
        floats: values.to_vec(),
        ..Default::default()
    }
}

pub(crate) fn strings(name: &str, values: &[&str]) -> AttributeProto {
    AttributeProto {
        name: name.into(),
        r#type: AttributeType::Strings as i32,
        strings: values.iter().map(|value| value.as_bytes().to_vec()).collect(),
        ..Default::default()
    }
}

/// `y = x`, for an element type.
pub(crate) fn identity(ty: DataType) -> Vec<u8> {
    let dims = [Dim::Open("n"), Dim::Is(3)];
    Onnx::new().input("x", ty, &dims).node("Identity", &["x"], &["y"]).output("y", ty, &dims).bytes()
}

/// Numbers in -0.5..0.5 that look random and are the same each time.
pub(crate) fn noise(seed: u64, count: usize) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1 << 24) as f32 - 0.5
    };
    (0..count).map(|_| next()).collect()
}

/// A perceptron of ReLU layers with the sizes given; input `x`, output `y`, an open batch.
pub(crate) fn perceptron(sizes: &[usize]) -> Vec<u8> {
    let (first, last) = (sizes[0] as i64, sizes[sizes.len() - 1] as i64);
    let mut model = Onnx::new().input("x", DataType::Float, &[Dim::Open("batch"), Dim::Is(first)]);
    let mut wire = "x".to_owned();
    for (layer, size) in sizes.windows(2).enumerate() {
        let (weights, bias) = (format!("w{layer}"), format!("b{layer}"));
        model = model
            .weights(&weights, &[size[0] as i64, size[1] as i64], &noise(layer as u64 + 1, size[0] * size[1]))
            .weights(&bias, &[size[1] as i64], &noise(layer as u64 + 100, size[1]));
        let ends = layer + 2 == sizes.len();
        let dense = if ends { "y".to_owned() } else { format!("dense{layer}") };
        model = model.node("Gemm", &[&wire, &weights, &bias], &[&dense]);
        wire = dense;
        if !ends {
            let active = format!("active{layer}");
            model = model.node("Relu", &[&wire], &[&active]);
            wire = active;
        }
    }
    model.output("y", DataType::Float, &[Dim::Open("batch"), Dim::Is(last)]).bytes()
}

/// What [`perceptron`] computes, in double precision.
pub(crate) fn perceptron_by_hand(sizes: &[usize], input: &[f32]) -> Vec<f32> {
    let mut values: Vec<f64> = input.iter().map(|value| f64::from(*value)).collect();
    for (layer, size) in sizes.windows(2).enumerate() {
        let weights = noise(layer as u64 + 1, size[0] * size[1]);
        let bias = noise(layer as u64 + 100, size[1]);
        let dense = values.chunks(size[0]).flat_map(|row| {
            let column = |to: usize| {
                let products =
                    row.iter().enumerate().map(|(from, x)| x * f64::from(weights[from * size[1] + to]));
                products.sum::<f64>() + f64::from(bias[to])
            };
            (0..size[1]).map(column).collect::<Vec<_>>()
        });
        let ends = layer + 2 == sizes.len();
        values = dense.map(|value| if ends { value } else { value.max(0.0) }).collect();
    }
    values.into_iter().map(|value| value as f32).collect()
}
