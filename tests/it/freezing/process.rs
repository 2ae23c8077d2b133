//! A process that can be stopped and let go on, and whose log is read.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Mutex;
use std::thread;
use std::time::Instant;

use tokio::sync::watch;

pub(super) struct Process {
    child: Mutex<Child>,
    id: u32,
    /// Its standard error: a file, so that everything that it has written can be read at once.
    log: File,
    /// Its standard output is closed.
    has_ended: watch::Receiver<bool>,
}

impl Process {
    pub(super) fn start(mut program: Command) -> Self {
        let log = tempfile::tempfile().expect("a temporary file");
        program.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log.try_clone().expect("the file"));
        let mut child = program.spawn().expect("a process");
        let mut output = child.stdout.take().expect("its standard output");
        let (end, has_ended) = watch::channel(false);
        thread::spawn(move || {
            drop(io::copy(&mut output, &mut io::sink()));
            end.send_replace(true);
        });
        Self { id: child.id(), child: Mutex::new(child), log, has_ended }
    }

    /// Stops it; nothing of it runs any more when this returns.
    pub(super) fn stop(&self) {
        self.signal("STOP");
        let begin = Instant::now();
        while !self.is_stopped() {
            assert!(begin.elapsed() < super::PATIENCE, "the process does not stop");
            thread::yield_now();
        }
    }

    /// Lets it go on.
    pub(super) fn go_on(&self) {
        self.signal("CONT");
    }

    /// By the shell, which knows `kill` everywhere.
    fn signal(&self, name: &str) {
        let sent = Command::new("sh").arg("-c").arg(format!("kill -{name} {}", self.id)).status();
        assert!(sent.expect("a shell").success(), "SIG{name} cannot be sent");
    }

    /// Whether every thread of it is stopped, as the kernel tells in the field after the name. One that has ended counts.
    fn is_stopped(&self) -> bool {
        let threads = fs::read_dir(Path::new("/proc").join(self.id.to_string()).join("task")).expect("a process");
        threads.flatten().all(|thread| {
            let stat = fs::read_to_string(thread.path().join("stat")).unwrap_or_default();
            stat.rsplit_once(") ").is_none_or(|(_, rest)| rest.starts_with('T'))
        })
    }

    /// Waits until it has ended, and tells how. Its end closes its standard output.
    pub(super) async fn ended(&self) -> ExitStatus {
        self.has_ended.clone().wait_for(|has_ended| *has_ended).await.expect("a thread");
        self.child.lock().unwrap().wait().expect("a child")
    }

    /// Everything that it has written to its log.
    pub(super) fn log(&self) -> String {
        let length = self.log.metadata().expect("a file").len();
        let mut bytes = vec![0; usize::try_from(length).expect("a short log")];
        // At a place of its own: the process writes where the file's own cursor is.
        self.log.read_exact_at(&mut bytes, 0).expect("its log");
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let mut child = self.child.lock().unwrap();
        // It may have ended by itself.
        drop(child.kill());
        drop(child.wait());
    }
}
