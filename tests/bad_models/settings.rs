//! JSON that is a bomb, and numbers at the ends of their ranges.

use super::*;

#[test]
fn json_bombs() {
    let names = [
        "config.json",
        "modules.json",
        "1_Pooling/config.json",
        "sentence_bert_config.json",
        "config_sentence_transformers.json",
        "tokenizer_config.json",
        "tokenizer.json",
        "sentence-embedder.json",
    ];
    let nested = |open: &str, close: &str| open.repeat(200_000) + "1" + &close.repeat(200_000);
    let bombs: [(&str, String); 16] = [
        ("arrays in arrays", nested("[", "]")),
        ("objects in objects", nested("{\"version\":", "}")),
        ("arrays that never close", "[".repeat(1_000_000)),
        ("objects that never close", "{\"model\":".repeat(500_000)),
        (
            "a number with a million digits",
            format!("{{\"model_max_length\":{}}}", "9".repeat(1_000_000)),
        ),
        (
            "a number beyond all ranges",
            "{\"model_max_length\":1e999999999,\"vocab_size\":-1e400}".to_owned(),
        ),
        ("a giant array", format!("[{}0]", "0,".repeat(3_000_000))),
        (
            "a giant text",
            format!("{{\"_name_or_path\":\"{}\"}}", "x".repeat(5_000_000)),
        ),
        (
            "one key a hundred thousand times",
            format!("{{{}\"z\":1}}", "\"max_seq_length\":1,".repeat(100_000)),
        ),
        ("half a surrogate pair", "{\"model_type\":\"\\ud800\"}".to_owned()),
        ("null", "null".to_owned()),
        ("a number", "1".to_owned()),
        ("a text", "\"text\"".to_owned()),
        ("nothing but space", " ".repeat(1_000_000)),
        ("zero bytes", "\0".repeat(1000)),
        ("an array of arrays", format!("[{}[]]", "[],".repeat(1_000_000))),
    ];
    each_case("settings::json_bombs", names.len() * bombs.len(), |index| {
        let (name, (about, bomb)) = (names[index % names.len()], &bombs[index / names.len()]);
        eprintln!("{name}: {about}");
        let (_parent, folder) = folder_of("bert");
        fs::write(folder.join(name), bomb).unwrap();
        drop(try_way(&folder, WAYS[index % WAYS.len()]));
    });
}

#[test]
fn numbers_at_the_ends_of_their_ranges() {
    let numbers = [
        json!(0),
        json!(1),
        json!(-1),
        json!(u32::MAX),
        json!(i64::MAX),
        json!(i64::MIN),
        json!(u64::MAX),
        json!(1e300),
        json!(0.5),
        json!(null),
        json!("8"),
        json!([8]),
    ];
    let places = [
        ("config.json", "/max_position_embeddings"),
        ("config.json", "/pad_token_id"),
        ("config.json", "/vocab_size"),
        ("sentence_bert_config.json", "/max_seq_length"),
        ("tokenizer_config.json", "/model_max_length"),
        ("1_Pooling/config.json", "/word_embedding_dimension"),
        ("tokenizer.json", "/added_tokens/0/id"),
        ("tokenizer.json", "/model/vocab/0/1"),
        ("tokenizer.json", "/model/unk_id"),
        ("tokenizer.json", "/model/max_input_chars_per_word"),
        ("tokenizer.json", "/model/vocab/[UNK]"),
        ("tokenizer.json", "/truncation"),
    ];
    let cases = numbers.len() * places.len() * 2;
    each_case("settings::numbers_at_the_ends_of_their_ranges", cases, |index| {
        let (file, place) = places[index % places.len()];
        let number = &numbers[index / places.len() % numbers.len()];
        let variant = ["bert", "xlmr"][index / places.len() / numbers.len()];
        eprintln!("{variant} {file} {place}: {number}");
        let (_parent, folder) = folder_of(variant);
        let mut value: Value = serde_json::from_slice(&fs::read(folder.join(file)).unwrap()).unwrap();
        match value.pointer_mut(place) {
            Some(at) => *at = number.clone(),
            None => value[place.trim_start_matches('/')] = number.clone(),
        }
        fs::write(folder.join(file), value.to_string()).unwrap();
        drop(try_way(&folder, WAYS[index % WAYS.len()]));
    });
}

#[test]
fn tokenizers_that_are_bombs() {
    let replace =
        |content: &str| json!({ "type": "Replace", "pattern": { "String": "e" }, "content": content });
    let split = |pattern: &str| json!({ "type": "Split", "pattern": { "Regex": pattern }, "behavior": "Isolated", "invert": false });
    let special = |count: usize| {
        let one = json!({ "SpecialToken": { "id": "[CLS]", "type_id": 0 } });
        json!({ "type": "TemplateProcessing", "single": vec![one; count], "pair": [],
            "special_tokens": { "[CLS]": { "id": "[CLS]", "ids": [2], "tokens": ["[CLS]"] } } })
    };
    let bombs: [(&str, Value); 14] = [
        (
            "normalizer",
            json!({ "type": "Sequence", "normalizers": vec![replace("ee"); 10] }),
        ),
        ("normalizer", replace("")),
        (
            "normalizer",
            json!({ "type": "Replace", "pattern": { "Regex": "(" }, "content": "" }),
        ),
        (
            "normalizer",
            json!({ "type": "Replace", "pattern": { "Regex": "(e|e)*$" }, "content": "x" }),
        ),
        (
            "normalizer",
            json!({ "type": "Precompiled", "precompiled_charsmap": "////////" }),
        ),
        (
            "normalizer",
            json!({ "type": "Precompiled", "precompiled_charsmap": "" }),
        ),
        ("pre_tokenizer", split("([a-z]+)+[A-Z]$")),
        ("pre_tokenizer", split("")),
        ("pre_tokenizer", split("(?R)")),
        ("post_processor", special(100)),
        (
            "post_processor",
            json!({ "type": "TemplateProcessing", "single": [{ "Sequence": { "id": "A", "type_id": 4_000_000_000_u32 } }], "pair": [], "special_tokens": {} }),
        ),
        (
            "post_processor",
            json!({ "type": "TemplateProcessing", "single": [{ "SpecialToken": { "id": "none", "type_id": 0 } }], "pair": [], "special_tokens": {} }),
        ),
        ("post_processor", json!({ "type": "Sequence", "processors": [] })),
        (
            "model",
            json!({ "type": "BPE", "vocab": { "a": 0, "b": 0 }, "merges": [["a", "b"]] }),
        ),
    ];
    each_case("settings::tokenizers_that_are_bombs", bombs.len() * 2, |index| {
        let (part, bomb) = &bombs[index / 2];
        let (_parent, folder) = folder_of(["bert", "xlmr"][index % 2]);
        let file = folder.join("tokenizer.json");
        let mut value: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
        value[part] = bomb.clone();
        eprintln!("{part}: {bomb}");
        fs::write(file, value.to_string()).unwrap();
        drop(try_way(&folder, WAYS[index % WAYS.len()]));
    });
}
