//! Sessions in a database, which several processes may use at once.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension, Row, Transaction, TransactionBehavior, params};
use serde::{Deserialize, Serialize};

use super::changes::{Unsaved, tidy};
use super::mend::mend;
use super::name::LAST;
use super::save::save;
use super::tree::{Node, NodeId};
use super::{Changes, Error, Session, schema};
use crate::engine::Role;

/// An open database. One belongs to one thread at a time; each thread may open its own.
pub struct Store {
    connection: Connection,
    path: PathBuf,
}

/// What a list shows of a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Summary {
    pub id: i64,
    /// The name, else the first question's first words.
    pub title: String,
    pub name: Option<String>,
    pub tags: Vec<String>,
    pub model: String,
    /// Questions on the path that was on screen.
    pub turns: usize,
    pub created_ms: i64,
    pub updated_ms: i64,
}

/// Which sessions to list.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Only those with this tag.
    pub tag: Option<String>,
    /// At most so many.
    pub limit: Option<usize>,
}

/// Part of a node's JSON: enough to tell a question.
#[derive(Deserialize)]
struct Asked {
    message: AskedMessage,
}

#[derive(Deserialize)]
struct AskedMessage {
    role: Role,
    #[serde(default)]
    content: String,
}

/// A longer one is a text with a question, and not asked again.
const LARGEST_QUESTION_BYTES: i64 = 100_000;
/// A question, its answer, and two more attempts.
const ROWS_PER_QUESTION: usize = 4;

const SUMMARY: &str =
    "SELECT id, coalesce(name, title), name, tags, model, turns, created_ms, updated_ms FROM sessions";

impl Store {
    /// Opens the database at `path`, making it and its folder if need be. One that is not ours, or that a newer oai
    /// wrote, is an error and stays as it is.
    pub fn open(path: &Path) -> Result<Store, Error> {
        Ok(Store { connection: schema::open(path)?, path: path.to_owned() })
    }

    /// Saves what changed, whole or not at all; returns the session's number. Changes of a session that has none yet
    /// find what was saved of it before. [`Error::ChangedElsewhere`] and [`Error::Gone`] leave the store as it was.
    pub fn save(&mut self, changes: &Changes) -> Result<i64, Error> {
        let transaction = begin(&mut self.connection).map_err(|e| schema::failed(&self.path, &e))?;
        let saved = save(&transaction, changes).map_err(|e| schema::failed(&self.path, &e))??;
        transaction.commit().map_err(|e| schema::failed(&self.path, &e))?;
        Ok(saved)
    }

    /// The whole session; of one that is damaged what there is, and [`Session::damage`] says so.
    pub fn load(&self, id: i64) -> Result<Session, Error> {
        let read = || {
            // One transaction, so that header and messages belong together.
            let transaction = self.connection.unchecked_transaction()?;
            let found = transaction.query_row("SELECT * FROM sessions WHERE id = ?", [id], header).optional()?;
            let mut statement =
                transaction.prepare_cached("SELECT id, body FROM nodes WHERE session = ? ORDER BY id")?;
            let rows = statement.query_map([id], |row| {
                let node: Option<Node> = serde_json::from_str(row.get_ref(1)?.as_str()?).ok();
                Ok((row.get::<_, i64>(0)?, node))
            })?;
            Ok((found, rows.collect::<Result<Vec<_>, _>>()?))
        };
        let (found, rows) = read().map_err(|e| schema::failed(&self.path, &e))?;
        let (mut session, leaf) = found.ok_or_else(|| unknown(&id.to_string()))?;
        let damaged = |reason| Error::Damaged { file: self.path.display().to_string(), reason };
        let last = rows.last().map_or(0, |(number, _)| u32::try_from(*number).unwrap_or(0));
        let mended = mend(rows, leaf);
        session.fill(mended.nodes, mended.leaf).map_err(|reason| damaged(format!("conversation {id}: {reason}")))?;
        session.skip_to(last);
        session.damage = mended.damage.map(|damage| format!("conversation {id} is damaged: {damage}"));
        let open = |node: &&Node| node.message.role == Role::Assistant && node.finish.is_none();
        session.unsaved.cut_off = session.leaf().and_then(|id| session.node(id)).filter(open).map(|node| node.id);
        Ok(session)
    }

