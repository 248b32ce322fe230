//! Where a server lies and what it is made of: closed projects, deep paths, damaged files, full disks, downloads.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use pgproof::db::server::{Checksum, Downloads, Search, ServerError};
use pgproof::interrupt::Interrupt;
use pgproof::progress::{Event, Progress};
use sha2::{Digest as _, Sha256};

use super::private;
use crate::support;

fn root() -> bool {
    Command::new("id").arg("-u").output().unwrap().stdout == b"0\n"
}

#[tokio::test]
async fn a_project_that_only_root_may_enter() {
    if !root() {
        eprintln!("SKIPPED: only root has projects that the server's account may not enter");
        return;
    }
    let closed = tempfile::tempdir_in("/tmp").unwrap();
    std::fs::set_permissions(closed.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
    let options = private::options(closed.path());
    let cluster = private::start(&options).await.unwrap();
    assert_eq!(private::value(&cluster, "SELECT 'there'").await, "there");
    let pointer = std::fs::read_to_string(closed.path().join(".pgproof/cluster-location")).unwrap();
    let elsewhere = PathBuf::from(pointer.trim());
    assert!(elsewhere.starts_with("/var"), "{}", elsewhere.display());
    let directory = private::value(&cluster, "SHOW data_directory").await;
    assert!(Path::new(&directory).starts_with(&elsewhere));
    cluster.stop().await;
    std::fs::remove_dir_all(elsewhere).unwrap();
}

#[tokio::test]
async fn a_project_below_a_long_path() {
    let project = private::bare_project();
    let deep = project
        .path()
        .join("a-directory-with-a-long-name/".repeat(5));
    std::fs::create_dir_all(&deep).unwrap();
    let cluster = private::start(&private::options(&deep)).await.unwrap();
    assert_eq!(private::value(&cluster, "SELECT 'there'").await, "there");
    let socket = private::value(&cluster, "SHOW unix_socket_directories").await;
    assert!(socket.len() < 100, "{socket}");
    drop(cluster);
    std::fs::remove_dir_all(socket).unwrap();
}

#[tokio::test]
async fn a_project_with_an_odd_path() {
    use std::os::unix::ffi::OsStrExt as _;
    for name in [
        &b"it's a \"shop\" $HOME"[..],
        b"a, b,c",
        b"back\\slash \t tab",
        "größe".as_bytes(),
        b"no utf-8 \xff\xfe",
    ] {
        let project = private::bare_project();
        let odd = project.path().join(std::ffi::OsStr::from_bytes(name));
        std::fs::create_dir_all(&odd).unwrap();
        let options = private::options(&odd);
        // A second time with the files of the first.
        for _ in 0..2 {
            let cluster = private::start(&options)
                .await
                .unwrap_or_else(|error| panic!("{}: {error}", odd.display()));
            assert_eq!(private::value(&cluster, "SELECT 'there'").await, "there");
            cluster.stop().await;
        }
        let socket = pgproof::db::server::daemon::status(&options).unwrap();
        assert_eq!(socket.len(), 1);
    }
    let project = private::bare_project();
    let broken = project.path().join("two\nlines");
    std::fs::create_dir_all(&broken).unwrap();
    let text = private::start(&private::options(&broken))
        .await
        .unwrap_err();
    let text = text.to_string();
    assert!(
        text.contains("the name holds a line break; rename the directory"),
        "{text}"
    );
}

/// A directory of a user who is not root, and a project of theirs in it.
#[tokio::test]
async fn root_works_in_somebodys_project_and_then_they_do() {
    if !root() {
        eprintln!("SKIPPED: only root can work in the projects of others");
        return;
    }
    let project = private::bare_project();
    std::os::unix::fs::chown(project.path(), Some(65_534), Some(65_534)).unwrap();
    let options = private::options(project.path());
    private::start(&options).await.unwrap().stop().await;
    let status = |user: &str| {
        let mut command = Command::new("setpriv");
        command
            .args(["--reuid", user, "--regid", user, "--clear-groups"])
            .arg(env!("CARGO_BIN_EXE_pgproof"))
            .args(["server", "psql", "--", "-XAtc", "SELECT 1"])
            .env("HOME", "/tmp")
            .env("PGPROOF_CACHE_DIR", project.path().join("cache"))
            .env("PGPROOF_PG_BIN", support::binaries_of(15).unwrap())
            .current_dir(project.path());
        command.output().unwrap()
    };
    std::fs::write(
        project.path().join("pgproof.toml"),
        "[server]\nversion = \"15\"\n",
    )
    .unwrap();
    std::fs::create_dir(project.path().join("migrations")).unwrap();
    std::fs::write(
        project.path().join("migrations/1_t.sql"),
        "CREATE TABLE t (id int PRIMARY KEY);\n",
    )
    .unwrap();
    let theirs = status("65534");
    assert!(
        theirs.status.success(),
        "{}",
        String::from_utf8_lossy(&theirs.stderr)
    );
    private::start(&options).await.unwrap().stop().await;
    // Another one is told whose it is, and what to do.
    let other = status("4242");
    let text = String::from_utf8_lossy(&other.stderr).replace("| ", " ");
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(other.status.code(), Some(3), "{text}");
    assert!(
        text.contains("it belongs to nobody; run pgproof as nobody, or remove"),
        "{text}"
    );
}

#[tokio::test]
async fn the_server_listens_on_loopback_and_its_private_socket_alone() {
    let cluster = support::cluster();
    assert_eq!(
        private::value(&cluster, "SHOW listen_addresses").await,
        "127.0.0.1"
    );
    let socket = PathBuf::from(private::value(&cluster, "SHOW unix_socket_directories").await);
    assert_eq!(
        socket.metadata().unwrap().permissions().mode() & 0o777,
        0o700
    );
    let home = socket.parent().unwrap();
    assert_eq!(
        home.join("password")
            .metadata()
            .unwrap()
            .permissions()
            .mode()
            & 0o777,
        0o600
    );
}

#[tokio::test]
async fn a_setting_that_postgres_refuses_is_the_projects_mistake() {
    let project = private::project();
    let mut options = private::options(project.path());
    for (name, value, told) in [
        (
            "wrok_mem",
            "4MB",
            "unrecognized configuration parameter \"wrok_mem\"",
        ),
        (
            "work_mem",
            "4 bananas",
            "invalid value for parameter \"work_mem\": \"4 bananas\"",
        ),
        (
            "work_mem",
            "1kB",
            "1 kB is outside the valid range for parameter \"work_mem\" (64 .. 2147483647)",
        ),
    ] {
        options.settings = vec![(name.to_owned(), value.to_owned())];
        let error = private::start(&options).await.unwrap_err();
        assert!(error.is_configuration(), "{error:?}");
        assert_eq!(
            error.to_string(),
            format!("PostgreSQL refuses `server.settings` of pgproof.toml: {told}")
        );
        assert_eq!(private::postmaster(project.path()), None);
    }
    options.settings.clear();
    private::start(&options).await.unwrap();
}

#[tokio::test]
async fn a_server_that_cannot_start_shows_the_end_of_its_log() {
    let project = private::project();
    let options = private::options(project.path());
    let cluster = private::start(&options).await.unwrap();
    private::execute(&cluster, "CREATE TABLE kept AS SELECT 1 AS n").await;
    cluster.stop().await;
    let mut other = options.clone();
    other.settings = vec![(
        "shared_preload_libraries".to_owned(),
        "no_such_library".to_owned(),
    )];
    let text = private::start(&other).await.unwrap_err().to_string();
    assert!(
        text.starts_with("the embedded server ended while starting; the end of "),
        "{text}"
    );
    assert!(
        text.contains("could not access file \"no_such_library\""),
        "{text}"
    );
    // No server starts so: nothing is wrong with the files, and they stay.
    let again = private::start(&options).await.unwrap();
    assert_eq!(
        private::value(&again, "SELECT count(*)::text FROM kept").await,
        "1"
    );
}

/// Needs the right to mount a small file system.
#[tokio::test]
async fn a_full_disk_is_said_to_be_full() {
    let project = private::bare_project();
    let mount = |size: &str| {
        let arguments = [
            "-t",
            "tmpfs",
            "-o",
            &format!("size={size},mode=755"),
            "tmpfs",
        ];
        Command::new("mount")
            .args(arguments)
            .arg(project.path())
            .status()
            .is_ok_and(|status| status.success())
    };
    if !root() || !mount("20m") {
        eprintln!("SKIPPED: this user may not mount a file system");
        return;
    }
    let unmount = || {
        Command::new("umount")
            .arg("-l")
            .arg(project.path())
            .status()
            .unwrap()
    };
    let error = private::start(&private::options(project.path()))
        .await
        .unwrap_err();
    unmount();
    assert!(matches!(error, ServerError::DiskFull { .. }), "{error}");
    assert!(
        error
            .to_string()
            .starts_with("no space left on the disk of "),
        "{error}"
    );
    assert!(mount("150m"));
    let cluster = private::start(&private::options(project.path()))
        .await
        .unwrap();
    let session = pgproof::db::connect::Session::open(&cluster.url("postgres"), &Interrupt::new())
        .await
        .unwrap();
    let fill = "CREATE TABLE t AS SELECT repeat('x', 1000) FROM generate_series(1, 1000000)";
    let error = session.client().batch_execute(fill).await.unwrap_err();
    let fault = pgproof::db::connect::EnvironmentFault::of(&error);
    drop(session);
    let started = cluster.stop();
    started.await;
    unmount();
    assert_eq!(
        fault,
        Some(pgproof::db::connect::EnvironmentFault::DiskFull),
        "{error:?}"
    );
}

#[tokio::test]
async fn nothing_is_downloaded_offline() {
    let nowhere = Search {
        named: None,
        directories: Vec::new(),
        cache: None,
    };
    assert_eq!(nowhere.best(None).unwrap(), None);
    let project = private::bare_project();
    let mut options = private::options(project.path());
    options.binaries = Some(project.path().join("nowhere"));
    let text = private::start(&options).await.unwrap_err().to_string();
    assert!(
        text.contains("/nowhere holds no usable PostgreSQL"),
        "{text}"
    );
    options.major = Some(13);
    assert_eq!(
        private::start(&options).await.unwrap_err().to_string(),
        "PostgreSQL 13 is not supported: `server.version` must be one of 14 to 18"
    );
}

/// The archive of a version, as it is published, served on this machine.
struct Releases {
    directory: tempfile::TempDir,
    version: &'static str,
    name: String,
}

impl Releases {
    /// A whole PostgreSQL.
    fn real() -> Self {
        Self::of(support::binaries_of(17).unwrap().parent().unwrap())
    }

    /// Programs that can say their version and nothing else.
    fn small() -> Self {
        let prefix = tempfile::tempdir().unwrap();
        for part in ["bin", "lib", "share"] {
            std::fs::create_dir(prefix.path().join(part)).unwrap();
        }
        for program in ["postgres", "initdb"] {
            let path = prefix.path().join("bin").join(program);
            std::fs::write(&path, "#!/bin/sh\necho 'postgres (PostgreSQL) 17.11'\n").unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        Self::of(prefix.path())
    }

    fn of(prefix: &Path) -> Self {
        let version = "17.11.0";
        let platform = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
        let name = format!("postgresql-{version}-{platform}.tar.gz");
        let directory = tempfile::tempdir().unwrap();
        let release = directory.path().join(version);
        std::fs::create_dir_all(&release).unwrap();
        // GNU tar: the members lie below one directory, as in the published archives.
        let archived = Command::new("tar")
            .args(["--use-compress-program=gzip -1", "-cf"])
            .arg(release.join(&name))
            .arg(format!("--transform=s,^\\.,postgresql-{version},"))
            .arg("-C")
            .arg(prefix)
            .args(["./bin", "./lib", "./share"])
            .status()
            .unwrap();
        assert!(archived.success());
        let releases = Self {
            directory,
            version,
            name,
        };
        let sum = Sha256::digest(std::fs::read(releases.archive()).unwrap());
        let sum: String = sum.iter().map(|byte| format!("{byte:02x}")).collect();
        std::fs::write(releases.sum(), format!("{sum}  {}\n", releases.name)).unwrap();
        releases
    }

    fn archive(&self) -> PathBuf {
        self.directory.path().join(self.version).join(&self.name)
    }

    fn sum(&self) -> PathBuf {
        self.archive()
            .with_file_name(format!("{}.sha256", self.name))
    }

    /// A server of these files; it ends with the process.
    fn serve(&self) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base = format!("http://{}/releases", listener.local_addr().unwrap());
        let directory = self.directory.path().to_path_buf();
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let mut request = [0_u8; 4096];
                let length = stream.read(&mut request).unwrap_or_default();
                let text = String::from_utf8_lossy(&request[..length]).into_owned();
                let path = text
                    .split(' ')
                    .nth(1)
                    .unwrap_or_default()
                    .trim_start_matches("/releases/")
                    .to_owned();
                let response = std::fs::read(directory.join(path));
                let (status, body) =
                    response.map_or(("404 Not Found", Vec::new()), |body| ("200 OK", body));
                let head = format!(
                    "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                    body.len()
                );
                let _ = stream
                    .write_all(head.as_bytes())
                    .and_then(|()| stream.write_all(&body));
            }
        });
        base
    }
}

