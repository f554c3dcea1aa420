//! Quantises models and measures them: `cargo run --release --example int8 -- COMMAND`, see `main`.
//!
//! `ORT_DYLIB_PATH` names the ONNX Runtime library. Token ids come as JSON, a list of lists.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

use std::path::Path;
use std::time::Instant;

use ort::session::Session;
use ort::session::builder::GraphOptimizationLevel;
use ort::value::Tensor;
use sentence_embedder::model::calibration::SENTENCES;
use sentence_embedder::model::events::Cancel;
use sentence_embedder::model::rewrite::{Form, rewrite};
use sentence_embedder::operators;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["quantize", source, tokenizer, output, folder] => {
            std::fs::create_dir_all(folder).unwrap();
            let examples = if *tokenizer == "-" {
                Vec::new()
            } else {
                examples(tokenizer)
            };
            let started = Instant::now();
            let form = Form::Int8 {
                examples: &examples,
                threads: 2,
            };
            let summary = rewrite(
                Path::new(source),
                output,
                form,
                Path::new(folder),
                &Cancel::default(),
            )
            .unwrap();
            println!("{summary:?} in {:.1} s", started.elapsed().as_secs_f64());
        }
        ["rewrite", source, output, folder] => {
            std::fs::create_dir_all(folder).unwrap();
            let started = Instant::now();
            let summary = rewrite(
                Path::new(source),
                output,
                Form::Fp32,
                Path::new(folder),
                &Cancel::default(),
            )
            .unwrap();
            println!("{summary:?} in {:.1} s", started.elapsed().as_secs_f64());
        }
        // Mean-pooled vectors as raw f32.
        ["embed", model, tokens, to] => {
            let mut session = open(model, 2);
            let rows: Vec<Vec<i64>> = serde_json::from_slice(&std::fs::read(tokens).unwrap()).unwrap();
            let vectors: Vec<u8> = rows
                .iter()
                .flat_map(|row| embed(&mut session, std::slice::from_ref(row)))
                .flat_map(f32::to_le_bytes)
                .collect();
            std::fs::write(to, vectors).unwrap();
        }
        ["speed", threads, rounds, batch, tokens, models @ ..] => speed(
            threads.parse().unwrap(),
            rounds.parse().unwrap(),
            batch.parse().unwrap(),
            tokens.parse().unwrap(),
            models,
        ),
        // Anonymous and whole memory after loading and running.
        ["memory", model] => {
            let started = Instant::now();
            let mut session = open(model, 1);
            println!("loaded in {:.3} s: {}", started.elapsed().as_secs_f64(), memory());
            embed(&mut session, &[vec![1000; 8]]);
            println!("first vector after {:.3} s", started.elapsed().as_secs_f64());
            for _ in 0..5 {
                embed(&mut session, &vec![vec![1000; 128]; 4]);
            }
            println!("while running: {}", memory());
        }
        _ => panic!(
            "quantize SOURCE TOKENIZER|- OUTPUT FOLDER | rewrite SOURCE OUTPUT FOLDER | embed MODEL TOKENS TO | speed THREADS ROUNDS BATCH TOKENS MODEL... | memory MODEL"
        ),
    }
}

fn examples(tokenizer: &str) -> Vec<Vec<i64>> {
    let mut tokenizer = tokenizers::Tokenizer::from_file(tokenizer).unwrap();
    tokenizer.with_padding(None);
    let ids = |text: &&str| {
        tokenizer
            .encode(*text, true)
            .unwrap()
            .get_ids()
            .iter()
            .map(|&id| i64::from(id))
            .collect()
    };
    SENTENCES.iter().map(ids).collect()
}

fn open(model: &str, threads: usize) -> Session {
    let builder = Session::builder(sentence_embedder::runtime::environment().unwrap()).unwrap();
    let builder = builder
        .with_intra_threads(threads)
        .unwrap()
        .with_memory_pattern(false)
        .unwrap();
    let builder = builder
        .with_intra_op_spinning(std::env::var_os("SPIN").is_some())
        .unwrap();
    let builder = builder
        .with_optimization_level(GraphOptimizationLevel::All)
        .unwrap();
    let mut builder = operators::register(builder, threads, &operators::Packing::default()).unwrap();
    let model = if Path::new(model).is_dir() {
        Path::new(model).join("model.onnx")
    } else {
        model.into()
    };
    builder.commit_from_file(model).unwrap()
}

/// Rows of equal length.
fn embed(session: &mut Session, rows: &[Vec<i64>]) -> Vec<f32> {
    let (batch, tokens) = (rows.len(), rows[0].len());
    let inputs: Vec<_> = session
        .inputs()
        .iter()
        .map(|input| {
            let values = match input.name() {
                "input_ids" => rows.concat(),
                "attention_mask" => vec![1; batch * tokens],
                _ => vec![0; batch * tokens],
            };
            (
                input.name().to_owned(),
                Tensor::from_array(([batch, tokens], values)).unwrap(),
            )
        })
        .collect();
    let outputs = session.run(inputs).unwrap();
    let (shape, values) = outputs[0].try_extract_tensor::<f32>().unwrap();
    let hidden = shape[2] as usize;
    let mut pooled = vec![0.0; batch * hidden];
    for (i, row) in values.chunks_exact(hidden).enumerate() {
        for (sum, x) in pooled[i / tokens * hidden..].iter_mut().zip(row) {
            *sum += x / tokens as f32;
        }
    }
    pooled
}

fn speed(threads: usize, rounds: usize, batch: usize, tokens: usize, models: &[&str]) {
    let mut sessions: Vec<Session> = models.iter().map(|model| open(model, threads)).collect();
    let rows: Vec<Vec<i64>> = (0..batch)
        .map(|r| (0..tokens).map(|t| 1000 + (r * 37 + t * 11) as i64).collect())
        .collect();
    let mut best = vec![f64::MAX; models.len()];
    let mut all = vec![Vec::new(); models.len()];
    for round in 0..=rounds {
        for (i, session) in sessions.iter_mut().enumerate() {
            let started = Instant::now();
            let mut runs = 0;
            while runs < 1 || started.elapsed().as_secs_f64() < 0.4 {
                let one = Instant::now();
                embed(session, &rows);
                if round > 0 {
                    best[i] = best[i].min(one.elapsed().as_secs_f64());
                }
                runs += 1;
            }
            if round > 0 {
                all[i].push(started.elapsed().as_secs_f64() / f64::from(runs));
            }
        }
    }
    let count = (batch * tokens) as f64;
    for (i, model) in models.iter().enumerate() {
        all[i].sort_by(f64::total_cmp);
        let median = all[i][all[i].len() / 2];
        println!(
            "{batch} x {tokens}, {threads} threads: median {:.2} ms = {:.0} tokens/s, best {:.2} ms, {:.2}x of the first; {model}",
            median * 1e3,
            count / median,
            best[i] * 1e3,
            all[0][all[0].len() / 2] / median
        );
    }
}

fn memory() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let lines = status.lines().filter(|line| {
        ["VmRSS", "RssAnon", "RssFile", "VmHWM"]
            .iter()
            .any(|key| line.starts_with(key))
    });
    lines
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect::<Vec<_>>()
        .join(", ")
}
