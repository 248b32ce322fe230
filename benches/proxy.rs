//! What the recording proxy costs: pgbench -S directly, through a forwarder that only copies bytes, through pgbouncer in session mode, and
//! through the proxy, for each protocol and number of clients, in turns. `cargo bench --bench proxy`; an argument says how many
//! seconds each run takes (default 3). Needs pgbench and pgbouncer (Debian: postgresql-15, pgbouncer).

#![allow(
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark says what it measured, and ends where it fails"
)]

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use pgproof::db::connect::DatabaseUrl;
use pgproof::db::proxy::{ListenAt, Proxy};
use pgproof::db::server::{Cluster, ClusterOptions};
use pgproof::interrupt::Interrupt;
use pgproof::progress::Progress;
use tokio::net::{TcpListener, TcpStream, UnixStream};

/// Each combination is measured so often, all of them in turns.
const ROUNDS: usize = 3;
const PROTOCOLS: [&str; 3] = ["simple", "extended", "prepared"];
const CLIENTS: [u32; 3] = [1, 8, 32];

/// Where pgbench connects to.
struct Way {
    name: &'static str,
    host: String,
    port: u16,
}

/// What one run of pgbench measured.
#[derive(Clone, Copy)]
struct Measured {
    transactions_per_second: f64,
    /// In microseconds.
    median: f64,
}

#[tokio::main]
async fn main() {
    let seconds: u32 = std::env::args()
        .skip(1)
        .find_map(|argument| argument.parse().ok())
        .unwrap_or(3);
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bench-proxy");
    std::fs::create_dir_all(&directory).unwrap();
    let options = ClusterOptions {
        directory: directory.join(".pgproof"),
        major: None,
        binaries: None,
        // pgbouncer keeps its connections, and the other ways come beside them.
        settings: vec![("max_connections".to_owned(), "200".to_owned())],
        offline: false,
    };
    let cluster = Cluster::start(&options, &Progress::default(), &Interrupt::new())
        .await
        .unwrap();
    let server = cluster.url("postgres");
    let (folder, port) = socket(&server);
    pgbench(&folder, port, &["-i", "-q", "-s", "10"]).await;

    let proxy = Proxy::before(&server).await.unwrap();
    let ListenAt::Tcp(at) = proxy.at().clone() else {
        unreachable!("a port was asked for");
    };
    let bouncer = Bouncer::before(&folder, port);
    let ways = [
        Way {
            name: "directly",
            host: folder.clone(),
            port,
        },
        Way {
            name: "forwarder",
            host: "127.0.0.1".to_owned(),
            port: forwarder(format!("{folder}/.s.PGSQL.{port}")).await,
        },
        Way {
            name: "pgbouncer",
            host: "127.0.0.1".to_owned(),
            port: bouncer.port,
        },
        Way {
            name: "proxy",
            host: "127.0.0.1".to_owned(),
            port: at.port(),
        },
    ];
    println!(
        "{:>9} {:>8}  {:>22} {:>22} {:>22} {:>22}  proxy/pgbouncer  added median",
        "protocol", "clients", ways[0].name, ways[1].name, ways[2].name, ways[3].name
    );
    for protocol in PROTOCOLS {
        for clients in CLIENTS {
            let mut measured: Vec<Vec<Measured>> = vec![Vec::new(); ways.len()];
            for _ in 0..ROUNDS {
                for (way, measured) in ways.iter().zip(&mut measured) {
                    measured.push(run(way, protocol, clients, seconds, &directory).await);
                }
            }
            let typical: Vec<Measured> = measured.iter().map(|runs| median_of(runs)).collect();
            let shown: Vec<String> = typical
                .iter()
                .map(|one| {
                    let shown =
                        format!("{:.0}/s {:.0} µs", one.transactions_per_second, one.median);
                    format!("{shown:>22}")
                })
                .collect();
            println!(
                "{protocol:>9} {clients:>8}  {}  {:>15.2}  {:>9.0} µs",
                shown.join(" "),
                typical[3].transactions_per_second / typical[2].transactions_per_second,
                typical[3].median - typical[1].median,
            );
        }
    }
    let recording = proxy.take_recording().unwrap();
    println!(
        "the proxy read {} executions, and lost {}",
        recording.executions(),
        recording.losses()
    );
    drop(bouncer);
    cluster.stop().await;
}

fn socket(url: &DatabaseUrl) -> (String, u16) {
    let address = url.address();
    let (folder, port) = address.rsplit_once("/.s.PGSQL.").unwrap();
    (folder.to_owned(), port.parse().unwrap())
}

