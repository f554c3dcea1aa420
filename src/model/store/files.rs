//! Which of a repository's files a model needs, and what must be known of the others.

use std::path::{Component, Path, PathBuf};

use serde::Deserialize;

/// What is known of one file of a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    /// It is there.
    Present,
    /// The repository has no such file.
    Absent,
    /// Nobody has asked the hub yet.
    Unknown,
}

/// One thing that the model needs, under the names that it may have.
struct Need {
    /// The first that is there is used.
    names: Vec<String>,
    /// Whether there is no model without it.
    essential: bool,
    /// Whether a file of which nothing is known may be taken as absent when the hub cannot be asked.
    doubtful: bool,
}

/// The outcome of looking for all needs.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Choice {
    /// Files that the model uses.
    pub chosen: Vec<String>,
    /// Names that were looked for and are not in the repository.
    pub absent: Vec<String>,
    /// Files that would be used, but are not known to be there.
    pub missing: Vec<String>,
    /// Names of essential files of which none is in the repository.
    pub lacking: Vec<String>,
}

/// The step folders that modules.json names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Layout {
    transformer: String,
    pooling: Option<String>,
    has_modules: bool,
}

#[derive(Deserialize)]
struct Module {
    #[serde(default)]
    path: String,
    #[serde(rename = "type", default)]
    kind: String,
}

impl Layout {
    /// As modules.json says. One that cannot be read is left to the reader of the folder, who refuses it.
    pub fn parse(modules: Option<&[u8]>) -> Self {
        let modules: Option<Vec<Module>> = modules.and_then(|text| serde_json::from_slice(text).ok());
        let Some(modules) = modules else {
            return Self::default();
        };
        let folder_of = |step: &str| {
            let found = modules
                .iter()
                .find(|module| module.kind.rsplit('.').next() == Some(step))?;
            let path = found.path.trim_end_matches('/');
            (path.is_empty() || relative(path).is_some()).then(|| path.to_owned())
        };
        Self {
            transformer: folder_of("Transformer").unwrap_or_default(),
            pooling: folder_of("Pooling").filter(|path| !path.is_empty()),
            has_modules: true,
        }
    }

    fn needs(&self, model_file: Option<&str>) -> Vec<Need> {
        let in_transformer = |name: &str| {
            if self.transformer.is_empty() {
                name.to_owned()
            } else {
                format!("{}/{name}", self.transformer)
            }
        };
        let optional = |name: String| Need {
            names: vec![name],
            essential: false,
            doubtful: true,
        };
        let with_root = |name: &str| {
            let mut names = vec![in_transformer(name), name.to_owned()];
            names.dedup();
            names
        };
        let onnx = match model_file {
            Some(named) => vec![named.to_owned()],
            None => {
                let mut names = vec!["onnx/model.onnx".to_owned(), "model.onnx".to_owned()];
                if !self.transformer.is_empty() {
                    names.extend([in_transformer("onnx/model.onnx"), in_transformer("model.onnx")]);
                }
                names
            }
        };
        vec![
            // Without these two, pooling or the length limit would be a guess: they are never taken as absent.
            Need {
                names: vec![MODULES.to_owned()],
                essential: false,
                doubtful: false,
            },
            Need {
                names: SENTENCE_BERT_CONFIGS.map(in_transformer).to_vec(),
                essential: false,
                doubtful: !self.has_modules,
            },
            Need {
                names: vec![format!(
                    "{}/config.json",
                    self.pooling.as_deref().unwrap_or("1_Pooling")
                )],
                essential: self.pooling.is_some(),
                doubtful: true,
            },
            optional(in_transformer("config.json")),
            optional("config_sentence_transformers.json".to_owned()),
            optional(in_transformer("tokenizer_config.json")),
            optional(in_transformer("special_tokens_map.json")),
            Need {
                names: with_root("tokenizer.json"),
                essential: true,
                doubtful: false,
            },
            Need {
                names: onnx,
                essential: true,
                doubtful: false,
            },
        ]
    }

