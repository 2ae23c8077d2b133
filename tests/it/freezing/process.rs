//! A process that can be stopped and let go on, and whose log is read.

use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

pub(super) struct Process {
    child: Mutex<Child>,
    id: u32,
    log: Arc<Mutex<Vec<u8>>>,
}

impl Process {
    pub(super) fn start(mut program: Command) -> Self {
        program.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = program.spawn().expect("a process");
        let mut errors = child.stderr.take().expect("its standard error");
        let log = Arc::new(Mutex::new(Vec::new()));
        let heard = log.clone();
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = errors.read(&mut bytes) {
                heard.lock().unwrap().extend_from_slice(&bytes[..count]);
            }
        });
        Self { id: child.id(), child: Mutex::new(child), log }
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

    /// How it ended, if it does in time.
    pub(super) fn wait(&self, span: Duration) -> Option<ExitStatus> {
        let begin = Instant::now();
        while begin.elapsed() < span {
            if let Some(status) = self.child.lock().unwrap().try_wait().expect("a child") {
                return Some(status);
            }
            thread::sleep(Duration::from_millis(5));
        }
        None
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
