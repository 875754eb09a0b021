//! Whether two tokenizers cut text alike.

use std::collections::BTreeSet;
use std::ops::Range;

use super::super::models::Model;
use super::super::patterns::{Spaces, Splitter, pre_tokenizers};
use super::super::{Encoder, Tokenizer};
use crate::model::Error;

/// What patterns differ in: scripts and marks, digits in runs of every length, contractions, punctuation beside letters,
/// line breaks and slashes, white space of every kind and length.
const PROBE: &str = "Hello, world! It's I'll we'VE SHE'D they're 'quoted' O'Neil's l'été rock'n'roll 's\n\
    1 12 123 1234 12345 123456 1234567 12345678 3.14159 1,000,000 v2.0 0x1F a1b22c333 ½ ² ③ Ⅳ ٣٤٥ १२३ 2024-06-01\n\
    CamelCase HTTPServer ÉCOLEs straße ǅungla naïve cafés élan e\u{301}a\u{308}o İstanbul ΑΒΓ αβγ ПРИВЕТ мир\n\
    漢字かなカナ混じり文，中文。「引用」！？…… 한국어 조선말 ㅋㅋ ภาษาไทยๆ ລາວ ខ្មែរ မြန်မာ हिन्दी में தமிழ் العربيّة עִברִית ქართული\n\
    🚀🦙👩‍👩‍👧‍👦😶‍🌫️🇪🇺 ✅ ❤️ ∑∫≠±×÷ €£¥$ ©®™ “quotes” ‘single’ —–- «guillemets» ¿qué? ¡sí!\n\
    def f(x, *args):\n\treturn x**2 + y[0] // 3 # TODO: fix_me!!\n    if (a != b && c) {\n\n\n        x += 1;\r\n    }\r\n\r\n\
    // comment\n/* block */ https://example.org/a/b?c=d&e=f#g user@host.tld C:\\path\\file.txt ~/.config $HOME `code` ```\n\
    ------ ====== ...... !!!??? ((([[[{{{ <html><b>x</b></html> &amp; %20 \u{a0}nbsp\u{3000}wide\u{2009}thin\u{200b}zero\u{feff}\n\
    \u{20}one two  three   four    eight        sixteen                x\ttab\t\ttabs\n \n  \n\t\n   end of lines  \n\n\n\n \
    !a \"b #c -d /e\n(f\n)g .h\n;i\n\n'j ,漢 。a 漢1 1漢 a漢b a한b aไb É漢字!？я，b x\u{301} 1\u{301} !\u{301} \u{1}\u{7f}\u{85} end  ";

/// Tokens whose texts are tried as one text.
const TOKENS_AT_ONCE: usize = 4096;

/// The text that byte-level tokenizers see: GGUF files know no Unicode composition, and their readers do without.
fn seen(tokenizer: &Tokenizer, text: &str) -> Result<String, String> {
    match &tokenizer.encoder {
        Encoder::HuggingFace(inner) => inner.composed(text).map_err(|e| e.to_string()),
        Encoder::Own(..) => Ok(text.to_owned()),
    }
}

/// The names of the patterns that cut words most like `tokenizer`; of equals, first those that take whole words alike.
/// A file may cut where the merges never join, so that a pattern without that cut gives the same tokens.
pub(super) fn nearest_patterns(tokenizer: &Tokenizer, whole_words: bool) -> Result<Vec<&'static str>, String> {
    const TRIED: usize = 6;
    let text = seen(tokenizer, PROBE)?;
    let cut = |splitter: &Splitter| {
        let (mut end, mut ends) = (0, BTreeSet::new());
        let cut = splitter.split(&text, &mut |word| {
            end += word.len();
            ends.insert(end);
        });
        cut.map(|()| ends)
    };
    let expected = match &tokenizer.encoder {
        Encoder::HuggingFace(inner) => inner.word_ends(&text).map_err(|e| e.to_string())?,
        Encoder::Own(_, model) => match &**model {
            Model::Bytes { splitter, .. } => cut(splitter)?,
            _ => return Ok(Vec::new()),
        },
    };
    let mut found = Vec::new();
    for (name, row) in pre_tokenizers().filter(|(_, row)| row.spaces == Spaces::Bytes) {
        let cuts = cut(&Splitter::new(row.patterns)?)?;
        found.push((cuts.symmetric_difference(&expected).count(), row.whole_words != whole_words, name));
    }
    found.sort_by_key(|(distance, otherwise, _)| (*distance, *otherwise));
    Ok(found.into_iter().take(TRIED).map(|(.., name)| name).collect())
}

/// A text that `folder` and `made` cut differently: of the probe, of the texts of all tokens, of an added token.
pub(super) fn difference(folder: &Tokenizer, made: &Tokenizer, rows: usize) -> Result<Option<String>, Error> {
    let ids = (0..folder.vocab_size().min(rows) as u32).filter(|id| folder.piece(*id).is_some());
    let (added, texts): (Vec<u32>, Vec<u32>) = ids.partition(|id| folder.added.contains_key(id));
    let line = |id: &u32| String::from_utf8(folder.token_bytes(*id)).ok().map(|text| text + "\n");
    // A space at the very start is a matter of its own.
    let text = |ids: &[u32]| ids.iter().filter_map(line).fold("a\n".to_owned(), |text, line| text + &line);
    let vocabulary = texts.chunks(TOKENS_AT_ONCE).map(text);
    for text in std::iter::once(PROBE.to_owned()).chain(vocabulary) {
        let text = seen(folder, &text).map_err(|reason| Error::Encode { reason })?;
        let (expected, got) = (folder.encode(&text, true, false)?, made.encode(&text, true, false)?);
        if expected != got {
            return Ok(Some(around_difference(folder, &expected, &got)));
        }
    }
    for id in added {
        let text = folder.piece(id).unwrap_or_default();
        if folder.encode(text, true, false)? == [id] && made.encode(text, true, false)? != [id] {
            return Ok(Some(text.to_owned()));
        }
    }
    Ok(None)
}

/// Some of the text where the tokens part.
fn around_difference(tokenizer: &Tokenizer, expected: &[u32], got: &[u32]) -> String {
    let at = expected.iter().zip(got).position(|(a, b)| a != b).unwrap_or(expected.len().min(got.len()));
    let near: Range<usize> = at.saturating_sub(2)..(at + 4).min(expected.len());
    tokenizer.decode_with_control(&expected[near])
}
