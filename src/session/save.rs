//! How changes get into the database.

use rusqlite::{OptionalExtension, Transaction, params};

use super::tree::Node;
use super::words::words;
use super::{Changes, Error};

/// Writes changes; the inner error is for the caller to roll back.
pub(super) fn save(transaction: &Transaction<'_>, changes: &Changes) -> rusqlite::Result<Result<i64, Error>> {
    let known = match changes.id {
        Some(id) => Some(id),
        // Earlier changes of the same session may have been saved before it learned its number.
        None => transaction
            .query_row("SELECT id FROM sessions WHERE born = ?", [changes.token], |row| row.get(0))
            .optional()?,
    };
    let id = match known {
        Some(id) => {
            let last = "SELECT writer, revision FROM sessions WHERE id = ?";
            let last: Option<(i64, i64)> =
                transaction.query_row(last, [id], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
            match last {
                None => return Ok(Err(Error::Gone { id })),
                Some((writer, revision)) if writer != changes.token && revision != changes.revision => {
                    return Ok(Err(Error::ChangedElsewhere { id }));
                }
                Some(_) => id,
            }
        }
        None if changes.first => {
            let new = "INSERT INTO sessions (tags, title, turns, model, created_ms, updated_ms, born, writer, revision)
                       VALUES ('[]', '', 0, '', 0, 0, ?1, ?1, 0)";
            transaction.execute(new, [changes.token])?;
            transaction.last_insert_rowid()
        }
        // It was deleted before it learned its number.
        None => return Ok(Err(Error::Gone { id: 0 })),
    };
    let header = "UPDATE sessions SET title = ?2, turns = ?3, model = ?4, system = ?5, sampling = ?6, leaf = ?7,
                  created_ms = ?8, updated_ms = ?9, writer = ?10, revision = revision + 1 WHERE id = ?1";
    transaction.prepare_cached(header)?.execute(params![
        id,
        changes.title,
        i64::try_from(changes.turns).unwrap_or(i64::MAX),
        changes.model,
        changes.system,
        changes.sampling.as_ref().map(ToString::to_string),
        changes.leaf.map(|leaf| leaf.0),
        changes.created_ms,
        changes.updated_ms,
        changes.token,
    ])?;
    if let Some(name) = &changes.name {
        transaction.execute("UPDATE sessions SET name = ?2 WHERE id = ?1", params![id, name])?;
    }
    if let Some(tags) = &changes.tags {
        let tags = serde_json::Value::from(tags.clone()).to_string();
        transaction.execute("UPDATE sessions SET tags = ?2 WHERE id = ?1", params![id, tags])?;
    }
    for node in &changes.deleted {
        let mut delete = transaction.prepare_cached("DELETE FROM nodes WHERE session = ? AND id = ?")?;
        delete.execute(params![id, node.0])?;
    }
    for node in &changes.nodes {
        let mut insert = transaction.prepare_cached(
            "INSERT INTO nodes (session, id, body) VALUES (?1, ?2, ?3)
             ON CONFLICT (session, id) DO UPDATE SET body = excluded.body RETURNING key",
        )?;
        let body = serde_json::to_string(node).map_err(|e| rusqlite::Error::ToSqlConversionFailure(e.into()))?;
        let key: i64 = insert.query_row(params![id, node.id.0, body], |row| row.get(0))?;
        if changes.grows(node) {
            continue;
        }
        let words: Vec<String> = words(&searchable(node)).into_iter().map(|word| word.text).collect();
        let mut index = transaction.prepare_cached("INSERT OR REPLACE INTO words (rowid, text) VALUES (?, ?)")?;
        index.execute(params![key, words.join(" ")])?;
    }
    Ok(Ok(id))
}

/// What a node is found by: its message's text and its attachments, not the thoughts.
pub(super) fn searchable(node: &Node) -> String {
    let mut text = node.message.content.clone();
    for attachment in &node.attachments {
        text.push_str(&format!("\n{}\n{}", attachment.name, attachment.text));
    }
    text
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::engine::{Message, Role};
    use crate::session::{Filter, Session, Store, json};

    fn store() -> (tempfile::TempDir, Store) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("x.sqlite")).unwrap();
        (folder, store)
    }

    fn another(folder: &tempfile::TempDir) -> Store {
        Store::open(&folder.path().join("x.sqlite")).unwrap()
    }

    fn say(session: &mut Session, text: &str) -> Changes {
        session.append(Message::new(Role::User, text), 1);
        session.take_changes(1).unwrap()
    }

    #[test]
    fn saves_before_the_number_is_known_go_to_the_same_session() {
        let (_folder, mut store) = store();
        let mut session = Session::new("m", 0);
        let (first, second) = (say(&mut session, "a"), say(&mut session, "b"));
        let id = store.save(&first).unwrap();
        assert_eq!(store.save(&second).unwrap(), id);
        assert_eq!(json(&store.load(id).unwrap()), json(&session));
        assert_eq!(store.list(&Filter::default()).unwrap().len(), 1);
    }

    #[test]
    fn what_was_continued_elsewhere_is_not_overwritten_and_can_be_kept_as_a_copy() {
        let (folder, mut here) = store();
        let mut there = another(&folder);
        let mut mine = Session::new("m", 0);
        let id = here.save(&say(&mut mine, "a")).unwrap();
        mine.id = Some(id);
        let mut theirs = there.load(id).unwrap();
        there.save(&say(&mut theirs, "b from there")).unwrap();
        // They go on writing; I may not.
        there.save(&say(&mut theirs, "c from there")).unwrap();
        let refused = say(&mut mine, "b from here");
        assert!(matches!(here.save(&refused), Err(Error::ChangedElsewhere { id: refused }) if refused == id));
        assert_eq!(json(&here.load(id).unwrap()), json(&theirs));
        mine.put_back(&refused);
        mine.detach();
        let copy = here.save(&mine.take_changes(2).unwrap()).unwrap();
        assert_ne!(copy, id);
        assert_eq!(json(&here.load(copy).unwrap()), json(&mine));
    }

    #[test]
    fn names_and_tags_from_elsewhere_survive_a_save_here() {
        let (folder, mut here) = store();
        let mut mine = Session::new("m", 0);
        let id = here.save(&say(&mut mine, "a")).unwrap();
        mine.id = Some(id);
        let mut there = another(&folder);
        there.rename(id, Some("named there")).unwrap();
        there.tag(id, &["t".to_owned()]).unwrap();
        here.save(&say(&mut mine, "b")).unwrap();
        let summary = here.summary(id).unwrap();
        assert_eq!((summary.name.as_deref(), summary.tags, summary.turns), (Some("named there"), vec!["t".into()], 2));
    }

    #[test]
    fn a_session_that_was_deleted_meanwhile_is_an_error_and_leaves_nothing_half_saved() {
        let (_folder, mut store) = store();
        let mut session = Session::new("m", 0);
        let id = store.save(&say(&mut session, "a")).unwrap();
        store.delete(id).unwrap();
        assert!(matches!(store.save(&say(&mut session, "b")), Err(Error::Gone { .. })));
        session.id = Some(id);
        assert!(matches!(store.save(&say(&mut session, "c")), Err(Error::Gone { .. })));
        session.detach();
        // Numbers are not given twice.
        assert_eq!(store.save(&session.take_changes(2).unwrap()).unwrap(), id + 1);
    }

    #[test]
    fn the_words_of_an_answer_are_found_when_it_is_finished_or_the_conversation_goes_on() {
        let (_folder, mut store) = store();
        let mut session = Session::new("m", 0);
        let mut id = store.save(&say(&mut session, "question")).unwrap();
        let answer = session.append(Message::new(Role::Assistant, "grows"), 1);
        store.save(&session.take_changes(1).unwrap()).unwrap();
        let found = |store: &Store, word: &str| store.search(word, 9).unwrap().len();
        assert_eq!(found(&store, "grows"), 0);
        // It was cut off here, and another process goes on.
        let mut other = store.load(id).unwrap();
        other.set_model("n");
        store.save(&other.take_changes(2).unwrap()).unwrap();
        assert_eq!(found(&store, "grows"), 0);
        store.save(&say(&mut other, "another")).unwrap();
        assert_eq!(found(&store, "grows"), 1);
        // It is finished here.
        session.detach();
        id = store.save(&session.take_changes(3).unwrap()).unwrap();
        session.edit_node(answer, |node| node.message.content.push_str(" taller"));
        store.save(&session.take_changes(4).unwrap()).unwrap();
        assert_eq!(found(&store, "taller"), 0);
        session.edit_node(answer, |node| node.finish = Some(crate::engine::Finish::Stop));
        store.save(&session.take_changes(5).unwrap()).unwrap();
        let hits = store.search("taller", 9).unwrap();
        assert_eq!(hits.iter().map(|hit| hit.session.id).collect::<Vec<_>>(), [id]);
    }

    #[test]
    fn two_handles_write_at_once_and_nothing_is_lost() {
        let (folder, store) = store();
        std::thread::scope(|scope| {
            for name in ["a", "b", "c"] {
                let mut store = another(&folder);
                scope.spawn(move || {
                    let mut session = Session::new(name, 0);
                    for turn in 0..20 {
                        let changes = say(&mut session, &format!("{name} {turn}"));
                        session.id = Some(store.save(&changes).unwrap());
                    }
                });
            }
        });
        let all = store.list(&Filter::default()).unwrap();
        assert_eq!(all.iter().map(|summary| summary.turns).collect::<Vec<_>>(), [20, 20, 20]);
    }

    #[test]
    fn a_crash_at_any_byte_of_the_log_leaves_whole_saves() {
        let (folder, mut store) = store();
        let path = folder.path().join("x.sqlite");
        let mut session = Session::new("m", 0);
        for turn in 0..4 {
            session.id = Some(store.save(&say(&mut session, &format!("turn {turn}"))).unwrap());
        }
        let (database, log) = (fs::read(&path).unwrap(), fs::read(folder.path().join("x.sqlite-wal")).unwrap());
        assert!(!log.is_empty());
        let mut turns = Vec::new();
        for part in 0..=6 {
            let crashed = tempfile::tempdir().unwrap();
            fs::write(crashed.path().join("x.sqlite"), &database).unwrap();
            fs::write(crashed.path().join("x.sqlite-wal"), &log[..log.len() * part / 6]).unwrap();
            let mut store = another(&crashed);
            let summaries = store.list(&Filter::default()).unwrap();
            let found: usize = summaries.iter().map(|summary| summary.turns).sum();
            assert_eq!(store.search("turn", 9).unwrap().len(), found);
            if let [summary] = &summaries[..] {
                assert_eq!(store.load(summary.id).unwrap().len(), found);
            }
            assert!(store.save(&say(&mut Session::new("m", 0), "goes on")).is_ok());
            turns.push(found);
        }
        assert!(turns.is_sorted() && turns.first() < turns.last() && turns.last() == Some(&4), "{turns:?}");
    }

    #[test]
    fn a_save_writes_only_what_changed() {
        let (_folder, mut store) = store();
        let mut session = Session::new("m", 0);
        for turn in 0..100 {
            session.append(Message::new(Role::User, format!("turn {turn}")), 1);
        }
        session.id = Some(store.save(&session.take_changes(1).unwrap()).unwrap());
        let rows = |store: &Store| -> i64 {
            store.read(|connection| connection.query_row("SELECT total_changes()", (), |row| row.get(0))).unwrap()
        };
        let before = rows(&store);
        store.save(&say(&mut session, "one more")).unwrap();
        // The header, the node, and a few rows of the index.
        assert!(rows(&store) - before < 10, "{}", rows(&store) - before);
    }
}
