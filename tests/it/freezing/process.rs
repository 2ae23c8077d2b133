//! A process that can be stopped and let go on, and whose log is read.

use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Instant;

use tokio::sync::watch;

pub(super) struct Process {
    child: Mutex<Child>,
    id: u32,
    log: Arc<Mutex<Vec<u8>>>,
    /// Its standard error has been closed.
    is_silent: watch::Receiver<bool>,
}

impl Process {
    pub(super) fn start(mut program: Command) -> Self {
        program.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = program.spawn().expect("a process");
        let mut errors = child.stderr.take().expect("its standard error");
        let log = Arc::new(Mutex::new(Vec::new()));
        let heard = log.clone();
        let (silence, is_silent) = watch::channel(false);
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = errors.read(&mut bytes) {
                heard.lock().unwrap().extend_from_slice(&bytes[..count]);
            }
            silence.send_replace(true);
        });
        Self { id: child.id(), child: Mutex::new(child), log, is_silent }
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

    /// Waits until it has ended, and tells how. Its end closes its standard error.
    pub(super) async fn ended(&self) -> ExitStatus {
        self.is_silent.clone().wait_for(|is_silent| *is_silent).await.expect("a thread");
        self.child.lock().unwrap().wait().expect("a child")
    }

    pub(super) fn log(&self) -> String {
        String::from_utf8_lossy(&self.log.lock().unwrap()).into_owned()
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
