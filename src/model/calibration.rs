//! Finds out which input columns of each product run far beyond the others, by running an 8-bit model on examples.
//!
//! A first 8-bit copy, its outliers guessed from the weights, computes nearly what the `f32` model does: near enough to see
//! which columns are large. So no `f32` model has to be loaded, and examples cost a fraction of a second.

use std::path::Path;

use ort::session::Session;
use ort::session::builder::GraphOptimizationLevel;
use ort::value::Tensor;

use super::events::Cancel;
use crate::error::{Context, Error, ErrorKind, Result};
use crate::operators::{Observations, register_observed};
use crate::runtime;

/// Examples of what gets embedded, in several languages and styles: prose, questions, names, numbers, code, noise.
pub const SENTENCES: [&str; 64] = [
    "The committee will publish its final report at the end of March.",
    "How do I change the password of my account?",
    "She opened the window and listened to the rain for a long while.",
    "Revenue grew by 14.2% year on year, while operating costs fell to $3.8 million.",
    "Two dogs are running along the beach.",
    "Mix the flour with a pinch of salt, then add the eggs one at a time.",
    "The mitochondrion produces most of the energy that a cell needs.",
    "Please find attached the signed contract and the revised schedule.",
    "Error: connection refused (127.0.0.1:5432) after 3 retries",
    "fn main() { let total: u64 = items.iter().map(|item| item.price).sum(); println!(\"{total}\"); }",
    "SELECT name, COUNT(*) FROM orders WHERE created_at > '2024-01-01' GROUP BY name;",
    "https://example.com/docs/index.html?section=2&lang=en#install",
    "OK",
    "Thanks!",
    "1, 2, 3, 5, 8, 13, 21, 34, 55, 89",
    "A man is playing a guitar on stage in front of a large crowd.",
    "What is the difference between a virus and a bacterium?",
    "In 1687 Newton described the laws of motion that bear his name.",
    "The quick delivery was great, but the box arrived damaged and one part was missing.",
    "Meeting moved to Thursday 10:30, room 4B, bring the draft.",
    "THE MINISTER DENIED THE ALLEGATIONS.",
    "It was neither the heat nor the distance that troubled the travellers, but the silence of the villages they passed.",
    "The parties agree that any dispute arising out of this agreement shall be settled by arbitration.",
    "Best hiking trails near the lake with a view of the glacier",
    "The patient reported mild headaches and was prescribed 400 mg of ibuprofen twice a day.",
    "# Installation\n\nRun `npm install` and then `npm test`.",
    "{\"id\": 42, \"tags\": [\"red\", \"blue\"], \"active\": true}",
    "user@example.org wrote on 12/11/2023 at 08:15:",
    "You can't have your cake and eat it too.",
    "A transformer encoder maps each token to a vector that depends on all the other tokens.",
    "Le train de nuit pour Marseille part à vingt-deux heures quarante.",
    "Comment puis-je annuler mon abonnement ?",
    "Les chercheurs ont observé une baisse de la biodiversité dans la région.",
    "Der Vertrag verlängert sich automatisch um ein weiteres Jahr.",
    "Wie weit ist es von hier bis zum Bahnhof?",
    "Die Kinder bauten im Garten eine Hütte aus alten Brettern.",
    "El gobierno anunció nuevas medidas para reducir el desempleo.",
    "¿Dónde puedo encontrar la documentación del proyecto?",
    "La receta lleva tomate, ajo, aceite de oliva y un poco de albahaca.",
    "Il museo è chiuso il lunedì, tranne nei giorni festivi.",
    "A reunião foi adiada para a próxima semana por falta de quórum.",
    "De fiets staat achter het huis, naast de schuur.",
    "Pogoda w górach zmienia się bardzo szybko.",
    "Kokous alkaa kello yhdeksän ja kestää noin kaksi tuntia.",
    "Toplantı yarın sabah saat dokuzda başlayacak.",
    "Компания объявила о выпуске новой версии программы.",
    "Как пройти к ближайшей станции метро?",
    "Вчора ввечері у місті випав перший сніг.",
    "Η βιβλιοθήκη ανοίγει στις οκτώ το πρωί.",
    "أعلنت الجامعة عن بدء التسجيل للعام الدراسي الجديد.",
    "كيف يمكنني إعادة تعيين كلمة المرور؟",
    "הספר החדש שלה יצא לאור בשבוע שעבר.",
    "कल सुबह बारिश होने की संभावना है।",
    "আমি প্রতিদিন সকালে নদীর ধারে হাঁটি।",
    "วันนี้อากาศร้อนมากและไม่มีลม",
    "Hôm nay trời nắng đẹp, chúng tôi đi dạo quanh hồ.",
    "Perpustakaan itu menyimpan ribuan naskah kuno.",
    "今天的会议讨论了下一季度的销售计划。",
    "请问最近的地铁站怎么走?",
    "駅まで歩いて十分くらいかかります。",
    "新しい製品は来月から全国の店で販売されます。",
    "서울의 겨울은 춥고 건조합니다.",
    "환불을 받으려면 어떻게 해야 하나요?",
    "🙂 Great work, team! 🎉🎉",
];