#[tokio::test]
async fn postgres_is_downloaded_checked_unpacked_and_runs() {
    let releases = Releases::real();
    let base = releases.serve();
    let project = private::bare_project();
    let cache = project.path().join("cache");
    let downloads = |base: &str| Downloads {
        base: base.to_owned(),
        cache: cache.clone(),
        checksum: Checksum::Published,
    };
    let quiet = Progress::default();
    let interrupt = Interrupt::new();

    let (progress, events) = private::listening();
    let installation = downloads(&base)
        .fetch(17, &progress, &interrupt)
        .await
        .unwrap();
    assert_eq!(installation.bin, cache.join("postgresql/17.11.0/bin"));
    let size = std::fs::metadata(releases.archive()).unwrap().len();
    {
        let events = events.lock().unwrap();
        let told = events.iter().any(|event| {
            matches!(event, Event::Started { label, total, .. }
                if label == "Downloading PostgreSQL 17.11.0" && *total == Some(size))
        });
        assert!(told, "{:?}", events.first());
        let advanced: u64 = events
            .iter()
            .map(|event| {
                if let Event::Advanced { by, .. } = event {
                    *by
                } else {
                    0
                }
            })
            .sum();
        assert_eq!(advanced, size);
    }
    // A second time it is there.
    downloads("http://127.0.0.1:9/none")
        .fetch(17, &quiet, &interrupt)
        .await
        .unwrap();
    let mut options = private::options(project.path());
    options.major = Some(17);
    options.binaries = Some(installation.bin);
    let cluster = private::start(&options).await.unwrap();
    assert_eq!(private::value(&cluster, "SELECT 'there'").await, "there");
    drop(cluster);
}