    /// Looks for every need, and for the files that the graph's weights are in, which `data_of` names. With `lenient`, what
    /// is not known of minor files is taken as absent.
    pub fn choose(
        &self,
        model_file: Option<&str>,
        lenient: bool,
        known: impl Fn(&str) -> Known,
        data_of: impl Fn(&str) -> Vec<String>,
    ) -> Choice {
        let mut choice = Choice::default();
        for need in self.needs(model_file) {
            let doubtful = need.doubtful || need.names.iter().any(|name| known(name) == Known::Present);
            let found = need
                .names
                .iter()
                .map(|name| (name, known(name)))
                .find(|(name, known)| match known {
                    Known::Present => true,
                    Known::Unknown => !(lenient && doubtful),
                    Known::Absent => {
                        choice.absent.push((*name).clone());
                        false
                    }
                });
            match found {
                Some((name, Known::Present)) => {
                    choice.chosen.push(name.clone());
                    if is_graph(name) {
                        for data in data_of(name) {
                            match known(&data) {
                                Known::Present => choice.chosen.push(data),
                                Known::Absent => choice.lacking.push(data),
                                Known::Unknown => choice.missing.push(data),
                            }
                        }
                    }
                }
                Some((name, _)) => choice.missing.push(name.clone()),
                None if need.essential => choice.lacking.extend(need.names),
                None => {}
            }
        }
        choice
    }
}

impl Choice {
    /// The graph among the files.
    pub fn graph(&self) -> Option<&str> {
        self.chosen.iter().map(String::as_str).find(|name| is_graph(name))
    }
}

fn is_graph(name: &str) -> bool {
    name.ends_with(".onnx")
}

/// The folder of `file` with a slash at its end; nothing for one at the root.
fn folder_of(file: &str) -> &str {
    file.rfind('/')
        .and_then(|slash| file.get(..=slash))
        .unwrap_or_default()
}

/// The files of the repository that the graph at `graph` calls `locations`. Those outside its folder are left out: who
/// reads the graph refuses them.
pub fn data_files(graph: &str, locations: &[String]) -> Vec<String> {
    let inside = locations.iter().filter(|location| relative(location).is_some());
    inside
        .map(|location| format!("{}{location}", folder_of(graph)))
        .collect()
}

/// Whether `file` could hold weights of `graph`, by its place.
pub fn could_be_data(file: &str, graph: &str) -> bool {
    file.starts_with(folder_of(graph)) && !is_graph(file)
}

/// The list of steps of a sentence-transformers model.
pub const MODULES: &str = "modules.json";

/// Names of the Transformer step's own configuration, which older models took from their architecture.
pub const SENTENCE_BERT_CONFIGS: [&str; 7] = [
    "sentence_bert_config.json",
    "sentence_roberta_config.json",
    "sentence_distilbert_config.json",
    "sentence_camembert_config.json",
    "sentence_albert_config.json",
    "sentence_xlm-roberta_config.json",
    "sentence_xlnet_config.json",
];

/// `name` as a path that stays below the folder that it is joined to, on every system.
pub fn relative(name: &str) -> Option<PathBuf> {
    let harmless = !name.is_empty()
        && !name.contains(['\\', ':', '\0'])
        && name.split('/').all(|part| {
            !part.is_empty()
                && part != "."
                && part != ".."
                // Windows drops these, so that two names would be one file.
                && !part.ends_with(['.', ' '])
        });
    let path = Path::new(name);
    (harmless && path.components().all(|part| matches!(part, Component::Normal(_))))
        .then(|| path.to_path_buf())
}

#[cfg(test)]
mod tests {
    use super::*;