    /// The session that was saved last.
    pub fn last(&self) -> Result<Option<i64>, Error> {
        let newest = "SELECT id FROM sessions ORDER BY updated_ms DESC, id DESC LIMIT 1";
        self.read(|connection| connection.query_row(newest, (), |row| row.get(0)).optional())
    }

    /// The last `limit` questions of all sessions, oldest first, each once; fewer where answers were written over and
    /// over.
    pub fn questions(&self, limit: usize) -> Result<Vec<String>, Error> {
        // Keys ascend with time. The size alone is known without reading a body.
        let newest = "SELECT body FROM nodes WHERE octet_length(body) < ?1 ORDER BY key DESC LIMIT ?2";
        let most_rows = i64::try_from(limit.saturating_mul(ROWS_PER_QUESTION)).unwrap_or(i64::MAX);
        self.read(|connection| {
            let mut statement = connection.prepare_cached(newest)?;
            let mut rows = statement.query((LARGEST_QUESTION_BYTES, most_rows))?;
            let (mut texts, mut known) = (Vec::new(), HashSet::new());
            while let Some(row) = rows.next()?.filter(|_| texts.len() < limit) {
                let asked: Result<Asked, _> = serde_json::from_str(row.get_ref(0)?.as_str()?);
                let Ok(Asked { message: AskedMessage { role: Role::User, content } }) = asked else { continue };
                if !content.trim().is_empty() && known.insert(content.clone()) {
                    texts.push(content);
                }
            }
            texts.reverse();
            Ok(texts)
        })
    }

    /// Newest first.
    pub fn list(&self, filter: &Filter) -> Result<Vec<Summary>, Error> {
        let question = format!(
            "{SUMMARY} WHERE ?1 IS NULL OR EXISTS (SELECT 1 FROM json_each(tags) WHERE value = ?1)
             ORDER BY updated_ms DESC, id DESC LIMIT ?2"
        );
        // A negative limit is none.
        let limit = filter.limit.map_or(-1, |limit| i64::try_from(limit).unwrap_or(i64::MAX));
        self.read(|connection| {
            connection.prepare_cached(&question)?.query_map(params![filter.tag, limit], summary)?.collect()
        })
    }

    /// One session's line of the list.
    pub fn summary(&self, id: i64) -> Result<Summary, Error> {
        let question = format!("{SUMMARY} WHERE id = ?");
        let found = self.read(|connection| connection.query_row(&question, [id], summary).optional())?;
        found.ok_or_else(|| unknown(&id.to_string()))
    }

