//! 200 pulls killed at moments of all kinds, each gone on with by the next: the file is always right
//! in the end, and a kill costs little.

mod common;

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use axum::body::Bytes;
use common::Home;
use common::hub::{COMMIT, Hub, Repo, sha256};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

const KILLS: usize = 200;
/// Homes that are pulled to at the same time, so that the waiting overlaps.
const LANES: usize = 4;
const MIB: u64 = 1 << 20;
const SIZE: u64 = 20 * MIB + 4321;
/// What a kill may cost: the piece that each of eight connections was at.
const CHUNK: u64 = 8 * MIB;
const FILE: &str = "weights-Q8_0.gguf";

/// When a pull is killed.
#[derive(Debug)]
enum Moment {
    /// So long after its start: before it asked anything, or before the first byte.
    After(Duration),
    /// When the hub has handed out so many bytes more, and a little later.
    Bytes(u64, Duration),
    /// When the file has its name, and a little later: the link is being made.
    Named(Duration),
}

impl Moment {
    fn any(random: &mut StdRng, left: u64) -> Moment {
        let up_to = |random: &mut StdRng, ms: f64| Duration::from_secs_f64(random.random_range(0.0..ms) / 1000.0);
        match random.random_range(0..10) {
            0 | 1 => Moment::After(up_to(random, 30.0)),
            2..=6 => Moment::Bytes(random.random_range(0..=left), up_to(random, 5.0)),
            // The last bytes are hashed, the file goes to the disk and gets its name.
            7 | 8 => Moment::Bytes(left, up_to(random, 60.0)),
            _ => Moment::Named(up_to(random, 4.0)),
        }
    }
}

/// What a kill left.
#[derive(Debug, Default)]
struct Left {
    nothing: usize,
    part: usize,
    /// The file under its name in `blobs`, without a link to it.
    blob: usize,
    link: usize,
}

struct Lane {
    hub: Hub,
    weights: Bytes,
    hash: String,
    random: StdRng,
    left: Left,
    wasted: u64,
}

impl Lane {
    fn new(seed: u64) -> Lane {
        let weights = common::noise(SIZE, seed);
        let hub = Hub::of(Repo::new("org/repo").file(FILE, weights.clone()));
        let hash = sha256(&weights);
        Lane { hub, weights, hash, random: StdRng::seed_from_u64(seed), left: Left::default(), wasted: 0 }
    }

    fn folder(home: &Home) -> PathBuf {
        home.path().join(".cache/huggingface/hub/models--org--repo")
    }

    fn start(&mut self, home: &Home) -> Child {
        let rate = self.random.random_range(16..64) * MIB;
        self.hub.set(|ways| ways.rate = Some(rate));
        let mut command = Command::new(assert_cmd::cargo::cargo_bin("oai"));
        command.env_clear().env("HOME", home.path()).env("HF_ENDPOINT", &self.hub.endpoint);
        command.args(["pull", "org/repo"]).stderr(Stdio::piped()).stdin(Stdio::null()).spawn().unwrap()
    }

    /// Pulls to one home until a pull ends by itself or `most` were killed; then once more to the
    /// end. Returns how many were killed.
    fn home(&mut self, most: usize) -> usize {
        let home = Home::new();
        let before = self.hub.sent_bytes();
        let mut kills = 0;
        while kills < most {
            let sent = self.hub.sent_bytes();
            let moment = Moment::any(&mut self.random, SIZE.saturating_sub(sent - before));
            let mut child = self.start(&home);
            if !self.wait(&moment, &mut child, &home, sent) {
                break;
            }
            child.kill().unwrap();
            // It may have ended just before.
            if child.wait().unwrap().success() {
                break;
            }
            kills += 1;
            self.look(&home, &moment);
        }
        let output = self.start(&home).wait_with_output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "after {kills} kills: {stderr}");
        assert!(stderr.lines().last().unwrap_or_default().starts_with("pulled org/repo:Q8_0"), "{stderr}");
        let found = std::fs::read(Lane::folder(&home).join("snapshots").join(COMMIT).join(FILE)).unwrap();
        assert!(found == self.weights, "another file after {kills} kills");
        assert_eq!(std::fs::read_dir(Lane::folder(&home).join("blobs")).unwrap().count(), 1, "something is left over");
        let wasted = self.hub.sent_bytes() - before - SIZE;
        assert!(wasted <= kills as u64 * CHUNK, "{wasted} bytes twice after {kills} kills");
        self.wasted += wasted;
        kills
    }

    /// Waits for the moment; false if the pull ended before.
    fn wait(&self, moment: &Moment, child: &mut Child, home: &Home, sent: u64) -> bool {
        let blob = Lane::folder(home).join("blobs").join(&self.hash);
        let start = Instant::now();
        let reached = || match moment {
            Moment::After(_) => true,
            Moment::Bytes(bytes, _) => self.hub.sent_bytes() >= sent + bytes,
            Moment::Named(_) => blob.exists(),
        };
        let (Moment::After(then) | Moment::Bytes(_, then) | Moment::Named(then)) = moment;
        while !reached() {
            assert!(start.elapsed() < Duration::from_secs(60), "hangs before {moment:?}");
            if let Some(status) = child.try_wait().unwrap() {
                assert!(status.success(), "failed by itself before {moment:?}");
                return false;
            }
            std::thread::sleep(Duration::from_micros(300));
        }
        std::thread::sleep(*then);
        true
    }

    /// What lies under its name is the file, whole.
    fn look(&mut self, home: &Home, moment: &Moment) {
        let folder = Lane::folder(home);
        let blob = folder.join("blobs").join(&self.hash);
        let link = folder.join("snapshots").join(COMMIT).join(FILE);
        for path in [&blob, &link] {
            if let Ok(found) = std::fs::read(path) {
                assert!(found == self.weights, "{} is another file, killed at {moment:?}", path.display());
            }
        }
        let class = match (link.exists(), blob.exists(), blob.with_extension("oai-partial").exists()) {
            (true, ..) => &mut self.left.link,
            (_, true, _) => &mut self.left.blob,
            (_, _, true) => &mut self.left.part,
            _ => &mut self.left.nothing,
        };
        *class += 1;
    }
}

#[test]
fn two_hundred_kills_and_the_file_is_right() {
    let lanes: Vec<Lane> = std::thread::scope(|scope| {
        let lane = |seed: usize| {
            move || {
                let mut lane = Lane::new(seed as u64 + 1);
                let mut kills = 0;
                while kills < KILLS / LANES {
                    kills += lane.home(KILLS / LANES - kills);
                }
                lane
            }
        };
        let lanes: Vec<_> = (0..LANES).map(|seed| scope.spawn(lane(seed))).collect();
        lanes.into_iter().map(|lane| lane.join().unwrap()).collect()
    });
    let count = |of: fn(&Left) -> usize| lanes.iter().map(|lane| of(&lane.left)).sum::<usize>();
    let (nothing, part) = (count(|left| left.nothing), count(|left| left.part));
    let (blob, link) = (count(|left| left.blob), count(|left| left.link));
    let wasted = lanes.iter().map(|lane| lane.wasted).sum::<u64>() / KILLS as u64;
    println!("{nothing} left nothing, {part} a part, {blob} the file unlinked, {link} the file; {wasted} bytes a kill");
    assert_eq!(nothing + part + blob + link, KILLS);
    // The moments are what they are meant to be.
    assert!(nothing > 0 && part > KILLS / 3, "{nothing} {part}");
}