fn median_of(runs: &[Measured]) -> Measured {
    let middle = |value: fn(&Measured) -> f64| {
        let mut values: Vec<f64> = runs.iter().map(value).collect();
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    Measured {
        transactions_per_second: middle(|run| run.transactions_per_second),
        median: middle(|run| run.median),
    }
}

/// The program as it is on this machine.
fn program(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let own = std::env::split_paths(&path);
    let debian = (14..=18).map(|major| PathBuf::from(format!("/usr/lib/postgresql/{major}/bin")));
    own.chain(debian)
        .chain([PathBuf::from("/usr/sbin")])
        .map(|folder| folder.join(name))
        .find(|file| file.exists())
        .unwrap_or_else(|| panic!("{name} is not here: install it"))
}

async fn pgbench(host: &str, port: u16, arguments: &[&str]) -> String {
    let mut command = tokio::process::Command::new(program("pgbench"));
    command
        .args(["-h", host, "-p", &port.to_string(), "-U", "postgres"])
        .args(arguments)
        .arg("postgres")
        .env("PGSSLMODE", "disable");
    let output = command.output().await.unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

async fn run(way: &Way, protocol: &str, clients: u32, seconds: u32, folder: &Path) -> Measured {
    let prefix = folder.join("latency");
    let (clients, seconds) = (clients.to_string(), seconds.to_string());
    let prefix = prefix.to_string_lossy();
    let printed = pgbench(
        &way.host,
        way.port,
        &[
            "-n",
            "-S",
            "-M",
            protocol,
            "-c",
            &clients,
            "-T",
            &seconds,
            "-l",
            "--log-prefix",
            &prefix,
            "--sampling-rate=0.2",
        ],
    )
    .await;
    let rate = printed
        .lines()
        .find_map(|line| line.strip_prefix("tps = ")?.split(' ').next()?.parse().ok());
    let mut latencies: Vec<f64> = Vec::new();
    for file in std::fs::read_dir(folder).unwrap().flatten() {
        if file.file_name().to_string_lossy().starts_with("latency") {
            let text = std::fs::read_to_string(file.path()).unwrap();
            // Client, number, latency.
            let third = |line: &str| -> Option<f64> { line.split(' ').nth(2)?.parse().ok() };
            latencies.extend(text.lines().filter_map(third));
            std::fs::remove_file(file.path()).unwrap();
        }
    }
    latencies.sort_by(f64::total_cmp);
    Measured {
        transactions_per_second: rate.unwrap(),
        median: latencies[latencies.len() / 2],
    }
}

/// Copies bytes both ways and looks at none of them; its port.
async fn forwarder(server: String) -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            tokio::spawn(forward(client, server.clone()));
        }
    });
    port
}

async fn forward(mut client: TcpStream, server: String) {
    let _ = client.set_nodelay(true);
    if let Ok(mut server) = UnixStream::connect(server).await {
        let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
    }
}

/// pgbouncer in session mode.
struct Bouncer {
    process: Child,
    port: u16,
    _folder: tempfile::TempDir,
}

impl Bouncer {
    fn before(server: &str, server_port: u16) -> Self {
        let folder = tempfile::tempdir_in("/tmp").unwrap();
        let port = std::net::TcpListener::bind(("127.0.0.1", 0))
            .and_then(|listener| listener.local_addr())
            .unwrap()
            .port();
        let file = folder.path().join("pgbouncer.ini");
        std::fs::write(
            &file,
            format!(
                "[databases]\npostgres = host={server} port={server_port} user=postgres\n[pgbouncer]\nlisten_addr = 127.0.0.1\n\
                 listen_port = {port}\nunix_socket_dir =\nauth_type = any\npool_mode = session\ndefault_pool_size = 64\nmax_client_conn = 100\n"
            ),
        )
        .unwrap();
        let mut command = Command::new(program("pgbouncer"));
        if rustix::process::geteuid().is_root() {
            use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
            std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o777))
                .unwrap();
            // As whom the server runs: nobody else may use its socket.
            let owner = std::fs::metadata(server).unwrap().uid();
            let owner = uzers::get_user_by_uid(owner).unwrap();
            command.arg("-u").arg(owner.name());
        }
        let process = command
            .arg(&file)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_secs(1));
        Self {
            process,
            port,
            _folder: folder,
        }
    }
}

impl Drop for Bouncer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