#[tokio::test]
async fn a_download_that_goes_wrong_leaves_nothing() {
    let releases = Releases::small();
    let base = releases.serve();
    let project = private::bare_project();
    let cache = project.path().join("cache");
    let fetch = async |base: &str, major: u32| {
        let downloads = Downloads {
            base: base.to_owned(),
            cache: cache.clone(),
            checksum: Checksum::Published,
        };
        let error = downloads
            .fetch(major, &Progress::default(), &Interrupt::new())
            .await
            .unwrap_err();
        let left: Vec<String> = std::fs::read_dir(cache.join("postgresql"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .filter(|name| name != "download.lock")
            .collect();
        assert_eq!(left, Vec::<String>::new(), "{error}");
        error.to_string()
    };
    let text = fetch(&base, 16).await;
    assert!(
        text.contains("404 Not Found") && text.contains("PGPROOF_POSTGRES_URL"),
        "{text}"
    );
    let text = fetch("http://127.0.0.1:9/none", 17).await;
    assert!(
        text.starts_with("cannot download PostgreSQL 17 from http://127.0.0.1:9/none/17.11.0/"),
        "{text}"
    );
    assert!(text.to_lowercase().contains("connection refused"), "{text}");
    let whole = std::fs::read(releases.archive()).unwrap();
    std::fs::write(releases.archive(), &whole[..whole.len() / 2]).unwrap();
    let text = fetch(&base, 17).await;
    assert!(text.contains("the checksum does not match"), "{text}");
    let sum = |bytes: &[u8]| -> String {
        let digest = Sha256::digest(bytes);
        digest.iter().map(|byte| format!("{byte:02x}")).collect()
    };
    std::fs::write(releases.sum(), sum(&whole[..whole.len() / 2])).unwrap();
    let text = fetch(&base, 17).await;
    assert!(text.contains("the archive does not unpack"), "{text}");
    std::fs::write(releases.archive(), &whole).unwrap();
    std::fs::remove_file(releases.sum()).unwrap();
    let text = fetch(&base, 17).await;
    assert!(
        text.contains(".sha256 cannot be read") && text.contains("set PGPROOF_POSTGRES_SHA256"),
        "{text}"
    );
    // What a download that was killed left goes with the next one.
    std::fs::create_dir(cache.join("postgresql/.unfinished-4711")).unwrap();
    fetch(&base, 17).await;
    for checksum in [Checksum::Named(sum(&whole)), Checksum::Unchecked] {
        let cache = project.path().join(format!("{checksum:?}"));
        let downloads = Downloads {
            base: base.clone(),
            cache,
            checksum,
        };
        let (progress, interrupt) = (Progress::default(), Interrupt::new());
        downloads.fetch(17, &progress, &interrupt).await.unwrap();
    }
    assert_eq!(
        fetch(&base, 12).await,
        "PostgreSQL 12 is not supported: `server.version` must be one of 14 to 18"
    );
}

#[tokio::test]
async fn two_that_take_a_release_from_a_directory_at_once_do_it_once() {
    let releases = Releases::small();
    let directory = format!("file://{}", releases.directory.path().display());
    let project = private::bare_project();
    let downloads = Downloads {
        base: directory,
        cache: project.path().join("cache"),
        checksum: Checksum::Published,
    };
    let (progress, interrupt) = (Progress::default(), Interrupt::new());
    let fetch = || downloads.fetch(17, &progress, &interrupt);
    let (one, two) = tokio::time::timeout(Duration::from_secs(300), async {
        tokio::join!(fetch(), fetch())
    })
    .await
    .unwrap();
    assert_eq!(one.unwrap(), two.unwrap());
}

#[tokio::test]
async fn data_that_comes_from_a_ci_cache_has_any_owner_and_mode() {
    let project = private::project();
    let data = private::data(project.path());
    if root() {
        let given = Command::new("chown")
            .args(["-R", "0:0"])
            .arg(project.path())
            .status()
            .unwrap();
        assert!(given.success());
    }
    std::fs::set_permissions(&data, std::fs::Permissions::from_mode(0o755)).unwrap();
    let cluster = private::start(&private::options(project.path()))
        .await
        .unwrap();
    assert_eq!(private::value(&cluster, "SELECT 'there'").await, "there");
}

#[tokio::test]
async fn the_database_for_daily_work_stays_until_it_is_made_anew() {
    use pgproof::db::dataset::Dataset;
    use pgproof::db::dev::{self, Existing, State};
    let project = private::project();
    let cluster = private::start(&private::options(project.path()))
        .await
        .unwrap();
    private::execute(&cluster, "CREATE DATABASE pgproof_0a").await;
    let server = cluster.url("postgres");
    let dataset = |fingerprint: &str| Dataset {
        database: "pgproof_0a".to_owned(),
        fingerprint: fingerprint.to_owned(),
        made: None,
        tables: Vec::new(),
    };
    let interrupt = Interrupt::new();
    assert_eq!(dev::origin(&server, &interrupt).await.unwrap(), None);
    let ensure = async |fingerprint: &str, existing| {
        dev::ensure(&server, &dataset(fingerprint), existing, &interrupt)
            .await
            .unwrap()
    };
    assert_eq!(ensure("0a", Existing::Keep).await, State::Made);
    let session = pgproof::db::connect::Session::open(&cluster.url(dev::DATABASE), &interrupt)
        .await
        .unwrap();
    session
        .client()
        .batch_execute("CREATE TABLE work (n int)")
        .await
        .unwrap();
    assert_eq!(ensure("0a", Existing::Keep).await, State::Current);
    assert_eq!(ensure("0b", Existing::Keep).await, State::Outdated);
    session.client().batch_execute("TABLE work").await.unwrap();
    // Also while somebody is connected to it.
    assert_eq!(ensure("0b", Existing::Replace).await, State::Made);
    assert_eq!(
        dev::origin(&server, &interrupt).await.unwrap().as_deref(),
        Some("0b")
    );
    let session = pgproof::db::connect::Session::open(&cluster.url(dev::DATABASE), &interrupt)
        .await
        .unwrap();
    assert!(
        session.client().batch_execute("TABLE work").await.is_err(),
        "what was changed in it is gone"
    );
}