/// Tokens that run at once: enough to be quick, few enough to stay in the cache.
const TOKENS_AT_ONCE: usize = 512;

/// Runs `model` on rows of token ids, on `threads` threads, and answers what its products were given.
///
/// # Errors
/// `ModelInvalid` when the model cannot be loaded or asks for other inputs than encoders have, `Inference` when a run fails,
/// `RuntimeNotFound`, `Aborted`.
pub fn observe(model: &Path, rows: &[Vec<i64>], threads: usize, cancel: &Cancel) -> Result<Observations> {
    let observations = Observations::default();
    let mut session = open(model, threads, &observations)?;
    let mut rows: Vec<&Vec<i64>> = rows.iter().filter(|row| !row.is_empty()).collect();
    rows.sort_by_key(|row| row.len());
    for same in rows.chunk_by(|a, b| a.len() == b.len()) {
        let length = same.first().map_or(1, |row| row.len());
        for batch in same.chunks((TOKENS_AT_ONCE / length).max(1)) {
            cancel.check()?;
            run(&mut session, batch, length)?;
        }
    }
    Ok(observations)
}

fn open(model: &Path, threads: usize, observations: &Observations) -> Result<Session> {
    let failed = || format!("The 8-bit copy {} cannot be loaded", model.display());
    let builder = Session::builder(runtime::environment()?)
        .and_then(|builder| {
            Ok(builder
                .with_intra_threads(threads)?
                .with_intra_op_spinning(false)?)
        })
        .and_then(|builder| Ok(builder.with_optimization_level(GraphOptimizationLevel::Level1)?))
        .context(ErrorKind::ModelInvalid, failed)?;
    register_observed(builder, threads, observations)?
        .commit_from_file(model)
        .context(ErrorKind::ModelInvalid, failed)
}

fn run(session: &mut Session, batch: &[&Vec<i64>], length: usize) -> Result<()> {
    let failed = || "The 8-bit copy failed on an example";
    let mut inputs = Vec::new();
    for input in session.inputs() {
        let values = match input.name() {
            "input_ids" => batch.iter().flat_map(|row| row.iter().copied()).collect(),
            "attention_mask" => vec![1; batch.len() * length],
            "token_type_ids" => vec![0; batch.len() * length],
            other => {
                return Err(Error::new(
                    ErrorKind::ModelInvalid,
                    format!("The model has an unknown input {other}"),
                ));
            }
        };
        let tensor = Tensor::<i64>::from_array(([batch.len(), length], values))
            .context(ErrorKind::Inference, failed)?;
        inputs.push((input.name().to_owned(), tensor));
    }
    session
        .run(inputs)
        .map(drop)
        .context(ErrorKind::Inference, failed)
}
