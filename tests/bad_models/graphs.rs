//! Graphs that nobody would write: shapes, sizes, types, nodes and operators that are absurd.

use super::*;

/// A change that keeps nothing from outside.
type Change = fn(&mut ModelProto);

/// A change to a graph that makes it absurd.
type Absurdity = (&'static str, Box<dyn Fn(&mut ModelProto)>);

/// Puts a node between the last one and the graph's output.
fn append(model: &mut ModelProto, node: impl FnOnce(String, &str) -> Vec<NodeProto>) {
    let graph = graph(model);
    let output = graph.output[0].name.clone();
    let inner = format!("{output}/inner");
    for made in graph.node.iter_mut().flat_map(|node| &mut node.output) {
        if *made == output {
            made.clone_from(&inner);
        }
    }
    graph.node.extend(node(inner, &output));
}

fn constant(name: &str, dims: Vec<i64>, values: &[i64]) -> TensorProto {
    TensorProto {
        name: name.to_owned(),
        dims,
        data_type: data_type::INT64,
        int64_data: values.to_vec(),
        ..TensorProto::default()
    }
}

/// The graph's largest weight.
fn largest(model: &mut ModelProto) -> &mut TensorProto {
    let weights = graph(model).initializer.iter_mut();
    weights.max_by_key(|tensor| tensor.raw_data.len()).unwrap()
}

#[test]
fn widths_that_are_nothing_or_change_with_the_text() {
    let nothing: Change = |model| {
        let bounds = [constant("zero", vec![1], &[0]), constant("axis", vec![1], &[2])];
        graph(model).initializer.extend(bounds);
        append(model, |inner, output| {
            let inputs = [&inner, "zero", "zero", "axis"].map(str::to_owned);
            vec![NodeProto::new("Slice", "", inputs.to_vec(), output)]
        });
    };
    let tokens: Change = |model| {
        append(model, |inner, output| {
            let mut turned = NodeProto::new("Transpose", "", vec![inner.clone()], "turned");
            turned.attribute.push(AttributeProto {
                name: "perm".to_owned(),
                r#type: attribute_type::INTS,
                ints: vec![0, 2, 1],
                ..AttributeProto::default()
            });
            let inputs = vec![inner, "turned".to_owned()];
            vec![turned, NodeProto::new("MatMul", "", inputs, output)]
        });
    };
    for change in [nothing, tokens] {
        let (_parent, folder) = with_graph("bert", change);
        for way in WAYS {
            let refused = try_way(&folder, way).unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::ModelInvalid, "{way:?}: {refused}");
        }
    }
}