    /// The session that `text` means: a number, a name, the beginning of one, or `last`.
    pub fn find(&self, text: &str) -> Result<i64, Error> {
        let text = text.trim();
        if text == LAST {
            return self.last()?.ok_or_else(|| unknown(text));
        }
        if let Ok(id) = text.parse::<i64>() {
            let known = "SELECT id FROM sessions WHERE id = ?";
            if let Some(id) = self.read(|connection| connection.query_row(known, [id], |row| row.get(0)).optional())? {
                return Ok(id);
            }
        }
        let named: Vec<(i64, String)> = self.read(|connection| {
            let mut statement =
                connection.prepare("SELECT id, name FROM sessions WHERE name IS NOT NULL ORDER BY id")?;
            statement.query_map((), |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
        })?;
        let beginning = text.to_lowercase();
        let exact = |(_, name): &&(i64, String)| name == text;
        let begins = |(_, name): &&(i64, String)| !text.is_empty() && name.to_lowercase().starts_with(&beginning);
        let mut found: Vec<_> = named.iter().filter(exact).collect();
        if found.is_empty() {
            found = named.iter().filter(begins).collect();
        }
        match found[..] {
            [] => Err(unknown(text)),
            [(id, _)] => Ok(*id),
            _ => {
                let candidates: Vec<String> = found.iter().map(|(id, name)| format!("{name} ({id})")).collect();
                Err(Error::Ambiguous { what: text.to_owned(), candidates: candidates.join(", ") })
            }
        }
    }

    /// Deletes a session; neither its text nor its words stay in the file.
    pub fn delete(&mut self, id: i64) -> Result<(), Error> {
        self.delete_all(&[id])
    }

    /// Deletes several sessions, or with an error none.
    pub fn delete_all(&mut self, ids: &[i64]) -> Result<(), Error> {
        let delete = |connection: &mut Connection| {
            let transaction = begin(connection)?;
            for id in ids {
                if transaction.execute("DELETE FROM sessions WHERE id = ?", [id])? == 0 {
                    return Ok(Err(unknown(&id.to_string())));
                }
            }
            // Marks deleted words only; this writes the index anew without them.
            transaction.execute("INSERT INTO words (words) VALUES ('optimize')", ())?;
            transaction.commit()?;
            // What was deleted is still in the log. While another process reads, it stays there for now.
            connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", (), |_| Ok(()))?;
            Ok(Ok(()))
        };
        delete(&mut self.connection).map_err(|e| schema::failed(&self.path, &e))?
    }

    /// Names a session; `None` or a blank name takes the name away.
    pub fn rename(&mut self, id: i64, name: Option<&str>) -> Result<(), Error> {
        let name = name.map(str::trim).filter(|name| !name.is_empty());
        self.set(id, "UPDATE sessions SET name = ?2 WHERE id = ?1", params![id, name])
    }

    /// Replaces the tags of a session; blank ones and repetitions are dropped.
    pub fn tag(&mut self, id: i64, tags: &[String]) -> Result<(), Error> {
        let tags = serde_json::Value::from(tidy(tags)).to_string();
        self.set(id, "UPDATE sessions SET tags = ?2 WHERE id = ?1", params![id, tags])
    }

    fn set(&mut self, id: i64, change: &str, values: &[&dyn rusqlite::ToSql]) -> Result<(), Error> {
        match self.read(|connection| connection.execute(change, values))? {
            0 => Err(unknown(&id.to_string())),
            _ => Ok(()),
        }
    }

    /// Asks the database something.
    pub(super) fn read<T>(&self, ask: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, Error> {
        ask(&self.connection).map_err(|e| schema::failed(&self.path, &e))
    }
}

fn unknown(what: &str) -> Error {
    Error::Unknown { what: what.to_owned() }
}

/// A transaction that writes: two of them never meet half-way.
fn begin(connection: &mut Connection) -> rusqlite::Result<Transaction<'_>> {
    connection.transaction_with_behavior(TransactionBehavior::Immediate)
}

/// A column of JSON.
pub(super) fn from_json<T: serde::de::DeserializeOwned>(row: &Row<'_>, column: usize) -> rusqlite::Result<T> {
    let failed =
        |e: serde_json::Error| rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, e.into());
    serde_json::from_str(row.get_ref(column)?.as_str()?).map_err(failed)
}

fn summary(row: &Row<'_>) -> rusqlite::Result<Summary> {
    Ok(Summary {
        id: row.get(0)?,
        title: row.get(1)?,
        name: row.get(2)?,
        tags: from_json(row, 3)?,
        model: row.get(4)?,
        turns: usize::try_from(row.get::<_, i64>(5)?).unwrap_or(0),
        created_ms: row.get(6)?,
        updated_ms: row.get(7)?,
    })
}

