//! The restore drill: a copy made while the bot runs, put in the place of the database, goes on where the copy was made.

use crate::support::{
    commands::rows,
    crowd::Crowd,
    database::TestDb,
    process::{Fakes, Installation, until, wait_for_polls},
};
use std::os::unix::fs::PermissionsExt as _;

const PERSON: i64 = 501;
const SOL: i64 = 3988;

async fn hears(fakes: &Fakes, words: &str) {
    let heard = until(|| async { fakes.telegram.unread().into_iter().find(|sent| sent.text.contains(words)) }).await;
    assert!(heard.is_some(), "{words}");
}

#[tokio::test]
async fn a_backup_made_while_it_runs_goes_on_where_it_was_made() {
    let fakes = Fakes::start().await;
    fakes.daily(SOL, -1);
    let installation = Installation::new(&fakes, "sqlite://bellwether.db");
    let file = |name: &str| installation.folder.path().join(name);
    let (process, address) = installation.serve().await;
    wait_for_polls(&address, "ranks", 1).await;
    fakes.telegram.with(|world| world.say(PERSON, PERSON, "/subscribe SOL"));
    hears(&fakes, "Subscribed").await;
    wait_for_polls(&address, "daily", 2).await;
    fakes.daily(SOL, 1);
    hears(&fakes, "SOL turned bullish").await;

    std::fs::write(file("copy.db"), "an older one").unwrap();
    let copied = installation.run(&["backup", "copy.db"]).await;
    assert_eq!(copied.code, Some(0), "{}", copied.err);
    assert_eq!(std::fs::metadata(file("copy.db")).unwrap().permissions().mode() & 0o777, 0o600);
    // What runs would go on in a file that has no name any more.
    for itself in ["bellwether.db", "./bellwether.db-wal"] {
        for command in [&["backup", itself][..], &["export", "--output", itself]] {
            let refused = installation.run(command).await;
            assert!(refused.code == Some(1) && refused.err.contains("the database itself"), "{command:?}: {}", refused.err);
        }
    }
    fakes.telegram.with(|world| world.say(PERSON, PERSON, "/unsubscribe SOL"));
    hears(&fakes, "SOL").await;
    // Else Telegram would bring it again to whoever does not know of it.
    assert!(until(|| async { (fakes.telegram.unconfirmed() == 0).then_some(()) }).await.is_some());
    assert_eq!(process.stop("TERM").await.code, Some(0));

    for rest in ["bellwether.db-wal", "bellwether.db-shm"] {
        let _ = std::fs::remove_file(file(rest));
    }
    std::fs::rename(file("copy.db"), file("bellwether.db")).unwrap();
    let (process, address) = installation.serve().await;
    wait_for_polls(&address, "daily", 2).await;
    assert_eq!(fakes.telegram.unread().len(), 0, "what was told stays told");
    fakes.telegram.with(|world| world.say(PERSON, PERSON, "/subscriptions"));
    hears(&fakes, "SOL").await;
    assert_eq!(process.stop("TERM").await.code, Some(0));

    let missing = installation.run(&["backup", "no/such/folder/copy.db"]).await;
    assert!(missing.code == Some(1) && missing.err.contains("cannot be written"), "{}", missing.err);
}

#[tokio::test]
async fn a_backup_made_while_a_thousand_are_told_goes_on_from_there() {
    let mut crowd = Crowd::on_sqlite().await;
    crowd.turn();
    let (process, _) = crowd.installation.serve().await;
    crowd.hears(&process).await;
    let copied = crowd.installation.run(&["backup", "copy.db"]).await;
    assert_eq!(copied.code, Some(0), "{}", copied.err);
    crowd.hears(&process).await;
    process.stop("KILL").await;

    let file = |name: &str| crowd.installation.folder.path().join(name);
    let copy = format!("sqlite://{}", file("copy.db").display());
    assert_eq!(rows(&copy, "PRAGMA integrity_check").await, ["ok"]);
    assert_eq!(rows(&copy, "SELECT CAST(COUNT(*) AS TEXT) FROM pragma_foreign_key_check").await, ["0"]);
    let waiting = "SELECT CAST(COUNT(*) > 0 AS TEXT) FROM messages WHERE state = 'queued'";
    assert_eq!(rows(&copy, waiting).await, ["1"], "it was made while messages waited");
    for rest in ["bellwether.db-wal", "bellwether.db-shm"] {
        let _ = std::fs::remove_file(file(rest));
    }
    std::fs::rename(file("copy.db"), file("bellwether.db")).unwrap();
    let (process, _) = crowd.installation.serve().await;
    crowd.settles(&process).await;
    crowd.retry_what_was_given_up(&process).await;
    assert_eq!(process.stop("TERM").await.code, Some(0));
    // What was told after the copy was made is not in it: told again, and on Discord known by its nonce.
    crowd.tally().await.assert_nothing_lost();
}

#[tokio::test]
async fn postgresql_has_its_own_tool() {
    let Some(db) = TestDb::postgres().await else { return };
    let fakes = Fakes::start().await;
    let refused = Installation::new(&fakes, &db.url).run(&["backup", "copy.db"]).await;
    assert!(refused.code == Some(1) && refused.err.contains("pg_dump"), "{}", refused.err);
}