fn absurdities() -> Vec<Absurdity> {
    let mut all: Vec<Absurdity> = Vec::new();
    let shapes: [&[i64]; 12] = [
        &[i64::MAX],
        &[1 << 62, 32],
        &[1 << 40, 1 << 40],
        &[1 << 32, 1 << 32],
        &[-1, 32],
        &[i64::MIN, 32],
        &[0],
        &[256, 0],
        &[1 << 33, 0],
        &[0, 1 << 62],
        &[],
        &[1; 200],
    ];
    for dims in shapes {
        all.push((
            "a weight of this shape",
            Box::new(|model| largest(model).dims = dims.to_vec()),
        ));
        all.push((
            "every weight of this shape",
            Box::new(|model| {
                for tensor in &mut graph(model).initializer {
                    tensor.dims = dims.to_vec();
                }
            }),
        ));
        // As the next two weights in size, which are layers and not tables.
        all.push((
            "a layer of this shape",
            Box::new(|model| {
                let mut weights: Vec<_> = graph(model).initializer.iter_mut().collect();
                weights.sort_by_key(|tensor| std::cmp::Reverse(tensor.raw_data.len()));
                for tensor in weights.into_iter().skip(1).take(2) {
                    tensor.dims = dims.to_vec();
                }
            }),
        ));
        all.push((
            "an output of this shape",
            Box::new(|model| {
                graph(model)
                    .initializer
                    .push(constant("absurd", vec![dims.len() as i64], dims));
                append(model, |inner, output| {
                    vec![NodeProto::new(
                        "Reshape",
                        "",
                        vec![inner, "absurd".to_owned()],
                        output,
                    )]
                });
            }),
        ));
        all.push((
            "an output grown to this shape",
            Box::new(|model| {
                graph(model)
                    .initializer
                    .push(constant("absurd", vec![dims.len() as i64], dims));
                append(model, |inner, output| {
                    vec![NodeProto::new(
                        "Expand",
                        "",
                        vec![inner, "absurd".to_owned()],
                        output,
                    )]
                });
            }),
        ));
    }
    let unknown = |op_type: &'static str, domain: &'static str| -> Absurdity {
        (
            "an unknown operator",
            Box::new(move |model| {
                append(model, |inner, output| {
                    vec![NodeProto::new(op_type, domain, vec![inner], output)]
                });
                model.opset_import.push(OperatorSetIdProto {
                    domain: domain.to_owned(),
                    version: 1,
                });
            }),
        )
    };
    all.push(unknown("StealFiles", "evil.operators"));
    all.push(unknown("StealFiles", ""));
    all.push(unknown("Product", "sentence_embedder"));
    all.push(unknown("Attention", "sentence_embedder"));
    all.push(unknown("Embed", "sentence_embedder"));
    all.push(unknown("NoSuchOperator", "sentence_embedder"));
    for head_size in [0, 16, 32, 1 << 20, i64::MAX, -16] {
        all.push((
            "our attention over what is no projection",
            Box::new(move |model| {
                append(model, |inner, output| {
                    let node = NodeProto::new(
                        "Attention",
                        "sentence_embedder",
                        vec![inner.clone(), inner],
                        output,
                    );
                    vec![
                        node.with_int("head_size", head_size)
                            .with_float("scale", f32::NAN),
                    ]
                });
                model.opset_import.push(OperatorSetIdProto {
                    domain: "sentence_embedder".to_owned(),
                    version: 1,
                });
            }),
        ));
    }
    for alias in ["Identity", "Dropout", "Mul", "Add", "Cast"] {
        all.push((
            "a value that is made of itself",
            Box::new(move |model| {
                let graph = graph(model);
                let at = graph
                    .node
                    .iter()
                    .position(|node| node.op_type == "Softmax")
                    .unwrap_or(3);
                let target = graph.node[at].input[0].clone();
                let other = graph
                    .node
                    .iter()
                    .flat_map(|node| &node.output)
                    .next()
                    .unwrap()
                    .clone();
                for made in graph.node.iter_mut().flat_map(|node| &mut node.output) {
                    if *made == target {
                        *made = "orphan".to_owned();
                    }
                }
                let inputs = |of: &str| match alias {
                    "Mul" | "Add" => vec![of.to_owned(), "half".to_owned()],
                    _ => vec![of.to_owned()],
                };
                graph.initializer.push(TensorProto::inline(
                    "half",
                    data_type::FLOAT,
                    &[],
                    vec![0, 0, 0, 63],
                ));
                graph
                    .node
                    .push(NodeProto::new(alias, "", inputs("circle"), &target));
                graph
                    .node
                    .push(NodeProto::new(alias, "", inputs(&target), "circle"));
                graph
                    .node
                    .push(NodeProto::new(alias, "", inputs(&other), "spare"));
            }),
        ));
    }
    let simple: [(&'static str, Change); 14] = [
        ("no nodes", |model| graph(model).node.clear()),
        ("no inputs", |model| graph(model).input.clear()),
        ("no outputs", |model| graph(model).output.clear()),
        ("no weights", |model| graph(model).initializer.clear()),
        ("no versions of operators", |model| model.opset_import.clear()),
        ("operators of the far future", |model| {
            model.opset_import.iter_mut().for_each(|it| it.version = i64::MAX);
        }),
        ("operators of before all time", |model| {
            model.opset_import.iter_mut().for_each(|it| it.version = i64::MIN);
        }),
        ("a format of the far future", |model| model.ir_version = i64::MAX),
        ("the nodes backwards", |model| graph(model).node.reverse()),
        ("every node twice", |model| {
            let again = graph(model).node.clone();
            graph(model).node.extend(again);
        }),
        ("one name for all values", |model| {
            for node in &mut graph(model).node {
                node.output
                    .iter_mut()
                    .for_each(|output| *output = "same".to_owned());
            }
        }),
        ("a chain of twenty thousand", |model| {
            append(model, |inner, output| {
                let name = |i: usize| {
                    if i == 0 {
                        inner.clone()
                    } else {
                        format!("link {i}")
                    }
                };
                let mut chain: Vec<_> = (0..20_000)
                    .map(|i| NodeProto::new("Identity", "", vec![name(i)], &name(i + 1)))
                    .collect();
                chain.push(NodeProto::new("Identity", "", vec![name(20_000)], output));
                chain
            });
        }),
        ("graphs in graphs", |model| {
            let mut inner = GraphProto::default();
            for _ in 0..300 {
                let node = NodeProto {
                    op_type: "If".to_owned(),
                    attribute: vec![AttributeProto {
                        name: "then_branch".to_owned(),
                        g: Some(inner),
                        r#type: 5,
                        ..AttributeProto::default()
                    }],
                    ..NodeProto::default()
                };
                inner = GraphProto {
                    node: vec![node],
                    ..GraphProto::default()
                };
            }
            graph(model).node.extend(inner.node);
        }),
        ("attributes of other types", |model| {
            for attribute in graph(model).node.iter_mut().flat_map(|node| &mut node.attribute) {
                attribute.r#type = if attribute.r#type == attribute_type::INTS {
                    attribute_type::STRING
                } else {
                    attribute_type::INTS
                };
            }
        }),
    ];
    all.extend(simple.map(|(about, change)| (about, Box::new(change) as Box<dyn Fn(&mut ModelProto)>)));
    for size in [0, 1, -1, i64::MAX, i64::MIN] {
        all.push((
            "every whole-number constant the same",
            Box::new(move |model| {
                for tensor in &mut graph(model).initializer {
                    if tensor.data_type == data_type::INT64 {
                        let count = tensor.raw_data.len() / 8 + tensor.int64_data.len();
                        tensor.int64_data.clear();
                        tensor.raw_data = size.to_le_bytes().repeat(count).into();
                    }
                }
            }),
        ));
        all.push((
            "every attribute the same",
            Box::new(move |model| {
                for attribute in graph(model).node.iter_mut().flat_map(|node| &mut node.attribute) {
                    attribute.i = size;
                    attribute.ints.iter_mut().for_each(|it| *it = size);
                }
            }),
        ));
    }
    for kind in [0, 2, 7, 8, 10, 16, 21, 99, -1] {
        all.push((
            "weights of another type",
            Box::new(move |model| {
                for tensor in &mut graph(model).initializer {
                    tensor.data_type = kind;
                }
            }),
        ));
    }
    all
}

#[test]
fn graphs_that_are_absurd() {
    let absurdities = absurdities();
    let variants = ["bert", "mpnet"];
    let cases = absurdities.len() * variants.len();
    each_case("graphs::graphs_that_are_absurd", cases, |index| {
        let (about, change) = &absurdities[index / variants.len()];
        eprintln!("{about}");
        let (_parent, folder) = with_graph(variants[index % variants.len()], change);
        for way in WAYS {
            eprintln!("{way:?}");
            drop(try_way(&folder, way));
        }
    });
}