/// A session without its nodes, and its leaf.
fn header(row: &Row<'_>) -> rusqlite::Result<(Session, Option<NodeId>)> {
    let mut session = Session::new(&row.get::<_, String>("model")?, row.get("created_ms")?);
    session.id = row.get("id")?;
    session.name = row.get("name")?;
    session.tags = from_json(row, row.as_ref().column_index("tags")?)?;
    session.system = row.get("system")?;
    let sampling = row.as_ref().column_index("sampling")?;
    session.sampling = match row.get_ref(sampling)? {
        rusqlite::types::ValueRef::Null => None,
        _ => Some(from_json(row, sampling)?),
    };
    session.updated_ms = row.get("updated_ms")?;
    session.unsaved = Unsaved::nothing(row.get("revision")?);
    Ok((session, row.get::<_, Option<u32>>("leaf")?.map(NodeId)))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::engine::{Message, Role};
    use crate::session::json;

    fn store() -> (tempfile::TempDir, Store) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("x.sqlite")).unwrap();
        (folder, store)
    }

    /// A session with one question, saved at `now_ms`.
    fn saved(store: &mut Store, text: &str, now_ms: i64) -> i64 {
        let mut session = Session::new("m", now_ms);
        let id = session.append(Message::new(Role::User, text), now_ms);
        session.edit_node(id, |node| node.message.reasoning_content = Some("unsearchable".to_owned()));
        store.save(&session.take_changes(now_ms).unwrap()).unwrap()
    }

    #[test]
    fn the_list_is_newest_first_and_can_be_narrowed() {
        let (_folder, mut store) = store();
        assert_eq!(store.last().unwrap(), None);
        let old = saved(&mut store, "old", 10);
        let new = saved(&mut store, "new", 30);
        let middle = saved(&mut store, "middle", 20);
        store.tag(old, &["a".to_owned(), "b".to_owned()]).unwrap();
        let ids = |filter: &Filter| -> Vec<i64> { store.list(filter).unwrap().iter().map(|s| s.id).collect() };
        assert_eq!(ids(&Filter::default()), [new, middle, old]);
        assert_eq!(ids(&Filter { limit: Some(1), ..Filter::default() }), [new]);
        assert_eq!(ids(&Filter { tag: Some("b".to_owned()), limit: None }), [old]);
        assert_eq!(store.last().unwrap(), Some(new));
        assert_eq!(store.list(&Filter::default()).unwrap()[0].title, "new");
    }

    #[test]
    fn sessions_are_found_by_number_name_beginning_and_last() {
        let (_folder, mut store) = store();
        let first = saved(&mut store, "a", 1);
        let second = saved(&mut store, "b", 2);
        store.rename(first, Some(" Work on engine ")).unwrap();
        store.rename(second, Some("Work")).unwrap();
        for (text, id) in [("1", first), ("last", second), ("Work", second), ("work on", first), ("WORK O", first)] {
            assert_eq!(store.find(text).unwrap(), id, "{text}");
        }
        assert!(matches!(store.find("wor"), Err(Error::Ambiguous { candidates, .. }) if candidates.contains("(2)")));
        for unknown in ["3", "", "x", "-1", "99999999999999999999"] {
            assert!(matches!(store.find(unknown), Err(Error::Unknown { .. })), "{unknown}");
        }
        store.rename(second, Some("1")).unwrap();
        assert_eq!(store.find("1").unwrap(), first, "a number is a number first");
        store.rename(second, None).unwrap();
        assert_eq!(store.summary(second).unwrap().title, "b");
        assert!(matches!(store.rename(9, None), Err(Error::Unknown { .. })));
        assert!(matches!(store.load(9), Err(Error::Unknown { .. })));
    }

    #[test]
    fn search_finds_words_in_any_script_and_takes_everything_typed_as_text() {
        let (_folder, mut store) = store();
        let sky = saved(&mut store, "Why is the sky blue? AND (really) \"now\"", 1);
        let chinese = saved(&mut store, "我想学习机器学习的基础知识", 2);
        let mixed = saved(&mut store, "le café 🎉 ประเทศไทย カタカナ", 3);
        let found =
            |typed: &str| -> Vec<i64> { store.search(typed, 10).unwrap().iter().map(|h| h.session.id).collect() };
        for (typed, id) in [
            ("blue sky", sky),
            ("bl", sky),
            ("AND (", sky),
            ("\"now\"", sky),
            ("sky AND", sky),
            ("机器", chinese),
            ("器", chinese),
            ("基础 学习", chinese),
            ("🎉", mixed),
            ("CAFE", mixed),
            ("เทศ", mixed),
            ("タカ", mixed),
        ] {
            assert_eq!(found(typed), [id], "{typed}");
        }
        for typed in [
            "",
            " ",
            "\"",
            "(",
            "*",
            "NEAR(",
            "unsearchable",
            "sky* blu e",
            "blu sky",
            "器机",
            "text:sky -x",
            "😀",
            "\0",
            "zz\0\"",
        ] {
            assert_eq!(found(typed), Vec::<i64>::new(), "{typed}");
        }
        let hit = &store.search("blu", 10).unwrap()[0];
        assert_eq!((hit.node, hit.role), (NodeId(1), Role::User));
        assert_eq!(hit.matches.iter().map(|range| &hit.snippet[range.clone()]).collect::<Vec<_>>(), ["blue"]);
        assert_eq!(store.search("s", 0).unwrap().len(), 0);
    }

    #[test]
    fn an_edited_message_is_found_by_its_new_words_only() {
        let (_folder, mut store) = store();
        let id = saved(&mut store, "before", 1);
        let mut session = store.load(id).unwrap();
        session.edit_node(NodeId(1), |node| node.message.content = "after".to_owned());
        store.save(&session.take_changes(2).unwrap()).unwrap();
        assert_eq!((store.search("before", 9).unwrap().len(), store.search("after", 9).unwrap().len()), (0, 1));
        session.delete(NodeId(1));
        store.save(&session.take_changes(3).unwrap()).unwrap();
        assert_eq!(store.search("after", 9).unwrap().len(), 0);
    }

    #[test]
    fn what_was_deleted_is_not_in_the_files_any_more() {
        let (folder, mut store) = store();
        let kept = saved(&mut store, "harmless words", 1);
        let id = saved(&mut store, "verysecretword harmless", 2);
        let holds = |what: &str| {
            fs::read_dir(folder.path()).unwrap().any(|entry| {
                let bytes = fs::read(entry.unwrap().path()).unwrap();
                bytes.windows(what.len()).any(|window| window == what.as_bytes())
            })
        };
        assert!(holds("verysecretword"));
        store.delete(id).unwrap();
        assert!(!holds("verysecret") && !holds("secretword"));
        assert_eq!(store.search("harmless", 9).unwrap()[0].session.id, kept);
        assert!(matches!(store.delete_all(&[kept, id]), Err(Error::Unknown { .. })));
        assert!(store.load(kept).is_ok(), "all or none");
    }

    #[test]
    fn damage_of_a_conversation_is_its_own_and_damage_of_the_file_is_an_error_that_names_it() {
        let (folder, mut store) = store();
        let path = folder.path().join("x.sqlite");
        let id = saved(&mut store, &"word ".repeat(5000), 1);
        store.connection.execute("UPDATE nodes SET body = '{'", ()).unwrap();
        let mut session = store.load(id).unwrap();
        assert!(session.damage.as_ref().unwrap().starts_with("conversation 1 is damaged: message 1 is missing"));
        assert!(store.search("word", 9).unwrap().is_empty() && store.questions(9).unwrap().is_empty());
        assert_eq!(session.append(Message::new(Role::User, "new"), 2), NodeId(2), "numbers are not given twice");
        let orphan =
            "UPDATE nodes SET body = '{\"id\":1,\"parent\":7,\"message\":{\"role\":\"user\",\"content\":\"q\"}}'";
        store.connection.execute(orphan, ()).unwrap();
        let session = store.load(id).unwrap();
        assert!(session.damage.as_ref().unwrap().contains("message 7 is missing"));
        assert_eq!((session.len(), session.leaf()), (1, Some(NodeId(1))));
        store.connection.execute("UPDATE nodes SET body = ?", ["word ".repeat(5000)]).unwrap();
        drop(store);
        let whole = fs::read(&path).unwrap();
        // Every page but the first is gone.
        fs::write(&path, [&whole[..4096], &vec![0x5a; whole.len() - 4096][..]].concat()).unwrap();
        let error = Store::open(&path).and_then(|store| store.load(id).map(|_| ())).unwrap_err();
        assert!(matches!(&error, Error::Damaged { file, .. } if file.ends_with("x.sqlite")), "{error}");
        fs::write(&path, &whole[..whole.len() / 2]).unwrap();
        let error = Store::open(&path).and_then(|store| store.load(id).map(|_| ())).unwrap_err();
        assert!(matches!(&error, Error::Damaged { .. } | Error::NotOurs { .. }), "{error}");
    }

    #[test]
    fn questions_are_the_last_ones_oldest_first_and_each_once() {
        let (_folder, mut store) = store();
        for (at, text) in ["a", "b", " ", "a", "c"].iter().enumerate() {
            saved(&mut store, text, at as i64);
        }
        saved(&mut store, &"long".repeat(40_000), 9);
        let mut session = Session::new("m", 0);
        session.append(Message::new(Role::Assistant, "no question"), 0);
        store.save(&session.take_changes(1).unwrap()).unwrap();
        assert_eq!(store.questions(9).unwrap(), ["b", "a", "c"]);
        assert_eq!(store.questions(2).unwrap(), ["a", "c"]);
        assert!(store.questions(0).unwrap().is_empty());
    }

    #[test]
    fn a_long_session_comes_back_as_it_was() {
        let (_folder, mut store) = store();
        let mut session = Session::new("m", 0);
        for turn in 0..500 {
            session.append(Message::new(Role::User, format!("turn {turn}")), turn);
        }
        let id = store.save(&session.take_changes(1).unwrap()).unwrap();
        assert_eq!(json(&store.load(id).unwrap()), json(&session));
    }
}