    const MULTI: &str = r#"[
        {"idx":0,"name":"0","path":"","type":"sentence_transformers.models.Transformer"},
        {"idx":1,"name":"1","path":"1_Pooling","type":"sentence_transformers.models.Pooling"}]"#;

    fn listed<'a>(names: &'a [&'a str]) -> impl Fn(&str) -> Known + 'a {
        |name| {
            if names.contains(&name) {
                Known::Present
            } else {
                Known::Absent
            }
        }
    }

    fn no_data(_graph: &str) -> Vec<String> {
        Vec::new()
    }

    #[test]
    fn only_the_needed_files_of_a_repository_are_chosen() {
        let names = [
            "README.md",
            "config.json",
            "modules.json",
            "1_Pooling/config.json",
            "sentence_bert_config.json",
            "tokenizer.json",
            "pytorch_model.bin",
            "onnx/model.onnx",
            "onnx/model.onnx_data",
            "onnx/model.onnx.data",
            "onnx/sub/odd",
            "onnx/model_O4.onnx",
        ];
        let layout = Layout::parse(Some(MULTI.as_bytes()));
        let data_of = |graph: &str| {
            let locations = ["model.onnx_data", "sub/odd", "../outside", "/outside", "nowhere"];
            data_files(graph, &locations.map(str::to_owned))
        };
        let choice = layout.choose(None, false, listed(&names), data_of);
        assert_eq!(
            choice.chosen,
            [
                "modules.json",
                "sentence_bert_config.json",
                "1_Pooling/config.json",
                "config.json",
                "tokenizer.json",
                "onnx/model.onnx",
                "onnx/model.onnx_data",
                "onnx/sub/odd",
            ]
        );
        assert_eq!(choice.graph(), Some("onnx/model.onnx"));
        assert_eq!(choice.lacking, ["onnx/nowhere"]);
        assert!(choice.missing.is_empty());
        assert!(choice.absent.contains(&"tokenizer_config.json".to_owned()));
        let named = layout.choose(Some("onnx/model_O4.onnx"), false, listed(&names), no_data);
        assert!(named.chosen.contains(&"onnx/model_O4.onnx".to_owned()));
        assert!(!named.chosen.contains(&"onnx/model.onnx".to_owned()));
    }

    #[test]
    fn a_repository_without_a_graph_lacks_it() {
        let choice = Layout::default().choose(None, false, listed(&["tokenizer.json"]), no_data);
        assert_eq!(choice.lacking, ["onnx/model.onnx", "model.onnx"]);
    }

    #[test]
    fn what_nobody_asked_for_yet_is_missing_unless_it_is_minor_and_the_hub_is_out_of_reach() {
        let here = [
            "modules.json",
            "1_Pooling/config.json",
            "tokenizer.json",
            "onnx/model.onnx",
            "sentence_bert_config.json",
        ];
        let known = |name: &str| {
            if here.contains(&name) {
                Known::Present
            } else {
                Known::Unknown
            }
        };
        let layout = Layout::parse(Some(MULTI.as_bytes()));
        let strict = layout.choose(None, false, known, no_data);
        assert!(strict.missing.contains(&"config.json".to_owned()));
        assert_eq!(
            layout.choose(None, true, known, no_data).missing,
            Vec::<String>::new()
        );
        let data_of = |graph: &str| data_files(graph, &["weights".to_owned()]);
        assert_eq!(
            layout.choose(None, true, known, data_of).missing,
            ["onnx/weights"],
            "there is no model without its weights"
        );

        let unsure = |name: &str| {
            if name == "sentence_bert_config.json" {
                Known::Unknown
            } else {
                known(name)
            }
        };
        assert_eq!(
            layout.choose(None, true, unsure, no_data).missing,
            ["sentence_bert_config.json"],
            "without it the length limit would be a guess"
        );
    }

    #[test]
    fn names_that_leave_the_folder_are_no_paths() {
        for bad in [
            "",
            "/etc/passwd",
            "../x",
            "a/../../x",
            "a//b",
            "C:/x",
            "C:x",
            "a\\..\\b",
            "a/./b",
            "a\0b",
            "\\\\host\\share",
            "x. ",
        ] {
            assert_eq!(relative(bad), None, "{bad:?}");
        }
        assert_eq!(
            relative("onnx/model.onnx"),
            Some(PathBuf::from("onnx/model.onnx"))
        );
        let stray = r#"[{"path":"../../x","type":"a.Transformer"},{"path":"/etc","type":"a.Pooling"}]"#;
        let layout = Layout::parse(Some(stray.as_bytes()));
        assert_eq!((layout.transformer.as_str(), layout.pooling), ("", None));
    }
}
