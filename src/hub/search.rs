//! Looking for models on the hub (<https://huggingface.co/docs/hub/api#get-apimodels>).
//!
//! hf-hub 1.0.0 cannot ask for `expand`, without which the list tells neither how many parameters a
//! model has nor of which architecture a GGUF file is. So this request is ours, as those for
//! repositories are.

use reqwest::Method;
use serde::Deserialize;
use serde_json::Value;

use super::http::{Http, What};
use super::{Error, api};

/// What comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    Downloads,
    Likes,
    Recent,
}

/// What to look for.
#[derive(Debug, Clone)]
pub struct Search<'a> {
    /// Words that a repository's name has.
    pub words: &'a str,
    pub order: Order,
    /// Only repositories with GGUF files.
    pub gguf: bool,
    pub limit: usize,
}

/// A repository that was found.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Found {
    pub repo: String,
    /// Number of parameters; none where the hub does not know.
    pub parameters: Option<u64>,
    pub license: Option<String>,
    /// Its terms must be accepted before it can be pulled.
    pub gated: bool,
    /// Of the last 30 days.
    pub downloads: Option<u64>,
    pub likes: Option<u64>,
    /// Day and time of the last change, RFC 3339.
    pub modified: Option<String>,
    pub weights: Weights,
    /// `general.architecture` of GGUF files, `model_type` of others.
    pub architecture: Option<String>,
    pub tags: Vec<String>,
}

/// How a repository holds its weights.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Weights {
    Gguf,
    Safetensors,
    /// For Apple's MLX, whose packed safetensors are its own.
    Mlx,
    /// An adapter of another model.
    Adapter,
    #[default]
    Other,
}

/// What of a listed repository is told, all of it optional: mirrors tell less.
const FIELDS: &[&str] = &[
    "cardData",
    "config",
    "downloads",
    "gated",
    "gguf",
    "lastModified",
    "library_name",
    "likes",
    "pipeline_tag",
    "safetensors",
    "tags",
];

/// Most that the hub lists at once.
pub const MOST: usize = 1000;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    id: String,
    #[serde(default)]
    card_data: Value,
    #[serde(default)]
    config: Value,
    downloads: Option<u64>,
    #[serde(default)]
    gated: Value,
    #[serde(default)]
    gguf: Value,
    last_modified: Option<String>,
    #[serde(rename = "library_name")]
    library: Option<String>,
    likes: Option<u64>,
    #[serde(rename = "pipeline_tag")]
    task: Option<String>,
    #[serde(default)]
    safetensors: Value,
    #[serde(default)]
    tags: Vec<String>,
}

/// Models that speak and models that make vectors.
pub async fn search(
    http: &Http<'_>,
    asked: &Search<'_>,
    retried: &mut dyn FnMut(&str, std::time::Duration, u32),
) -> Result<Vec<Found>, Error> {
    let mut url = http.url(["api", "models"]);
    {
        let mut query = url.query_pairs_mut();
        query
            .append_pair("search", asked.words)
            .append_pair("sort", asked.order.field())
            .append_pair("direction", "-1");
        // Of which some are of no kind that is asked for.
        query.append_pair("limit", &asked.limit.saturating_mul(4).clamp(50, MOST).to_string());
        if asked.gguf {
            query.append_pair("filter", "gguf");
        }
        for field in FIELDS {
            query.append_pair("expand", field);
        }
    }
    let what = What { repo: "the search", revision: "", file: None };
    let body = http
        .retry(retried, async || {
            let (response, ..) = http.send(Method::GET, url.clone(), None, &what).await?;
            response.bytes().await.map_err(|e| http.broken(&e))
        })
        .await?;
    let rows: Vec<Value> = serde_json::from_slice(&body).map_err(|_| what.malformed("is not a list of models"))?;
    // A row that is odd is none.
    let rows = rows.into_iter().filter_map(|row| serde_json::from_value::<Row>(row).ok());
    let found = rows.filter(|row| api::is_repository(&row.id) && row.is_of_text()).map(Found::from);
    Ok(found.filter(|found| !asked.gguf || found.weights == Weights::Gguf).take(asked.limit).collect())
}

impl Order {
    fn field(self) -> &'static str {
        match self {
            Order::Downloads => "downloads",
            Order::Likes => "likes",
            Order::Recent => "lastModified",
        }
    }
}

impl Row {
    fn has_tag(&self, tag: &str) -> bool {
        self.tags.iter().any(|t| t == tag)
    }

    /// Whether it reads text and answers with text or vectors; those that see images besides do.
    fn is_of_text(&self) -> bool {
        match self.task.as_deref() {
            Some(task) => {
                ["text-generation", "image-text-to-text", "feature-extraction", "sentence-similarity"].contains(&task)
            }
            None => self.has_tag("gguf") || self.gguf.is_object(),
        }
    }

    fn weights(&self) -> Weights {
        let library = self.library.as_deref();
        if self.has_tag("gguf") || self.gguf.is_object() {
            Weights::Gguf
        } else if library == Some("mlx") || self.has_tag("mlx") {
            Weights::Mlx
        } else if library == Some("peft") || self.has_tag("lora") {
            Weights::Adapter
        } else if self.has_tag("safetensors") || self.safetensors.is_object() {
            Weights::Safetensors
        } else {
            Weights::Other
        }
    }
}

impl From<Row> for Found {
    fn from(row: Row) -> Found {
        let weights = row.weights();
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let (summary, architecture) = match weights {
            Weights::Gguf => (&row.gguf, text(&row.gguf["architecture"])),
            _ => (&row.safetensors, text(&row.config["model_type"])),
        };
        let license = &row.card_data["license"];
        let tagged = row.tags.iter().find_map(|tag| tag.strip_prefix("license:").map(str::to_owned));
        Found {
            parameters: summary["total"].as_u64(),
            license: text(license).or_else(|| text(&license[0])).or(tagged),
            // `false`, or who lets people in.
            gated: row.gated.is_string() || row.gated == true,
            downloads: row.downloads,
            likes: row.likes,
            modified: row.last_modified,
            weights,
            architecture,
            tags: row.tags,
            repo: row.id,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn found(value: Value) -> Found {
        let row: Row = serde_json::from_value(value).unwrap();
        assert!(row.is_of_text());
        Found::from(row)
    }

    #[test]
    fn rows_are_read_as_the_hub_writes_them() {
        let gguf = found(json!({
            "_id": "68", "id": "unsloth/Qwen3-8B-GGUF", "downloads": 12_853, "likes": 9, "gated": false,
            "lastModified": "2025-07-31T00:00:00.000Z", "library_name": "transformers", "pipeline_tag": "text-generation",
            "tags": ["transformers", "gguf", "qwen3", "license:apache-2.0"],
            "gguf": { "total": 8_190_735_360_u64, "architecture": "qwen3", "context_length": 40_960 },
        }));
        assert_eq!((gguf.parameters, gguf.architecture.as_deref()), (Some(8_190_735_360), Some("qwen3")));
        assert_eq!((gguf.license.as_deref(), gguf.weights, gguf.gated), (Some("apache-2.0"), Weights::Gguf, false));
        let tensors = found(json!({
            "id": "meta-llama/Llama-3.2-1B", "pipeline_tag": "text-generation", "gated": "manual",
            "cardData": { "license": ["llama3.2"] }, "tags": ["safetensors"],
            "config": { "architectures": ["LlamaForCausalLM"], "model_type": "llama" },
            "safetensors": { "parameters": { "BF16": 1_235_814_400 }, "total": 1_235_814_400 },
        }));
        assert_eq!((tensors.parameters, tensors.architecture.as_deref()), (Some(1_235_814_400), Some("llama")));
        assert_eq!((tensors.license.as_deref(), tensors.gated), (Some("llama3.2"), true));
        let weights = |value| found(value).weights;
        assert_eq!(
            weights(json!({ "id": "a/b", "pipeline_tag": "text-generation", "tags": ["lora"] })),
            Weights::Adapter
        );
        assert_eq!(
            weights(json!({ "id": "a/b", "pipeline_tag": "text-generation", "library_name": "mlx" })),
            Weights::Mlx
        );
        assert_eq!(weights(json!({ "id": "a/b", "pipeline_tag": "feature-extraction" })), Weights::Other);
        let image: Row =
            serde_json::from_value(json!({ "id": "a/b", "pipeline_tag": "text-to-image", "tags": ["gguf"] })).unwrap();
        assert!(!image.is_of_text());
    }
}
